"""Propose settings of [cells] from how wide and how bright nuclei and cells are, and the settings beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.instruments import stains
from tasks.settings.parameters import AUTO
from tasks.workflow.segmentation import CPJUMP1_PIXEL_UM, FULL_BITS, NONE

USUAL_UM = 24.0
"""How wide nuclei are (circles of their area) on CPJUMP1's plates, which the defaults are made for."""
LEAST_FIT_UM, MOST_FIT_UM = 15.0, 33.0
"""The defaults find such nuclei well: of 2.5 times the least width that is kept to three quarters of the most."""
LENGTHS_UM = {"declump_smoothing": 4.2, "declump_distance": 4.8, "nuclei_smoothing": 1.8}
RANGE_UM = (6.0, 45.0)
CORRECTION, LEAST_BOUND = 1.25, 0.014
CELL_BOUNDS = (0.005, 0.014)
CLEAR_OF_BOUND = 1.2
"""A threshold that an image has by itself is clear of its least by so much, or the least is lowered."""
OF_THRESHOLD = 0.5
NOISE_TIMES = 3.0
CELL_PARTS = (0.15, 0.5)
"""Between which parts of the way from background to cell the threshold of cells stays."""
FITTING_PARTS = (0.03, 0.8)
"""CPJUMP1's own limits are kept where the threshold by them lies between these."""
STEPS = (0.7, 1.0, 1.4)
"""The neighbours of a proposal: sizes and thresholds times these."""
SIZES, THRESHOLDS = ("smaller nuclei", "", "larger nuclei"), ("lower threshold", "", "higher threshold")
CELL_STAINS = ("RNA", "AGP", "ER")
NUCLEAR = ("nuclei", "nucleus", "nuclear")


@dataclass(frozen=True)
class Seen:
    """What is known of a plate's cells: an estimate's values, the length of a pixel, and the bits of the camera."""

    estimate: Mapping[str, float]
    pixel_um: float | None
    bits: int

    @property
    def white(self) -> float:
        """Return what brightness is multiplied by, so that the camera's white is 1."""
        return float((2**FULL_BITS - 1) / (2**self.bits - 1))

    def level(self, name: str) -> float:
        return self.estimate[name] * self.white


def candidates(seen: Seen) -> list[dict[str, str]]:
    """Return nine sets of settings, by size (rows) and threshold (columns); the proposal is the fifth."""
    return [_settings(seen, size, threshold) for size in STEPS for threshold in STEPS]


def titles() -> list[str]:
    """Return in words how the nine differ."""
    words = [", ".join(word for word in (size, threshold) if word) for size in SIZES for threshold in THRESHOLDS]
    return [word or "the proposal" for word in words]


def roles(known: Sequence[str], nuclei: str, cells: str) -> tuple[str, str]:
    """Return the channels for nuclei and cells: those that are set, or, where the plate lacks them, by their names.

    Nuclei come back as they are set if no name speaks of them.
    """
    by_stain = {stain: name for name, stain in reversed(stains.proposed(known, {}).items())}
    named = next((name for name in known if any(word in name.lower() for word in NUCLEAR)), nuclei)
    found = nuclei if nuclei in known else by_stain.get("DNA", named)
    if cells in (*known, NONE):
        return found, cells
    return found, next((by_stain[stain] for stain in CELL_STAINS if by_stain.get(stain, found) != found), NONE)


def _settings(seen: Seen, size: float, threshold: float) -> dict[str, str]:
    scale, told = _scale(seen)
    scale *= size
    least = _least_bound(seen) * threshold
    return {
        **told,
        "nucleus_diameter": f"{RANGE_UM[0] * scale:.3g}-{RANGE_UM[1] * scale:.3g} um",
        **{name: f"{length * scale:.3g} um" for name, length in LENGTHS_UM.items()},
        "nuclei_correction": f"{CORRECTION * threshold:.3g}",
        "nuclei_bounds": f"{_plain(least)}-1",
        **(
            {"cells_bounds": "{}-{}".format(*map(_plain, _cell_bounds(seen)))} if "cells_level" in seen.estimate else {}
        ),
    }


def _scale(seen: Seen) -> tuple[float, dict[str, str]]:
    """Return what the default lengths are multiplied by, and the size of a pixel that is to be set with them.

    Where nobody knows the size of a pixel it is taken from the nuclei: then all lengths follow, also those without a
    setting.
    """
    width = seen.estimate["width_px"]
    bits = {"camera_bits": str(seen.bits)} if seen.bits < FULL_BITS else {"camera_bits": AUTO}
    usual = LEAST_FIT_UM <= width * (seen.pixel_um or CPJUMP1_PIXEL_UM) <= MOST_FIT_UM
    if usual:
        return 1.0, bits
    if seen.pixel_um:
        return width * seen.pixel_um / USUAL_UM, bits
    return 1.0, {**bits, "pixel_um": f"{USUAL_UM / width:.3g}"}


def _least_bound(seen: Seen) -> float:
    """Return the least that the threshold of nuclei may be: CPJUMP1's unless images have a lower one by themselves."""
    by_itself = seen.level("nuclei_threshold") * CORRECTION
    if by_itself >= LEAST_BOUND * CLEAR_OF_BOUND:
        return LEAST_BOUND
    return max(by_itself * OF_THRESHOLD, min(by_itself / CLEAR_OF_BOUND, NOISE_TIMES * seen.level("nuclei_noise")))


def _cell_bounds(seen: Seen) -> tuple[float, float]:
    """Return the limits of the threshold of cells: CPJUMP1's if those lie between background and cell."""
    background, level = seen.level("cells_background"), seen.level("cells_level")
    threshold = min(max(seen.level("cells_threshold"), CELL_BOUNDS[0]), CELL_BOUNDS[1])
    parts = [background + part * (level - background) for part in FITTING_PARTS]
    if level <= background or parts[0] <= threshold <= parts[1]:
        return CELL_BOUNDS
    low, high = (background + part * (level - background) for part in CELL_PARTS)
    return min(low, 1.0), min(high, 1.0)


def _plain(value: float) -> str:
    """Return a number from 0 to 1 without an exponent, of two digits that count."""
    text = f"{float(f'{min(value, 1.0):.2g}'):.7f}".rstrip("0")
    return text.removesuffix(".") or "0"

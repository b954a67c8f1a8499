"""What is found of a plate's nuclei and cells, held against what is to be expected; each doubt names a setting.

A doubt is of the plate, not of a site: at least half of the sites that it can be asked of give rise to it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.workflow.segmentation import CPJUMP1_PIXEL_UM, NONE

Site = Mapping[str, float | None]
SUSPICIOUS = "suspicious cells: "
NEAR_LEAST, NEAR_MOST = 2.3, 0.85
"""Nuclei of the right range have medians of 2.7 times the least (the demo) and 0.6 of the most (CPJUMP1) at most."""
MOST_TOUCHING = 0.5
LEAST_SOLIDITY, LEAST_FORM, MOST_ECCENTRIC = 0.9, 0.6, 0.9
LEAST_CELL, MOST_CELL = 1.1, 15.0
"""How many times as large as its nucleus a cell is."""
ANY_SIZE = "0,1e9"
"""The range of nuclei that nobody asked for: label images have the size that they have."""
AT_BOUND = 1.001
FEW_SITES = 16
"""From fewer, the cells themselves show in what is taken for the illumination."""


@dataclass(frozen=True)
class Expected:
    """What `measure` was told (segmentation.numbers), and how long a pixel is if that is known."""

    told: Mapping[str, str]
    pixel_um: float | None
    illuminated: int | None = None
    """From how many sites the illumination was estimated, if that is known."""
    greatest: Mapping[str, int] = field(default_factory=dict)
    """The greatest value of each channel, if that is known."""

    def range(self, name: str) -> tuple[float, float]:
        """Return the least and the most that a setting says."""
        least, most = map(float, self.told[name].split(","))
        return least, most

    @property
    def sizes(self) -> str:
        """Return the settings that say how large nuclei are, and what they come to."""
        least, most = self.range("nucleus_diameter")
        known = f"{self.pixel_um:.4g} um" if self.pixel_um else "not known, so taken for 0.598 um as in CPJUMP1"
        told = f"{least:g}-{most:g} px ({self.in_um(least)}-{self.in_um(most)} um)"
        return f"[cells] nucleus_diameter comes to {told}; [cells] pixel_um (um) is {known}"

    def in_um(self, pixels: float) -> str:
        """Return a length in micrometres, by the size of a pixel that was taken."""
        return f"{pixels * (self.pixel_um or CPJUMP1_PIXEL_UM):.3g}"

    def wide(self, pixels: float) -> str:
        """Return how wide something is, in both units."""
        return f"{pixels:.3g} px ({self.in_um(pixels)} um) wide"

    @property
    def camera(self) -> str:
        """Return the setting of the camera's range, and what it came to."""
        return f"camera_bits (bits), which came to {self.told['camera_bits']}"


def doubts(sites: Sequence[Site], expected: Expected) -> list[str]:
    """Return what is suspicious of a plate's sites, in words; nothing of a plate without a site."""
    found = [f"{SUSPICIOUS}{text}" for text in _found(sites, expected)] if sites else []
    if found and expected.illuminated is not None and expected.illuminated < FEW_SITES:
        found.append(
            f"{SUSPICIOUS}the illumination was estimated from {expected.illuminated} sites only: cells may show in it. "
            "Measure more sites, or look at the outlines with this in mind"
        )
    return found


def of_masks(doubt: str) -> str:
    """Return a doubt about objects that a person gave: what is seen, and where to look instead of what to set."""
    return f"{doubt.partition('. ')[0]}. Look at the label images in [measure] labels (docs/segmentation.md)"


def summary(sites: Sequence[Site]) -> dict[str, float]:
    """Return the median over sites of all that is looked at."""
    names = sites[0] if sites else {}
    values = {name: [site[name] for site in sites if site.get(name) is not None] for name in names}
    return {name: round(statistics.median(known), 4) for name, each in values.items() if (known := _known(each))}


def _found(sites: Sequence[Site], expected: Expected) -> Iterator[str]:
    least, most = expected.range("nucleus_diameter")
    found = summary(sites)
    if _mostly(sites, "nuclei", lambda count: count == 0):
        yield (
            "at least half of the sites have no nucleus. Lower [cells] nuclei_bounds (0 to 1), check nuclei_channel "
            f"and {expected.camera}; {expected.sizes}"
        )
    if _mostly(sites, "median", lambda width: width < NEAR_LEAST * least):
        yield f"nuclei are {expected.wide(found['median'])}, close to the least. {expected.sizes}: set them as they are"
    if _mostly(sites, "median", lambda width: width > NEAR_MOST * most):
        yield (
            f"nuclei are {expected.wide(found['median'])}, close to the most: larger ones are left out, or cut in "
            f"pieces. {expected.sizes}: set them as they are"
        )
    yield from _shapes(sites, found)
    yield from _thresholds(sites, expected)
    yield from _cells(sites, expected)
    yield from _camera(expected)


def _shapes(sites: Sequence[Site], found: Mapping[str, float]) -> Iterator[str]:
    if _mostly(sites, "touching", lambda share: share > MOST_TOUCHING):
        yield (
            f"{found['touching']:.0%} of the nuclei touch another one, as pieces do. Raise [cells] declump_distance "
            "and declump_smoothing (um), or check pixel_um (um)"
        )
    for name, wrong in (
        ("solidity", lambda value: value < LEAST_SOLIDITY),
        ("form", lambda value: value < LEAST_FORM),
        ("eccentricity", lambda value: value > MOST_ECCENTRIC),
    ):
        if _mostly(sites, name, wrong):
            yield (
                f"nuclei are ragged or oblong ({name} {found[name]:.2f}). Raise [cells] nuclei_smoothing (um) or "
                "nuclei_correction, and check pixel_um (um) and the focus"
            )
            return


def _thresholds(sites: Sequence[Site], expected: Expected) -> Iterator[str]:
    least, most = expected.range("nuclei_bounds")
    if least and _mostly(sites, "threshold_nuclei", lambda value: value <= least * AT_BOUND):
        yield (
            f"the threshold of nuclei is at its least, {least:g}: darker ones are missed. Lower [cells] nuclei_bounds "
            f"(0 to 1 of the camera's range), or set {expected.camera}"
        )
    if most < 1 and _mostly(sites, "threshold_nuclei", lambda value: value >= most / AT_BOUND):
        yield f"the threshold of nuclei is at its most, {most:g}. Raise [cells] nuclei_bounds (0 to 1)"


def _cells(sites: Sequence[Site], expected: Expected) -> Iterator[str]:
    ratios: list[Site] = [
        {"ratio": (site["covered_cells"] or 0) / site["covered_nuclei"]} for site in sites if site["covered_nuclei"]
    ]
    if expected.told["cells_channel"] == NONE or not ratios:
        return
    median = summary(ratios)["ratio"]
    if _mostly(ratios, "ratio", lambda value: value < LEAST_CELL):
        yield (
            f"cells are hardly larger than their nuclei ({median:.2f} times). Lower [cells] cells_bounds (0 to 1), "
            f"check cells_channel, or set it to {NONE}"
        )
    if _mostly(ratios, "ratio", lambda value: value > MOST_CELL):
        yield (
            f"cells are {median:.0f} times as large as their nuclei: most nuclei are missed, or the background is "
            f"taken for cells. Raise [cells] cells_bounds (0 to 1); {expected.sizes}"
        )


def _camera(expected: Expected) -> Iterator[str]:
    bits = int(expected.told["camera_bits"])
    above = [channel for channel, most in expected.greatest.items() if most >= 2**bits]
    if above:
        yield (
            f"channel {above[0]} has pixels above {2**bits - 1:,}, which are all taken for white. Raise [cells] "
            "camera_bits (bits), or take it away where [images] scale says what is white"
        )


def _mostly(sites: Sequence[Site], name: str, wrong: Callable[[float], bool]) -> bool:
    """Say whether a value is wrong on at least half of the sites that have it."""
    values = _known([site.get(name) for site in sites])
    return bool(values) and 2 * sum(map(wrong, values)) >= len(values)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]

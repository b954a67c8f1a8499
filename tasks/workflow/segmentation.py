"""How nuclei and cells are found: [cells] of luigi.cfg, as numbers of a plate's own pixels, which `measure` takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tasks.dataset import planes
from tasks.errors import SettingsError
from tasks.settings import forms, settings, sizes
from tasks.settings.parameters import AUTO, Choice, Number, Switch, Text, Whole
from tasks.settings.settings import setting
from tasks.stage_tasks.stage import StageTask

CPJUMP1_PIXEL_UM = 0.598
"""20x, and the camera's pixels joined two by two."""
LEAST_PIXEL_UM, MOST_PIXEL_UM = 0.02, 20.0
"""What an instrument tells beyond these is no size of a pixel, but says that nobody calibrated it."""
NONE = "none"
LEAST_CHANNELS = 2
"""Our pipeline measures how channels lie on one another."""
FULL_BITS = 16
FULL_SCALES = {1023: 10, 4095: 12, 16383: 14}
"""The value of white -> the bits of a camera that writes them into files of 16 bits."""
WHITE = 65535
"""The greatest value of files of 16 bits; of others, and of those that say what is white, illumination notes it too."""
SURELY_12_BITS = 4095
"""No plate of a camera of more bits is so dark in all channels."""
THRESHOLDS = ("minimum_cross_entropy", "otsu", "robust_background")
FILLED = "$("
"""What a template holds where these settings are filled in."""


def cells(name: str, kind: Any, default: Any, **how: Any) -> Any:
    """Return the parameter of a setting of [cells]: in the fingerprint is what it comes to, not how it is written."""
    return setting("cells", name, kind, default=default, significant=False, **how)


LENGTH = {"kind": Text, "form": "a length, as 6 um or 10 px", "check": sizes.size}
LENGTHS = {"kind": Text, "form": "two lengths, as 6-45 um or 10-75 px", "check": sizes.between}
BOUNDS = {"kind": Text, "form": "two numbers from 0 to 1, as 0.014-1", "check": sizes.bounds}


class Segmented(StageTask):
    """A stage that finds nuclei and cells."""

    nuclei_channel = cells("nuclei_channel", Text, "DNA", form="the name of a channel")
    cells_channel = cells("cells_channel", Text, "RNA", form=f"the name of a channel, or {NONE}")
    cell_ring = cells("cell_ring", default="6 um", **LENGTH)
    pixel_um = cells("pixel_um", Number, AUTO, least=0.01, most=100, unit="um")
    camera_bits = cells("camera_bits", Whole, AUTO, least=8, most=FULL_BITS, unit="bits")
    nucleus_diameter = cells("nucleus_diameter", default="6-45 um", **LENGTHS)
    border_nuclei = cells("border_nuclei", Choice, "discard", choices=["discard", "keep"])
    declump = cells("declump", Choice, "shape", choices=["shape", "intensity", NONE])
    declump_smoothing = cells("declump_smoothing", default="4.2 um", **LENGTH)
    declump_distance = cells("declump_distance", default="4.8 um", **LENGTH)
    nuclei_smoothing = cells("nuclei_smoothing", default="1.8 um", **LENGTH)
    nuclei_threshold = cells("nuclei_threshold", Choice, THRESHOLDS[0], choices=THRESHOLDS)
    nuclei_correction = cells("nuclei_correction", Number, 1.25, least=0.01, most=100)
    nuclei_bounds = cells("nuclei_bounds", default="0.014-1", **BOUNDS)
    cells_threshold = cells("cells_threshold", Choice, THRESHOLDS[0], choices=THRESHOLDS)
    cells_correction = cells("cells_correction", Number, 1.0, least=0.01, most=100)
    cells_bounds = cells("cells_bounds", default="0.005-0.014", **BOUNDS)
    scale_texture = cells("scale_texture", Switch, False)
    label_images = cells("label_images", Switch, False)

    @property
    def known_pixel_um(self) -> float | None:
        """Return how long a pixel is, in micrometres, or None if neither a setting nor the instrument says so."""
        if self.pixel_um != AUTO:
            return float(self.pixel_um)
        told = float(told_of(self.batch_id, self.plate).get("pixel_um") or 0)
        return told if LEAST_PIXEL_UM <= told <= MOST_PIXEL_UM else None

    def segmentation(self, greatest: Mapping[str, int]) -> dict[str, str]:
        """Return what the program is told; `greatest` is the greatest value of each channel, if it is known."""
        given = {name: getattr(self, name) for name in names(type(self))}
        auto = self.camera_bits == AUTO or fill_their_files(greatest)
        bits = camera_bits(greatest) if auto else int(self.camera_bits)
        return numbers(given, self.known_pixel_um or CPJUMP1_PIXEL_UM, bits)

    def about_camera(self, greatest: Mapping[str, int]) -> list[str]:
        """Return what a person should know of how the range of the camera was taken."""
        bits = int(self.segmentation(greatest)["camera_bits"])
        if self.camera_bits == AUTO and bits < FULL_BITS:
            return [
                f"[cells] camera_bits = auto came to {bits} on this plate; set it, so that a sample and all plates of "
                "a batch are taken alike"
            ]
        if self.camera_bits not in (AUTO, bits):
            return [
                f"[cells] camera_bits = {self.camera_bits} is not used on this plate: its files have 8 bits, say "
                "themselves what is white, or are full in all channels"
            ]
        return []

    def check_channels(self, listed: str) -> None:
        """Raise SettingsError if nuclei or cells are to be found in a channel that the plate has not.

        `listed` is [load_data] channels, which names those of a plate that add-plate did not lay.
        """
        added = added_channels(self.batch_id, self.plate)
        known = added or forms.channel_names(listed)
        there = [name for name in known if name != forms.LEFT_OUT]
        if len(there) < LEAST_CHANNELS:
            raise SettingsError(_too_few(there, "add-plate --channels" if added else "[load_data] channels"))
        for what, name in (("nuclei", self.nuclei_channel), ("cells", self.cells_channel)):
            if name not in known and (what, name) != ("cells", NONE):
                where = "add-plate --channels" if added else "[load_data] channels"
                raise SettingsError(no_channel(what, name, known, where))


def names(kind: type[StageTask]) -> list[str]:
    """Return the names of the settings of [cells]."""
    return [name for name, _ in kind.get_params() if name in vars(Segmented)]


def plain() -> dict[str, str]:
    """Return what the program is told of CPJUMP1's own images: with that, earlier results stay complete."""
    defaults = {name: how._default for name, how in Segmented.get_params() if name in vars(Segmented)}
    return numbers(defaults, CPJUMP1_PIXEL_UM, FULL_BITS)


def numbers(given: Mapping[str, Any], pixel_um: float, bits: int) -> dict[str, str]:
    """Return the settings as the program takes them: lengths in pixels, ranges by a comma."""

    def length(name: str) -> float:
        return sizes.pixels(*sizes.size(given[name]), pixel_um)

    least, most, unit = sizes.between(given["nucleus_diameter"])
    as_they_are = ("nuclei_channel", "cells_channel", "border_nuclei", "declump", "nuclei_threshold", "cells_threshold")
    return {
        **{name: str(given[name]) for name in as_they_are},
        "scale": f"{CPJUMP1_PIXEL_UM / pixel_um:.3g}",
        **{name: str(given[name]).lower() for name in ("scale_texture", "label_images")},
        "camera_bits": str(bits),
        "nucleus_diameter": ",".join(str(round(sizes.pixels(each, unit, pixel_um))) for each in (least, most)),
        **{name: str(max(1, round(length(name)))) for name in ("cell_ring", "declump_smoothing")},
        **{name: f"{length(name):.1f}" for name in ("declump_distance", "nuclei_smoothing")},
        **{name: f"{float(given[name]):g}" for name in ("nuclei_correction", "cells_correction")},
        **{name: "{:g},{:g}".format(*sizes.bounds(given[name])) for name in ("nuclei_bounds", "cells_bounds")},
    }


def camera_bits(greatest: Mapping[str, int]) -> int:
    """Return how many bits the camera had whose images have these greatest values; all 16 unless it is clear."""
    most = max(greatest.values(), default=0)
    if not most or most > max(FULL_SCALES):
        return FULL_BITS
    return FULL_SCALES.get(most, 12 if most <= SURELY_12_BITS else FULL_BITS)


def fill_their_files(greatest: Mapping[str, int]) -> bool:
    """Say whether the images of all channels reach white as they are: they have 8 bits, or say what white is."""
    return min(greatest.values(), default=0) == WHITE


def is_filled(pipeline: Path) -> bool:
    """Say whether a pipeline is a template that these settings are filled into."""
    return FILLED in pipeline.read_text(encoding="utf-8", errors="replace")


def told_of(batch: str, plate: str) -> dict[str, Any]:
    """Return what is known of a plate that was added where its instrument exported it; nothing of others."""
    given = settings.load()
    added = not given.store.url and planes.index_of(given.layout, batch, plate)  # of a bucket only names are here
    return planes.facts(given.layout, batch, plate) if added else {}


def added_channels(batch: str, plate: str) -> list[str]:
    """Return the names that the channels of such a plate have; none of others."""
    return list(told_of(batch, plate).get("channels", {}).values())


def _too_few(there: Collection[str], where: str) -> str:
    return (
        f"the plate has one channel only ({', '.join(there) or 'none'}, by {where}), and the pipeline that comes with "
        "the toolkit measures how channels lie on one another: give a pipeline of your own, luigi.cfg [measure] "
        "pipeline = mine.cppipe (docs/segmentation.md)"
    )


def no_channel(what: str, name: str, known: Collection[str], where: str) -> str:
    """Return the error's text for a channel of nuclei or cells that a plate has not."""
    there = [each for each in known if each != forms.LEFT_OUT]
    ring = f", or {NONE} (rings around the nuclei)" if what == "cells" else ""
    return (
        f"luigi.cfg [cells] {what}_channel = {name}: no channel is called so ({where}); {what} are found "
        f"in one of {', '.join(there)}{ring}"
    )

"""What luigi.cfg has to say before an added plate can be measured, and does not say yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stagekit.planes import PROJECTIONS

from tasks.commands.added import Added
from tasks.instruments.plate import FoundPlate
from tasks.settings.settings import default_of
from tasks.workflow import proposals
from tasks.workflow.image_analysis import Measure
from tasks.workflow.import_images import ImportImages
from tasks.workflow.segmentation import LEAST_CHANNELS, NONE


@dataclass(frozen=True)
class OpenSetting:
    """A setting to make: a value that can be measured with, and what else may stand there."""

    section: str
    name: str
    value: str
    others: str

    def __str__(self) -> str:
        return f"[{self.section}] {self.name} = {self.value}, {self.others}"


def of_images(found: FoundPlate) -> dict[str, str]:
    """Return the settings of [images] that a plate needs: the middle plane and the first time point are proposed."""
    z, times = found.numbers("z"), found.numbers("time")
    middle = {"z": str(z[len(z) // 2])} if len(z) > 1 else {}
    return middle | ({"time": str(times[0])} if len(times) > 1 else {})


def of_plate(each: Added) -> list[OpenSetting]:
    """Return the settings that a plate needs, and that luigi.cfg does not make."""
    return [*_images(each.found), *_channels(list(each.measured.values()))]


def _images(found: FoundPlate) -> Iterator[OpenSetting]:
    for name, value in of_images(found).items():
        allowed = {*map(str, found.numbers(name)), *(PROJECTIONS if name == "z" else ())}
        if default_of(ImportImages, name) not in allowed:
            others = f"or another of them, or {', '.join(PROJECTIONS)}" if name == "z" else "or another of them"
            yield OpenSetting("images", name, value, f"{others}: one image is measured")


def _channels(names: Sequence[str]) -> Iterator[OpenSetting]:
    """Yield the channels that our pipeline looks for and the plate has not; one of the user's has its own."""
    if not names or default_of(Measure, "pipeline"):
        return
    listed = ", ".join(names)
    if len(names) < LEAST_CHANNELS:
        yield OpenSetting("measure", "pipeline", "mine.cppipe", "for our own pipeline needs two channels")
    nuclei, cells = str(default_of(Measure, "nuclei_channel")), str(default_of(Measure, "cells_channel"))
    for_nuclei, for_cells = proposals.roles(names, nuclei, cells)
    if nuclei not in names:
        told = for_nuclei if for_nuclei in names else next((name for name in names if name != for_cells), names[0])
        yield OpenSetting("cells", "nuclei_channel", told, f"or where else nuclei are seen, of {listed}")
    if cells not in (*names, NONE):
        yield OpenSetting("cells", "cells_channel", for_cells, f"or where whole cells are seen, of {listed}")

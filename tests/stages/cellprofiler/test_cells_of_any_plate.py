"""Drawn plates at several magnifications and bit depths: right settings find their cells, wrong ones are suspicious.

Each plate is one site, and what is not needed to find cells is not measured.
"""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tifffile

from tasks.workflow import expectation, segmentation
from tests.stages.cellprofiler.drawn_sites import Drawn, draw
from tests.stages.cellprofiler.plates import FOLDER, PLATE, Plate, Programs

MEASURED_ONLY = ("Colocalization", "Granularity", "ObjectIntensity", "ObjectIntensityDistribution", "Texture")
STAINS = ("Hoechst", "ConA", "Syto", "Phalloidin", "Mito", "Lipids")
CPJUMP1 = {"nuclei_channel": "DNA", "cells_channel": "RNA"}
HOECHST = {"nuclei_channel": "Hoechst", "cells_channel": "Syto"}
PIXELS = {"10x": 1.196, "20x": 0.598, "40x": 0.299}


class Case(NamedTuple):
    """A plate's images, and how its cells are looked for."""

    drawn_at: str
    bits: int
    set_to: str
    set_bits: int
    channels: tuple[str, ...] = ("DNA", "RNA")
    roles: Mapping[str, str] = CPJUMP1


RIGHT = {
    "20x": Case("20x", 16, "20x", 16),
    "10x": Case("10x", 16, "10x", 16),
    "40x": Case("40x", 16, "40x", 16),
    "12 bits": Case("20x", 12, "20x", 12),
    "8 bits": Case("20x", 8, "20x", 16),
    "6 channels of other names": Case("20x", 16, "20x", 16, STAINS, HOECHST),
    "no channel of cells": Case("20x", 16, "20x", 16, STAINS[:1] + STAINS[3:], {**HOECHST, "cells_channel": "none"}),
}
WRONG = {
    "10x taken for 20x": (Case("10x", 16, "20x", 16), "pixel_um"),
    "40x taken for 20x": (Case("40x", 16, "20x", 16), "pixel_um"),
    "20x taken for 40x": (Case("20x", 16, "40x", 16), "pixel_um"),
    "12 bits taken for 16": (Case("20x", 12, "20x", 16), "camera_bits"),
}


class Found(NamedTuple):
    """What is there, and what was found of it."""

    drawn: Drawn
    nuclei: list[float]
    cells: int
    doubts: list[str]


def find(programs: Programs, folder: Path, case: Case, engine: str = "fast") -> Found:
    """Draw a plate, look for its cells, and hold what is found against what is to be expected."""
    drawn = draw(PIXELS[case.drawn_at])
    plate = laid(folder / "plate", case, drawn)
    given = {name: how._default for name, how in segmentation.Segmented.get_params() if name in _OWN}
    told = segmentation.numbers({**given, **case.roles, "label_images": True}, PIXELS[case.set_to], case.set_bits)
    outcome = programs.measure(plate, folder / "out", pipeline=lean(folder), cells=told, engine=engine)
    assert outcome.code == 0, outcome.stderr
    site = outcome.analysis / f"{PLATE}-A01-1"
    assert labelled(site) == {name: measured(site / f"{name}.csv") for name in ("Nuclei", "Cells", "Cytoplasm")}
    nuclei, cells = (rows(site / f"{name}.csv") for name in ("Nuclei", "Cells"))
    objects = outcome.facts()["objects"]
    return Found(
        drawn,
        [float(row["AreaShape_Area"]) for row in nuclei],
        len(cells),
        expectation.doubts(list(objects.values()), expectation.Expected(told, None)),
    )


_OWN = segmentation.names(segmentation.Segmented)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as source:
        return list(csv.DictReader(source))


def measured(path: Path) -> dict[int, float]:
    """Return the area of each object by its number, as its table tells."""
    return {int(row["ObjectNumber"]): float(row["AreaShape_Area"]) for row in rows(path)}


def labelled(site: Path) -> dict[str, dict[int, float]]:
    """Return the area of each object by its number, as the label images of a site show."""
    files = {"Nuclei": "nuclei", "Cells": "cell", "Cytoplasm": "cytoplasm"}
    found = {}
    for name, file in files.items():
        numbers, areas = np.unique(tifffile.imread(site / "labels" / f"A01_s1--{file}_labels.tiff"), return_counts=True)
        found[name] = {int(number): float(area) for number, area in zip(numbers, areas, strict=True) if number}
    return found


class Named(Plate):
    """A plate whose channels have any names."""

    def image(self, well: str, site: str, channel: str) -> Path:
        return self.images / f"{well}_{site}_{channel}.tiff"


def laid(folder: Path, case: Case, drawn: Drawn) -> Plate:
    """Write the plate of one site."""
    plate = Named(folder, case.channels, (("A01", "1"),))
    plate.images.mkdir(parents=True)
    plate.illumination.mkdir()
    for channel in case.channels:
        pixels = drawn.image("nuclei" if channel == case.roles["nuclei_channel"] else "cells", case.bits)
        tifffile.imwrite(plate.image("A01", "1", channel), pixels)
        np.save(plate.illumination / f"{PLATE}_Illum{channel}.npy", np.ones(pixels.shape, np.float32))
    plate.write_tables()
    return plate


def lean(folder: Path) -> Path:
    """Write our template without the modules that only measure."""
    head, *modules = re.split(r"\n(?=\w+:\[module_num)", (FOLDER / "pipelines/analysis.cppipe").read_text())
    left_out = {f"Measure{name}" for name in MEASURED_ONLY}
    path = folder / "lean.cppipe"
    path.write_text("\n".join([head, *(module for module in modules if module.split(":")[0] not in left_out)]))
    return path


@pytest.mark.parametrize("case", RIGHT.values(), ids=RIGHT)
def test_right_settings_find_the_cells_and_nothing_is_suspicious(programs: Programs, tmp_path: Path, case: Case):
    found = find(programs, tmp_path, case)
    known = len(found.drawn.areas)

    assert abs(len(found.nuclei) - known) <= 0.05 * known
    assert found.cells == len(found.nuclei)
    assert statistics.median(found.nuclei) == pytest.approx(statistics.median(found.drawn.areas), rel=0.2)
    assert found.doubts == []


@pytest.mark.parametrize(("case", "setting"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_told_with_the_setting(programs: Programs, tmp_path: Path, case: Case, setting: str):
    found = find(programs, tmp_path, case)

    assert any(setting in doubt for doubt in found.doubts)


def test_the_stock_engine_takes_the_same_settings(programs: Programs, tmp_path: Path):
    by = {}
    for engine in ("fast", "stock"):
        (tmp_path / engine).mkdir()
        by[engine] = find(programs, tmp_path / engine, RIGHT["10x"], engine)

    assert by["fast"].nuclei == pytest.approx(by["stock"].nuclei)

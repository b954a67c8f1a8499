"""Label images in place of our nuclei and cells: the same objects have the same values, and bad ones are refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.stages.cellprofiler.plates import PLATE, Outcome, Plate, Programs, make_plate

TABLES = ("Nuclei", "Cells", "Cytoplasm")
SITES = ("A01-1", "B02-1")
BY_NEIGHBOURS = re.compile(r"(Nuclei|Cells)?_?Neighbors_")


def table(analysis: Path, site: str, name: str) -> list[dict[str, str]]:
    with open(analysis / f"{PLATE}-{site}" / f"{name}.csv", newline="") as source:
        return list(csv.DictReader(source))


def differing(first: Path, second: Path) -> set[str]:
    """Return the features whose values differ between two measurements, of any object."""
    found = set()
    for site in SITES:
        for name in TABLES:
            pairs = list(zip(table(first, site, name), table(second, site, name), strict=True))
            assert all(ours.keys() == theirs.keys() for ours, theirs in pairs)
            found |= {f"{name}_{key}" for ours, theirs in pairs for key in ours if ours[key] != theirs[key]}
    return found


@pytest.mark.parametrize("border", ["keep", "discard"])
def test_measuring_masks_equals_measuring_the_same_objects(programs: Programs, tmp_path: Path, border: str) -> None:
    plate = make_plate(tmp_path / "plate")
    told = {"border_nuclei": border, "label_images": "true"}
    ours = programs.measure(plate, tmp_path / "ours", cells=told)
    taken = programs.import_masks(plate, ours.analysis, tmp_path / "masks")
    theirs = programs.measure(plate, tmp_path / "theirs", cells=told, masks=taken.files)

    assert (ours.code, taken.code, theirs.code) == (0, 0, 0), ours.stderr + taken.stderr + theirs.stderr
    assert sum(len(table(ours.analysis, site, "Cells")) for site in SITES) >= 6
    assert {name for name in differing(ours.analysis, theirs.analysis) if "_Neighbors_" not in name} == set()
    if border == "keep":
        assert differing(ours.analysis, theirs.analysis) == set()

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


def squares(*corners: tuple[int, int], side: int = 20) -> np.ndarray:
    """Return a label image with a square at each corner, numbered from 1."""
    labels = np.zeros((128, 128), np.uint16)
    for number, (top, left) in enumerate(corners, start=1):
        labels[top : top + side, left : left + side] = number
    return labels


NUCLEI = squares((10, 10), (60, 60), (10, 80))
CELLS = squares((5, 75), (5, 5), (55, 55), side=32)
GOOD = {"A01_s1--nuclei_labels.tiff": NUCLEI, "B02_s1--nuclei_labels.tiff": NUCLEI}
WITH_CELLS = GOOD | {name.replace("nuclei", "cell"): CELLS for name in GOOD}


def lay(folder: Path, files: dict[str, np.ndarray]) -> Path:
    for name, labels in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            path.write_bytes(imagecodecs.png_encode(labels))
        else:
            tifffile.imwrite(path, labels)
    return folder


@pytest.fixture
def take(programs: Programs, tmp_path: Path) -> Callable[..., Outcome]:
    """Return what takes over the label images that are given as files."""
    plate: Plate = make_plate(tmp_path / "plate")

    def act(files: dict[str, np.ndarray], **how: str) -> Outcome:
        return programs.import_masks(plate, lay(tmp_path / "labels", files), tmp_path / "masks", **how)

    return act


def taken(outcome: Outcome) -> dict[str, np.ndarray]:
    assert outcome.code == 0, outcome.stderr
    return {path.stem: tifffile.imread(path) for path in sorted(outcome.files.glob("*.tiff"))}


def test_a_cell_gets_the_number_of_its_nucleus(take: Callable[..., Outcome]) -> None:
    found = taken(take(WITH_CELLS))

    assert set(found) == {f"{site}_{kind}" for site in SITES for kind in ("nuclei", "cells")}
    assert np.array_equal(found["A01-1_nuclei"], NUCLEI)
    for number in (1, 2, 3):
        assert set(found["A01-1_cells"][number == NUCLEI]) == {number}


def test_numbers_with_gaps_of_any_type_become_numbers_without(take: Callable[..., Outcome]) -> None:
    gaps = np.array([0, 90_000, 7, 500], np.int32)[NUCLEI]
    found = taken(take(dict.fromkeys(GOOD, gaps)))["A01-1_nuclei"]

    assert found.dtype == np.uint16
    assert [int(found[gaps == number].min()) for number in (7, 500, 90_000)] == [1, 2, 3]


NAMED = {
    "after the image": ("{nuclei}_cp_masks.png", "{cells}_cp_masks.png"),
    "in folders of their own": ("nuclei/{cells}.tif", "cells/{cells}.tif"),
    "with words of their own": ("cellpose/{nuclei}_nuclei.png", "cellpose/{nuclei}_cells.png"),
}


@pytest.mark.parametrize("names", NAMED.values(), ids=NAMED)
def test_a_label_image_may_have_the_name_of_its_image(take: Callable[..., Outcome], names: tuple[str, str]) -> None:
    images = {"nuclei": "{}-ch5sk1fk1fl1", "cells": "{}-ch3sk1fk1fl1"}
    files = {}
    for site in ("r01c01f01p01", "r02c02f01p01"):
        stems = {kind: image.format(site) for kind, image in images.items()}
        files |= {names[0].format(**stems): NUCLEI, names[1].format(**stems): CELLS}
    found = taken(take(files))

    assert [int(found[f"B02-1_{kind}"].max()) for kind in ("nuclei", "cells")] == [3, 3]


LONE_CELL = WITH_CELLS | {"A01_s1--cell_labels.tiff": np.maximum(CELLS, 4 * (squares((100, 5)) > 0)).astype(np.uint16)}
BAD = {
    "another size": (GOOD | {"A01_s1--nuclei_labels.tiff": NUCLEI[:-1]}, "A01-1", "is 127 x 128.*images are 128 x 128"),
    "floats": (GOOD | {"B02_s1--nuclei_labels.tiff": NUCLEI.astype(np.float32)}, "B02-1", "float32.*whole numbers"),
    "below 0": (GOOD | {"A01_s1--nuclei_labels.tiff": -NUCLEI.astype(np.int16)}, "A01-1", "-3; objects are numbered"),
    "a mask of 0 and 1": (GOOD | {"A01_s1--nuclei_labels.tiff": (NUCLEI > 0).astype(np.uint8)}, "A01-1", "in 3 pieces"),
    "colour": (GOOD | {"A01_s1--nuclei_labels.tiff": np.dstack([NUCLEI] * 3)}, "A01-1", "one grey plane"),
    "a site without": ({"A01_s1--nuclei_labels.tiff": NUCLEI}, "B02-1", "no label image of its nuclei: B02_s1--nuclei"),
    "a site without cells": (GOOD | {"A01_s1--cell_labels.tiff": CELLS}, "B02-1", "no label image of its cells"),
    "two": (GOOD | {"A01_s1--nucleus.png": NUCLEI}, "A01-1", "both show its nuclei; keep one"),
    "a cell without nucleus": (LONE_CELL, "A01-1", "1 cells without a partner.*unpaired = leave_out"),
}


@pytest.mark.parametrize(("files", "site", "told"), BAD.values(), ids=BAD)
def test_bad_label_images_are_named_before_anything_is_measured(
    take: Callable[..., Outcome], files: dict[str, np.ndarray], site: str, told: str
) -> None:
    outcome = take(files)

    assert outcome.code == 65
    assert [unit for unit, state in outcome.units().items() if state == "failed"] == [site]
    assert re.search(f"{site}: .*{told}", outcome.stderr)


def test_an_object_without_a_partner_is_left_out_if_the_setting_says_so(take: Callable[..., Outcome]) -> None:
    outcome = take(LONE_CELL, unpaired="leave_out")
    found = taken(outcome)

    assert set(np.unique(found["A01-1_cells"])) == {0, 1, 2, 3}
    assert outcome.facts()["left_out"] == {"A01-1": "1 cells without a partner"}

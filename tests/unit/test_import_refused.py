"""Exports that are not whole are refused by name, or their bad site alone fails."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile
import zarr

from tasks.dataset import planes
from tasks.dataset.layout import Layout
from tasks.errors import ExportError
from tasks.instruments import export, plate, tiff
from tests import real_files
from tests.unit.conftest import AddPlate, Import
from tests.unit.drawn_exports import (
    BATCH,
    PLATE,
    ome_set,
    ome_tiff,
    pages,
    stack,
    zarr_2,
    zarr_3,
)


def remove_file(exported: Path) -> None:
    (exported / "site1_c1.ome.tif").unlink()


def remove_companion(exported: Path) -> None:
    (exported / "plate.companion.ome").unlink()


def cut_companion(exported: Path) -> None:
    path = exported / "plate.companion.ome"
    path.write_text(path.read_text()[:-200])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove_file, "1 files that OME-XML lists are not here, first site1_c1.ome.tif"),
        (remove_companion, "its description is in plate.companion.ome, which is not here"),
        (cut_companion, "its OME-XML cannot be read"),
    ],
)
def test_a_set_that_is_not_whole_is_refused_by_name(
    spoil: Callable[[Path], None], said: str, exported: Path, add_plate: AddPlate, added_to: Layout
) -> None:
    ome_set(exported)
    spoil(exported)
    code, _, error = add_plate("--yes")

    assert code == 1
    assert said in error
    assert planes.index_of(added_to, BATCH, PLATE) is None


def test_a_companion_file_without_its_images_is_refused_with_what_it_lists() -> None:
    (one,) = plate.plates(export.look(real_files.vendors() / "ome_tiff_companion_only"))

    assert one.planes == ()
    assert list(one.told.channels.values()) == ["Conf640", "Conf561", "Conf405"]
    assert (one.told.planes, one.told.magnification) == (33, None)
    assert any("lists 3 files, first c3_z33_w1Conf640.ome.tif" in note for note in one.notes)


def no_piece(root: Path) -> None:
    for path in (root / "A/01/1/0").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            path.unlink()


def empty_piece(root: Path) -> None:
    next(
        path for path in sorted((root / "A/01/1/0").rglob("*")) if path.is_file() and not path.name.startswith(".")
    ).write_bytes(b"")


@pytest.mark.parametrize("form", [zarr_2, zarr_3], ids=["0.4", "0.5"])
def test_pieces_of_an_array_that_are_not_there_are_counted_and_told(
    form: Callable[[Path, int], None], exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    form(exported, 1)
    pieces = [path for path in sorted((exported / "P1.zarr/A/01/1/0").rglob("*")) if path.is_file()]
    for path in [path for path in pieces if path.suffix != ".json" and not path.name.startswith(".")][:3]:
        path.unlink()
    code, printed, _ = add_plate("--yes")
    done = imported()

    assert code == 0
    assert "3 of 32 pieces of arrays are not here, in 1 arrays, first P1.zarr/A/01/1/0 (3 of 8)" in printed
    assert done.code == 0
    assert "3 pieces of 1 arrays, first A/01/1/0, are not there" in done.said


def two_rounds(root: Path) -> None:
    path = root / "A/01/.zattrs"
    path.write_text(
        json.dumps({"well": {"images": [{"path": "1", "acquisition": 0}, {"path": "2", "acquisition": 1}]}})
    )


def cut_json(root: Path) -> None:
    path = root / "B/12/.zattrs"
    path.write_text(path.read_text()[:-4])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_piece, "A/01/1/0: none of its"), (empty_piece, "is empty, as in a copy that was cut short"),
        (two_rounds, "well A01 has several measurements (acquisitions 0, 1)"), (cut_json, "no whole JSON"),
    ],
)  # fmt: skip
def test_an_ome_zarr_plate_that_is_not_whole_is_refused_by_name(
    spoil: Callable[[Path], None], said: str, exported: Path, add_plate: AddPlate, added_to: Layout
) -> None:
    zarr_2(exported, 1)
    spoil(exported / "P1.zarr")
    code, _, error = add_plate("--yes")

    assert code == 1
    assert said in error
    assert planes.index_of(added_to, BATCH, PLATE) is None


def test_an_ome_zarr_image_that_is_no_plate_is_refused_by_name(exported: Path) -> None:
    zarr.open_group(exported / "a.zarr", mode="w", zarr_format=2, attributes={"multiscales": []})

    with pytest.raises(ExportError, match="a.zarr is no OME-Zarr plate"):
        export.look(exported)


def test_a_missing_plane_is_named_and_its_site_fails(exported: Path, add_plate: AddPlate, imported: Import) -> None:
    pages(exported, 3)
    tifffile.imwrite(
        exported / "P1_B12_s2_w1.tif", stack("B12", 2, 2)[:, 0], photometric="minisblack", compression="zstd"
    )  # fmt: skip
    code, printed, _ = add_plate("--yes", "--channels", "1=DNA,2=RNA")
    done = imported("max")

    assert code == 0
    assert "channel 1 has 3 planes, 1 of its images have fewer: the first is plane 3 of B12, site 2" in printed
    assert done.code == 65
    assert done.units == {"A01-1": "ok", "A01-2": "ok", "B12-1": "ok", "B12-2": "failed"}
    assert "B12-2: channel DNA has not as many planes as at other sites" in done.said
    assert "1 sites cannot be imported; copy them again, or leave them out: [preflight] exclude" in done.said
    assert not list(done.images.glob("B12_s2_*"))
    assert imported("max", exclude="B12-2").units == dict.fromkeys(("A01-1", "A01-2", "B12-1"), "ok")


def test_a_file_that_is_cut_off_after_it_was_added_fails_its_site_by_name(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    ome_tiff(exported, 2)
    add_plate("--yes")
    path = exported / "P1_A01_s2.ome.tif"
    path.write_bytes(path.read_bytes()[:2000])
    done = imported("max")

    assert done.code == 65
    assert done.units["A01-2"] == "failed"
    assert "P1_A01_s2.ome.tif" in done.said


def test_a_file_that_still_grows_is_named(exported: Path, add_plate: AddPlate, monkeypatch: Any) -> None:
    ome_tiff(exported, 1)
    really = tiff.read

    def read(path: Path) -> tiff.Header:
        header = really(path)
        with open(path, "ab") as file:
            file.write(b"more")
        return header

    monkeypatch.setattr(tiff, "read", read)
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "it is still growing" in said


def test_thousands_of_thumbnails_are_passed_over_without_being_opened(
    exported: Path, add_plate: AddPlate, imported: Import, added_to: Layout
) -> None:
    pages(exported, 1)
    for number in range(3000):
        (exported / f"P1_A01_s1_w1_thumb{number}.tif").touch()
    code, printed, _ = add_plate("--yes", "--channels", "1=DNA,2=RNA")

    assert code == 0
    assert "3000 images: a thumbnail" in printed
    with open(added_to.planes(BATCH, PLATE), newline="") as table:
        assert len(list(csv.DictReader(table))) == 8

"""What a person laid under the data root is found, or named with what lies there instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.errors import BadNameError, MissingInputError, StageError, TableError
from tests.unit.fakes import BATCH, PLATE, lay_plate, lay_table

COLUMNS = ["Assay_Plate_Barcode", "Plate_Map_Name"]


@pytest.fixture
def tiffs(layout: Layout) -> Path:
    return lay_plate(layout)


def test_a_plates_images_are_found_by_its_barcode(layout: Layout, tiffs: Path) -> None:
    assert lookup.images(layout, BATCH, PLATE) == tiffs


def test_images_may_lie_without_the_folder_images(layout: Layout) -> None:
    folder = layout.image_folders(BATCH) / PLATE
    folder.mkdir(parents=True)

    assert lookup.images(layout, BATCH, PLATE) == folder


def test_a_plate_is_not_taken_for_another_that_begins_alike(layout: Layout, tiffs: Path) -> None:
    with pytest.raises(MissingInputError, match=rf"there is no plate 'BR0011701'; known: {PLATE}"):
        lookup.images(layout, BATCH, "BR0011701")


def test_an_unknown_plate_is_refused_with_those_that_lie_there(layout: Layout, tiffs: Path) -> None:
    with pytest.raises(MissingInputError) as failure:
        lookup.images(layout, BATCH, "BR1")

    assert str(failure.value) == f"{layout.image_folders(BATCH)}: there is no plate 'BR1'; known: {PLATE}"


def test_a_batch_without_images_is_told_how_to_lay_them(layout: Layout) -> None:
    with pytest.raises(MissingInputError, match="no plate's images lie here; lay them as <plate>__<time>") as failure:
        lookup.images(layout, "2020_B", PLATE)

    assert str(failure.value).startswith(str(layout.image_folders("2020_B")))


def test_several_measurements_of_a_plate_are_named(layout: Layout, tiffs: Path) -> None:
    second = f"{PLATE}__2020-11-09T00_00_00-Measurement2"
    (layout.image_folders(BATCH) / second).mkdir()

    with pytest.raises(
        MissingInputError, match=rf"{PLATE} has several measurements: .*Measurement1, {second}; keep one, or choose"
    ):
        lookup.images(layout, BATCH, PLATE)


def test_the_plates_of_a_batch_keep_their_order(layout: Layout) -> None:
    lay_table(layout.barcode_platemap(BATCH), ",", COLUMNS, [["P2", "M"], ["P1", "M"]])

    assert lookup.plates(layout, BATCH) == ["P2", "P1"]


def test_a_table_from_excel_is_read(layout: Layout) -> None:
    path = layout.barcode_platemap(BATCH)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xef\xbb\xbfAssay_Plate_Barcode,Plate_Map_Name\r\nP1,M\r\n")

    assert lookup.plates(layout, BATCH) == ["P1"]


def test_an_unknown_batch_is_refused_with_the_path(layout: Layout) -> None:
    with pytest.raises(
        MissingInputError, match=f"the list of plates of batch {BATCH} is not there; nor is its folder"
    ) as failure:
        lookup.plates(layout, BATCH)

    assert str(failure.value).startswith(str(layout.barcode_platemap(BATCH)))


def test_a_plate_list_of_another_form_is_refused_with_its_columns(layout: Layout) -> None:
    lay_table(layout.barcode_platemap(BATCH), ",", ["barcode", "map"], [["P1", "M"]])

    with pytest.raises(
        MissingInputError, match="needs the column Assay_Plate_Barcode, Plate_Map_Name; it has barcode, map"
    ):
        lookup.plates(layout, BATCH)


@pytest.mark.parametrize("text", ["P1\n", "P1,\n", ",M\n"], ids=["short", "no platemap", "no plate"])
def test_a_row_without_plate_or_platemap_is_refused_by_its_line(layout: Layout, text: str) -> None:
    path = layout.barcode_platemap(BATCH)
    path.parent.mkdir(parents=True)
    path.write_text(",".join(COLUMNS) + "\nP0,M\n" + text)

    with pytest.raises(TableError, match=r"barcode_platemap.csv: line 3: "):
        lookup.plates(layout, BATCH)


def test_a_plate_that_is_in_no_platemap_is_refused(layout: Layout, tiffs: Path) -> None:
    with pytest.raises(MissingInputError, match=rf"barcode_platemap.csv: there is no plate 'BR1'; known: {PLATE}"):
        lookup.platemap(layout, BATCH, "BR1")


def test_a_platemap_that_is_not_there_is_named_with_what_lies_there(layout: Layout, tiffs: Path) -> None:
    path = layout.platemap(BATCH, "JUMP_platemap")
    path.rename(path.with_name("other.txt"))

    with pytest.raises(MissingInputError) as failure:
        lookup.platemap(layout, BATCH, PLATE)

    assert str(failure.value) == f"{path}: the platemap of plate {PLATE} is not there; there lie: other.txt"


def test_the_external_metadata_is_named_after_the_platemap(layout: Layout, tiffs: Path) -> None:
    expected = layout.external_metadata("JUMP_metadata.tsv")

    assert lookup.external_metadata(layout, BATCH, PLATE, "{stem}_metadata.tsv") == expected
    assert lookup.external_metadata(layout, BATCH, PLATE, "JUMP_metadata.tsv") == expected


def test_external_metadata_that_is_not_there_is_named_with_the_setting(layout: Layout, tiffs: Path) -> None:
    path = layout.external_metadata("JUMP_platemap_x.tsv")
    with pytest.raises(MissingInputError) as failure:
        lookup.external_metadata(layout, BATCH, PLATE, "{platemap}_x.tsv")

    assert str(failure.value) == (
        f"{path}: the external metadata of plate {PLATE} ([dataset] external_metadata = {{platemap}}_x.tsv)"
        " is not there; there lie: JUMP_metadata.tsv; lay it there, or describe the plate by one table that needs no "
        "other (docs/plate_layouts.md)"
    )


@pytest.mark.parametrize("plate", ["../BR1", "BR 1", "BR1;ls", ""])
def test_a_bad_plate_name_is_refused(layout: Layout, tiffs: Path, plate: str) -> None:
    with pytest.raises(StageError):
        lookup.images(layout, BATCH, plate)
    with pytest.raises(BadNameError):
        lookup.platemap(layout, BATCH, plate)


def test_a_platemap_name_that_leaves_its_folder_is_refused(layout: Layout) -> None:
    lay_table(layout.barcode_platemap(BATCH), ",", COLUMNS, [[PLATE, "../../secret"]])

    with pytest.raises(TableError, match="line 2: Plate_Map_Name is '../../secret'"):
        lookup.platemap(layout, BATCH, PLATE)

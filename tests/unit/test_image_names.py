"""What [load_data] pattern catches in a name is a well, a site and a channel, or a fault that names the group."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.gallery import Gallery

TWO = "1=DNA,2=ER"


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gallery:
    return Gallery(tmp_path, monkeypatch, capsys)


def wells(gallery: Gallery, pattern: str) -> list[tuple[str, str]]:
    """Return well and site of every row of load_data.csv."""
    done = gallery.run(pattern=pattern, channels=TWO)

    assert done.code == 0, done.said
    return [(row["Metadata_Well"], row["Metadata_Site"]) for row in done.table("load_data.csv")]


@pytest.mark.parametrize(
    ("row", "column", "well"),
    [("A", "1", "A01"), ("p", "24", "P24"), ("AF", "48", "AF48"), ("1", "1", "A01"), ("032", "048", "AF48")],
)
def test_a_row_is_a_number_or_letters(row: str, column: str, well: str, gallery: Gallery) -> None:
    gallery.lay(f"{row}-{column}-1-1.tif")
    gallery.map(well)

    assert wells(gallery, r"(?P<row>\w+)-(?P<column>\d+)-(?P<site>\d)-(?P<channel>\d)\.tif") == [(well, "1")]


def test_without_a_group_for_sites_a_well_has_one(gallery: Gallery) -> None:
    gallery.lay("A01_1.tif", "A01_2.tif", "B02_1.tif", "B02_2.tif")
    gallery.map("A01", "B02")

    assert wells(gallery, r"(?P<well>\w+)_(?P<channel>\d)\.tif") == [("A01", "1"), ("B02", "1")]


def test_a_plate_of_1536_wells_is_listed_in_its_order(gallery: Gallery) -> None:
    names = ["A01", "B48", "Z01", "AA01", "AF48"]
    gallery.lay(*(f"{well}_s1_1.tif" for well in names))
    gallery.map(*names)

    assert [well for well, _ in wells(gallery, r"(?P<well>\w+)_s(?P<site>\d)_(?P<channel>\d)\.tif")] == names


FORM = r"(?P<row>\w*)-(?P<column>\w*)-(?P<site>\w*)-(?P<channel>\w)?\.tif"
WELLS = r"(?P<well>[^-]*)--(?P<site>\w*)-(?P<channel>\w)?\.tif"
BAD = {
    "no site": ("A-1--1.tif", FORM, "site", "empty"),
    "a site that is no number": ("A-1-x-1.tif", FORM, "site", "'x'"),
    "a site of other digits": ("A-1-\u0663-1.tif", FORM, "site", "'\u0663'"),
    "no row": ("-1-1-1.tif", FORM, "row", "empty"),
    "row 0": ("0-1-1-1.tif", FORM, "row", "'0'"),
    "a row beyond the letters": ("703-1-1-1.tif", FORM, "row", "'703'"),
    "three letters": ("ABC-1-1-1.tif", FORM, "row", "'ABC'"),
    "no column": ("A--1-1.tif", FORM, "column", "empty"),
    "column 0": ("A-0-1-1.tif", FORM, "column", "'0'"),
    "column 100": ("A-100-1-1.tif", FORM, "column", "'100'"),
    "a column that is no number": ("A-b-1-1.tif", FORM, "column", "'b'"),
    "no channel": ("A-1-1-.tif", FORM, "channel", "empty"),
    "no well": ("--1-1.tif", WELLS, "well", "empty"),
    "no such well": ("1A--1-1.tif", WELLS, "well", "'1A'"),
}


@pytest.mark.parametrize(("name", "pattern", "group", "text"), BAD.values(), ids=BAD)
def test_a_group_that_caught_what_cannot_be_used_is_a_fault_of_the_file(
    name: str, pattern: str, group: str, text: str, gallery: Gallery
) -> None:
    good = "A-1-1-1.tif" if pattern == FORM else "A01--1-1.tif"
    gallery.lay(good, name)
    gallery.map("A01")
    done = gallery.run(pattern=pattern, channels=TWO)
    (row,) = [row for row in done.table("preflight.tsv", "\t") if row["rule"] == "file_name"]

    assert done.code == 65
    assert (row["severity"], row["file"]) == ("error", name)
    assert row["said"].startswith(f"group {group} of [load_data] pattern is {text}: ")


LEFT = ["._A01_1.tif", ".hidden.tiff", "A01_1_thumb.tif", "A01_1_Thumb9F.TIF"]


def test_what_is_passed_over_is_listed_and_counted(gallery: Gallery) -> None:
    gallery.lay("A01_1.tif", *LEFT)
    (gallery.images / "Thumbs.db").touch()
    gallery.map("A01")
    done = gallery.run(pattern=r"(?P<well>[^_]+)_(?P<channel>\d).*\.tif", channels=TWO)

    assert done.code == 0, done.said
    assert done.faults == [("warning", "file_ignored", "", name) for name in sorted(LEFT)]
    assert any(str(each).startswith(f"{len(LEFT)} x file_ignored") for each in done.result["warnings"])


def test_what_is_passed_over_is_a_setting(gallery: Gallery) -> None:
    gallery.lay("A01_1.tif", "A01_2_thumb.tif", "overview.tif")
    gallery.map("A01")
    done = gallery.run(pattern=r"(?P<well>[^_]+)_(?P<channel>\d).*\.tif", channels=TWO, ignore="OVERVIEW.*, *.db")

    assert done.code == 0, done.said
    assert [file for _, _, _, file in done.faults] == ["overview.tif"]
    assert set(done.table("load_data.csv")[0]) >= {"FileName_OrigDNA", "FileName_OrigER"}


def test_a_folder_in_which_all_is_passed_over_is_refused(gallery: Gallery) -> None:
    gallery.lay("A01_1_thumb.tif")
    gallery.map("A01")
    done = gallery.run(pattern=r"(?P<well>[^_]+)_(?P<channel>\d).*\.tif", channels=TWO)

    assert (done.code, "1 files are passed over by [load_data] ignore" in done.said) == (65, True)

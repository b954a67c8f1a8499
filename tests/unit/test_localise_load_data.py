"""A published load_data table, in both dialects, held against the images that are here."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from tests.unit.fakes import PLATE
from tests.unit.gallery import Gallery, name

KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
Rows = list[dict[str, str]]


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gallery:
    made = Gallery(tmp_path, monkeypatch, capsys)
    made.lay(*(name(1, column, channel) for column in (1, 2) for channel in (1, 5)))
    made.map("A01", "A02")
    return made


def rows(dialect: str = "FileName") -> Rows:
    """Return the published table of wells A01 and A02, channels DNA and Mito."""
    table = []
    for column in (1, 2):
        row = dict(zip(KEYS, (PLATE, f"A{column:02d}", "1"), strict=True))
        row |= {"Metadata_PositionX": f"0.{column}", "Metadata_PositionY": "-2"}
        for channel, number in (("DNA", 5), ("Mito", 1)):
            file = name(1, column, number)
            if dialect == "FileName":
                row |= {f"FileName_Orig{channel}": file, f"PathName_Orig{channel}": "/home/ubuntu/bucket/x"}
            else:
                row[f"URL_Orig{channel}"] = f"s3://bucket/p/s/{file}"
        table.append(row)
    return table


def take(gallery: Gallery, table: Rows, file: str = "load_data.csv.gz"):
    path = gallery.folder / file
    with (gzip.open if file.endswith(".gz") else open)(path, "wt", newline="") as handle:
        writer = csv.DictWriter(handle, list(table[0]) if table else list(KEYS))
        writer.writeheader()
        writer.writerows(table)
    return gallery.run("localise_load_data.py", published_load_data=str(path))


@pytest.mark.parametrize("file", ["load_data.csv.gz", "load_data.csv"])
@pytest.mark.parametrize("dialect", ["FileName", "URL"])
def test_both_dialects_name_the_images_that_are_here(gallery: Gallery, dialect: str, file: str) -> None:
    done = take(gallery, rows(dialect), file)

    assert done.code == 0, done.said
    assert done.table("load_data.csv")[1] == {
        "FileName_OrigMito": name(1, 2, 1), "FileName_OrigDNA": name(1, 2, 5),
        "PathName_OrigMito": "p/images", "PathName_OrigDNA": "p/images",
        "Metadata_Plate": PLATE, "Metadata_Well": "A02", "Metadata_Site": "1",
        "Metadata_PositionX": "0.2", "Metadata_PositionY": "-2",
    }  # fmt: skip
    assert done.faults == []


@pytest.mark.parametrize("name_of_a_file", ["../../../../etc/passwd", "/etc/passwd", "images/../../secret.tiff"])
def test_a_name_that_leads_elsewhere_leads_nowhere(gallery: Gallery, name_of_a_file: str) -> None:
    done = take(gallery, change(rows(), FileName_OrigDNA=name_of_a_file))

    assert done.code == 65
    assert ("error", "file_missing", "A01-1", name_of_a_file.rpartition("/")[2]) in done.faults


def test_a_well_that_is_a_path_is_no_well(gallery: Gallery) -> None:
    done = take(gallery, change(rows(), Metadata_Well="../../A01"))

    assert done.code == 65
    assert "a well is written A01" in done.said


def change(table: Rows, **cells: str) -> Rows:
    return [{**table[0], **cells}, *table[1:]]


FAULTS = {
    "another plate": (change(rows(), Metadata_Plate="BR1"), ("error", "plate_name", "A01-1", "load_data.csv.gz")),
    "AGP = Mito": (
        change(rows(), FileName_OrigMito=name(1, 1, 5)), ("error", "file_twice", "A01-1", name(1, 1, 5)),
    ),
    "image not here": (
        change(rows(), FileName_OrigMito=name(1, 9, 1)), ("error", "file_missing", "A01-1", name(1, 9, 1)),
    ),
    "image not listed": (rows()[:1], ("warning", "file_unlisted", "", name(1, 2, 1))),
    "well not listed": (rows()[:1], ("warning", "well_without_images", "A02", "")),
    "A1": (change(rows(), Metadata_Well="A1"), ("warning", "well_name", "A01-1", "load_data.csv.gz")),
    "a01": (change(rows(), Metadata_Well="a01"), ("warning", "well_name", "A01-1", "load_data.csv.gz")),
    "index column": ([{"": "0", **row} for row in rows()], ("warning", "index_column", "", "load_data.csv.gz")),
    "site twice": ([*rows(), rows()[0]], ("error", "site_twice", "A01-1", "load_data.csv.gz")),
}  # fmt: skip


@pytest.mark.parametrize(("table", "fault"), FAULTS.values(), ids=FAULTS)
def test_every_fault_of_a_published_table_is_found(gallery: Gallery, table: Rows, fault: tuple[str, ...]) -> None:
    done = take(gallery, table)

    assert fault in done.faults
    assert done.code == (65 if fault[0] == "error" else 0), done.said


def test_numbers_written_as_fractions_are_read(gallery: Gallery) -> None:
    done = take(gallery, [{**row, "Metadata_Plate": f"{PLATE}.0", "Metadata_Site": "1.0"} for row in rows()])

    assert [(row["Metadata_Plate"], row["Metadata_Site"]) for row in done.table("load_data.csv")] == [(PLATE, "1")] * 2


REFUSED = {
    "empty": ([], "it lists no site; fetch it again, or use [load_data] source = images"),
    "no images": ([dict(zip(KEYS, (PLATE, "A01", "1"), strict=True))], "it has no column FileName_Orig<channel>"),
    "no well": (change(rows(), Metadata_Well="Z"), "well 'Z', site '1' is no site"),
    "no site column": ([{"Metadata_Plate": PLATE, "Metadata_Well": "A01"}], "needs the column Metadata_Site"),
}


@pytest.mark.parametrize(("table", "said"), REFUSED.values(), ids=REFUSED)
def test_a_table_that_cannot_be_read_is_refused(gallery: Gallery, table: Rows, said: str) -> None:
    done = take(gallery, table)

    assert (done.code, said in done.said) == (65, True)


def test_a_table_that_is_cut_short_is_refused(gallery: Gallery) -> None:
    path = gallery.folder / "load_data.csv"
    path.write_text(",".join(KEYS) + f",FileName_OrigDNA\n{PLATE},A01,1\n")
    done = gallery.run("localise_load_data.py", published_load_data=str(path))

    assert (done.code, "line 2 has 3 cells, the header 4" in done.said) == (65, True)

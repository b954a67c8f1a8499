"""Site csv files become a backend that pycytominer reads; what is broken is named."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

PLATE = "00117013"


@pytest.fixture
def collate(stage, analysis, tmp_path):
    return lambda **flags: stage("collate", analysis=analysis, write_backend=tmp_path / "plate.sqlite", **flags)


def test_the_backend_holds_what_the_csv_files_say(collate, analysis, tmp_path):
    assert collate().code == 0

    database = sqlite3.connect(tmp_path / "plate.sqlite")
    for table in ("Cells", "Cytoplasm", "Nuclei"):
        expected = []
        for number, folder in enumerate(sorted(analysis.iterdir()), start=1):
            rows = list(csv.DictReader((folder / f"{table}.csv").open()))
            for row in rows:
                area = None if row["AreaShape_Area"] == "nan" else float(row["AreaShape_Area"])
                expected.append((number, number, int(row["ObjectNumber"]), area))
        query = f"SELECT TableNumber, ImageNumber, ObjectNumber, {table}_AreaShape_Area FROM {table}"
        assert database.execute(query).fetchall() == expected


def test_the_image_table_says_plate_well_and_site_and_nothing_of_the_machine(collate, tmp_path):
    outcome = collate()

    image = pd.read_sql("SELECT * FROM Image", sqlite3.connect(tmp_path / "plate.sqlite"))
    assert image["Metadata_Plate"].tolist() == [PLATE] * 6
    assert image["Metadata_Well"].tolist() == ["A01", "A01", "A02", "A02", "B01", "B01"]
    assert image["Metadata_Site"].tolist() == ["1", "2"] * 3
    assert not [name for name in image if name.startswith(("PathName", "URL", "ExecutionTime"))]
    assert outcome.facts["sites"] == 6
    assert outcome.facts["rows"]["Cells"] == image["Count_Cells"].sum()


def test_every_table_is_indexed_by_table_and_image_number(collate, tmp_path):
    collate()

    database = sqlite3.connect(tmp_path / "plate.sqlite")
    indexed = {row[0] for row in database.execute("SELECT tbl_name FROM sqlite_master WHERE type = 'index'")}
    assert indexed == {"Image", "Cells", "Cytoplasm", "Nuclei"}


def test_two_runs_give_the_same_bytes(stage, collate, analysis, tmp_path):
    collate()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(analysis, elsewhere / "analysis")
    stage("collate", analysis=elsewhere / "analysis", write_backend=elsewhere / "again.sqlite", output=elsewhere)

    assert (elsewhere / "again.sqlite").read_bytes() == (tmp_path / "plate.sqlite").read_bytes()


def test_pycytominer_reads_the_backend_with_its_defaults(collate, oracle, tmp_path):
    collate()

    oracle(
        "import sys; from pycytominer.cyto_utils.cells import SingleCells\n"
        "cells = SingleCells('sqlite:///' + sys.argv[1])\n"
        "merged = cells.merge_single_cells()\n"
        "assert len(merged) == cells.count_cells().cell_count.sum() > 0\n"
        "assert (merged.Metadata_Cytoplasm_Parent_Cells == merged.Cells_Number_Object_Number).all()",
        tmp_path / "plate.sqlite",
    )


def test_a_site_without_cells_is_kept_and_told(collate, analysis, edit_csv):
    for name in ("Cells", "Cytoplasm", "Nuclei"):
        edit_csv(analysis / f"{PLATE}-A01-2" / f"{name}.csv", lambda rows: rows[:1])
    edit_csv(analysis / f"{PLATE}-A01-2" / "Image.csv", lambda rows: [rows[0], ["0", "0", "0", *rows[1][3:]]])

    outcome = collate()

    assert outcome.code == 0
    assert outcome.facts["sites_without_cells"] == [f"{PLATE}-A01-2"]
    assert f"{PLATE}-A01-2" in outcome.warnings[0]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def cut_at_a_comma(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20].rsplit(b",", 1)[0] + b"\r\n")


def cut_at_a_row(path: Path) -> None:
    path.write_bytes(b"\r\n".join(path.read_bytes().split(b"\r\n")[:-2]) + b"\r\n")


def rename_a_column(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Texture_X_DNA", b"Texture_X_RNA"))


def write_a_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"nan", b"n/a").replace(b"\r\n1,1,", b"\r\n1,x,"))


def change_the_image(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\r\n1,1,", b"\r\n2,1,"))


BROKEN = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "cut in a number": (cut, "is cut off"),
    "cut at a comma": (cut_at_a_comma, "is cut off"),
    "cut at a row": (cut_at_a_row, "counted"),
    "other columns": (rename_a_column, "other columns than the first site: Texture_X_DNA, Texture_X_RNA"),
    "a text": (write_a_text, "holds a text"),
    "another image": (change_the_image, "has ImageNumber 2"),
}


@pytest.mark.parametrize(("harm", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_csv_is_an_error_that_names_the_site(collate, analysis, harm, words):
    harm(analysis / f"{PLATE}-A02-1" / "Cytoplasm.csv")

    outcome = collate()

    assert outcome.code == 65
    assert f"{PLATE}-A02-1: Cytoplasm.csv" in outcome.stderr
    assert words in outcome.stderr


@pytest.mark.parametrize("name", ["Metadata_Plate", "Metadata_Well", "Metadata_Site"])
def test_an_image_csv_that_belongs_to_another_folder_is_an_error(collate, analysis, edit_csv, name):
    path = analysis / f"{PLATE}-A02-1" / "Image.csv"
    edit_csv(path, lambda rows: [rows[0], [("9" if head == name else cell) for head, cell in zip(*rows, strict=True)]])

    outcome = collate()

    assert outcome.code == 65
    assert f"{PLATE}-A02-1: Image.csv says {name} '9'" in outcome.stderr


def test_a_folder_of_another_plate_is_an_error(collate, analysis):
    (analysis / "BR1-A01-1").mkdir()

    outcome = collate()

    assert outcome.code == 65
    assert "BR1-A01-1: not a site of plate" in outcome.stderr


def test_an_empty_analysis_is_an_error(collate, analysis):
    shutil.rmtree(analysis)
    analysis.mkdir()

    assert "holds no site folder" in collate().stderr


def test_a_real_site_wider_than_sqlite_allows_is_refused_before_any_work(stage, real_data, tmp_path):
    outcome = stage(
        "collate",
        plate="BR00116991",
        analysis=real_data / "cellprofiler_csv",
        write_backend=tmp_path / "plate.sqlite",
    )

    assert outcome.code == 65
    assert "Cells (2053 columns)" in outcome.stderr
    assert "at most 2000 columns" in outcome.stderr
    assert not (tmp_path / "plate.sqlite").exists()

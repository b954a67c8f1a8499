"""Where nuclei lie: the same from the site csv files and from the backend, and never a cell lost in silence."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests import real_files
from tests.stages.pycytominer.conftest import PLATE

HEADER = ["Nuclei_Location_Center_X", "Nuclei_Location_Center_Y"]


def located(folder: Path) -> dict[str, list[list[str]]]:
    """Return the rows of every file, header apart."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="") as lines:
            header, *rows = list(csv.reader(lines))
        assert header == HEADER
        found[path.name] = rows
    return found


def place_nuclei(analysis: Path, edit_csv) -> dict[str, list[list[str]]]:
    """Give every nucleus a centre; return the files that are to come."""
    expected = {}
    for number, folder in enumerate(sorted(analysis.iterdir())):

        def add(rows: list[list[str]], number: int = number) -> list[list[str]]:
            header, *cells = rows
            placed = [[*cell, f"{number}.25", f"{at}.123456789012"] for at, cell in enumerate(cells)]
            return [[*header, "Location_Center_X", "Location_Center_Y"], *placed]

        edit_csv(folder / "Nuclei.csv", add)
        with open(folder / "Nuclei.csv", newline="") as lines:
            name = f"{folder.name.removeprefix(PLATE + '-')}-Nuclei.csv"
            expected[name] = [[row["Location_Center_X"], row["Location_Center_Y"]] for row in csv.DictReader(lines)]
    return expected


@pytest.fixture
def locate(stage, tmp_path):
    """Return a function that locates cells below tmp_path/located."""

    def run(source: str, path: Path, plate: str = PLATE, allowed: float = 0):
        given = {"analysis": [], "backend": [], source: [path]}
        written = {"write_locations": tmp_path / "located"}
        return stage("locate_cells", plate=plate, source=source, **given, max_failed_fraction=allowed, **written)

    return run


def test_a_file_a_site_holds_the_centres_as_cellprofiler_wrote_them(locate, analysis, edit_csv, tmp_path):
    expected = place_nuclei(analysis, edit_csv)
    done = locate("analysis", analysis)

    assert done.code == 0, done.stderr
    assert located(tmp_path / "located") == expected
    assert list(expected) == [f"{well}-{site}-Nuclei.csv" for well in ("A01", "A02", "B01") for site in (1, 2)]
    assert done.facts["cells"] == sum(map(len, expected.values()))


def test_the_backend_says_the_same_as_the_site_folders(locate, stage, analysis, edit_csv, tmp_path):
    expected = place_nuclei(analysis, edit_csv)
    paths = {"write_backend": tmp_path / "plate.sqlite", "write_cells": tmp_path / "cells"}
    assert stage("collate", analysis=analysis, sqlite="true", parquet="false", max_failed_fraction=0, **paths).code == 0
    done = locate("backend", tmp_path / "plate.sqlite")

    assert done.code == 0, done.stderr
    assert located(tmp_path / "located") == expected


def test_a_site_without_cells_has_a_header_and_is_counted(locate, analysis, edit_csv, tmp_path):
    place_nuclei(analysis, edit_csv)
    folder = analysis / f"{PLATE}-A02-1"
    for name in ("Cells", "Cytoplasm", "Nuclei"):
        edit_csv(folder / f"{name}.csv", lambda rows: rows[:1])
    edit_csv(folder / "Image.csv", lambda rows: [rows[0], ["0.0"] * 3 + rows[1][3:]])
    done = locate("analysis", analysis)

    assert done.code == 0, done.stderr
    assert located(tmp_path / "located")["A02-1-Nuclei.csv"] == []
    assert done.facts["sites_without_cells"] == 1
    assert done.warnings == ["1 sites have no cells: A02-1"]


def test_a_site_whose_csv_was_cut_off_is_named_and_left_out_if_few_are(locate, analysis, edit_csv, tmp_path):
    place_nuclei(analysis, edit_csv)
    edit_csv(analysis / f"{PLATE}-A02-1" / "Nuclei.csv", lambda rows: rows[:-1])
    strict, lenient = locate("analysis", analysis), locate("analysis", analysis, allowed=0.2)

    assert strict.code == 65
    assert "A02-1: Nuclei.csv has" in strict.stderr
    assert lenient.code == 0, lenient.stderr
    assert list(lenient.facts["quarantined"]) == ["A02-1"]
    assert lenient.facts["sites"] == 5
    assert "A02-1-Nuclei.csv" not in located(tmp_path / "located")


def test_a_pipeline_that_says_no_centre_is_named(locate, analysis):
    done = locate("analysis", analysis)

    assert done.code == 65
    assert "Nuclei.csv has neither Location_Center_X nor AreaShape_Center_X" in done.stderr


def test_cells_of_an_image_that_the_backend_lacks_are_an_error(locate, tmp_path):
    path = tmp_path / "plate.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE Image (TableNumber, ImageNumber, Metadata_Plate, Metadata_Well, Metadata_Site)")
        database.execute(f"INSERT INTO Image VALUES (1, 1, '{PLATE}', 'A01', '1')")
        database.execute(f"CREATE TABLE Nuclei (TableNumber, ImageNumber, {HEADER[0]} REAL, {HEADER[1]} REAL)")
        database.execute("INSERT INTO Nuclei VALUES (1, 2, 5.0, 6.0)")
    done = locate("backend", path)

    assert done.code == 65
    assert "plate.sqlite: Nuclei has cells of (TableNumber, ImageNumber) (1, 2), which Image lacks" in done.stderr


def test_a_real_backend_gives_the_centres_that_sqlite_holds(locate, tmp_path):
    path = tmp_path / "BR00126114.sqlite"
    shutil.copy(real_files.needed() / "load_data/test_BR00126114.sqlite", path)
    with sqlite3.connect(path) as database:
        join = "SELECT Metadata_Well, Metadata_Site, Nuclei_Location_Center_X, Nuclei_Location_Center_Y FROM Nuclei "
        rows = database.execute(join + "JOIN Image USING (TableNumber, ImageNumber)").fetchall()
    done = locate("backend", path, plate="BR00126114")
    found = located(tmp_path / "located")

    assert done.code == 0, done.stderr
    assert sum(map(len, found.values())) == len(rows) > 0
    for well, site in {row[:2] for row in rows}:
        centres = sorted([float(x), float(y)] for x, y in found[f"{well}-{site}-Nuclei.csv"])
        assert centres == sorted([float(x), float(y)] for *place, x, y in rows if place == [well, site])

"""A site whose csv files cannot be used is named and left out; the columns of the others are united."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLATE = "00117013"
BAD = f"{PLATE}-A02-1"
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")


@pytest.fixture
def collate(stage, tmp_path, analysis):
    def run(analysis: Path = analysis, **flags):
        written = {"write_backend": tmp_path / "plate.sqlite", "write_cells": tmp_path / "cells"}
        given = {"sqlite": "true", "parquet": "true", "max_failed_fraction": 0, **flags}
        return stage("collate", analysis=analysis, **written, **given)

    return run


@pytest.fixture
def aggregate(stage, tmp_path, analysis):
    def run(analysis: Path = analysis, source: str = "analysis", path: Path | None = None, **flags):
        paths = {**dict.fromkeys(("analysis", "backend", "cells"), []), source: path or analysis}
        given = {"method": "mean", "behaviour": "corrected", "compartment_counts": "true", "max_failed_fraction": 0}
        return stage(
            "aggregate", source=source, **paths, **{**given, **flags}, write_profiles=tmp_path / "wells.csv.gz"
        )

    return run


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def cut_at_a_comma(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20].rsplit(b",", 1)[0] + b"\r\n")


def cut_at_a_row(path: Path) -> None:
    path.write_bytes(b"\r\n".join(path.read_bytes().split(b"\r\n")[:-2]) + b"\r\n")


def rename_a_column(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Texture_X_DNA", b"Texture_X_RNA"))


def leave_out_a_column(path: Path) -> None:
    drop(path, "Texture_X_DNA")


def name_a_column_twice(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Texture_X_DNA", b"AreaShape_Area"))


def write_a_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"nan", b"n/a").replace(b"\r\n1,1,", b"\r\n1,x,"))


def write_bytes_that_are_no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00" * 50 + b"\r\n")


def change_the_image(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\r\n1,1,", b"\r\n2,1,"))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "is missing"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "an empty line": (lambda path: path.write_bytes(b"\r\n"), "has no column ImageNumber, ObjectNumber"),
    "cut in a number": (cut, "is cut off"),
    "cut at a comma": (cut_at_a_comma, "is cut off"),
    "cut at a row": (cut_at_a_row, "counted"),
    "other columns": (rename_a_column, "has other columns than most sites: it lacks Texture_X_DNA"),
    "a column less": (leave_out_a_column, "has other columns than most sites: it lacks Texture_X_DNA"),
    "a column twice": (name_a_column_twice, "has a column twice"),
    "a text": (write_a_text, "holds a text"),
    "no text": (write_bytes_that_are_no_text, "has no header"),
    "another image": (change_the_image, "has ImageNumber 2"),
}
IMAGES = {
    "another plate": ("Metadata_Plate", "9", "says Metadata_Plate '9' instead of '00117013'"),
    "another well": ("Metadata_Well", "9", "says Metadata_Well '9' instead of 'A02'"),
    "another site": ("Metadata_Site", "9", "says Metadata_Site '9' instead of '1'"),
    "no count": ("Count_Cells", "nan", "says Count_Cells 'nan', which is no number of objects"),
}


def drop(path: Path, prefix: str) -> None:
    """Take the columns with this prefix from a csv."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    kept = table[[name for name in table if not name.startswith(prefix)]]
    kept.to_csv(path, index=False, lineterminator="\r\n")


def without(analysis: Path, *sites: str) -> Path:
    """Return a copy of the plate that never had these sites."""
    copy = analysis.with_name("without")
    shutil.copytree(analysis, copy)
    for site in sites:
        shutil.rmtree(copy / site)
    return copy


@pytest.mark.parametrize(("harm", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_csv_is_named_and_by_default_the_plate_fails(collate, analysis, harm, words, tmp_path):
    harm(analysis / BAD / "Cytoplasm.csv")

    outcome = collate(parquet="false")

    assert outcome.code == 65
    assert f"{BAD}: Cytoplasm.csv" in outcome.stderr
    assert words in outcome.stderr
    assert "1 of the 6 sites of plate 00117013 cannot be used, more than max_failed_fraction = 0" in outcome.stderr
    assert units(tmp_path)[BAD] == "quarantined"


def units(folder: Path) -> dict[str, str]:
    lines = (folder / "out" / "units.jsonl").read_text().splitlines()
    return {record["unit"]: record["state"] for record in map(json.loads, lines)}


@pytest.mark.parametrize(("name", "value", "words"), IMAGES.values(), ids=IMAGES)
def test_an_image_csv_that_says_another_place_is_named(aggregate, analysis, edit_csv, name, value, words):
    edit_csv(analysis / BAD / "Image.csv", lambda rows: [rows[0], replaced(rows, name, value)])

    outcome = aggregate()

    assert outcome.code == 65
    assert f"{BAD}: Image.csv {words}" in outcome.stderr


def replaced(rows: list[list[str]], name: str, value: str) -> list[str]:
    return [(value if head == name else cell) for head, cell in zip(*rows, strict=True)]


def test_all_bad_sites_are_named_at_once(aggregate, analysis):
    cut_at_a_row(analysis / f"{PLATE}-A01-1" / "Nuclei.csv")
    (analysis / f"{PLATE}-A02-2" / "Image.csv").unlink()
    rename_a_column(analysis / f"{PLATE}-B01-1" / "Cells.csv")

    outcome = aggregate(max_failed_fraction=0.4)

    assert outcome.code == 65
    for site in ("A01-1", "A02-2", "B01-1"):
        assert f"{PLATE}-{site}: " in outcome.stderr


@pytest.mark.parametrize("harm", [Path.unlink, cut_at_a_row, leave_out_a_column])
@pytest.mark.parametrize("source", ["analysis", "backend", "cells"])
def test_the_rest_goes_on_as_if_the_site_had_never_been(aggregate, collate, analysis, tmp_path, load, harm, source):
    never = without(analysis, BAD)
    harm(analysis / BAD / "Cells.csv")
    paths = {"analysis": None, "backend": tmp_path / "plate.sqlite", "cells": tmp_path / "cells"}

    written = []
    for folder in (analysis, never):
        collated = collate(folder, max_failed_fraction=0.2)
        aggregated = aggregate(folder, source, paths[source], max_failed_fraction=0.2)
        assert (collated.code, aggregated.code) == (0, 0), collated.stderr + aggregated.stderr
        written.append(load(tmp_path / "wells.csv.gz"))

    pd.testing.assert_frame_equal(*written)
    counted = written[0].set_index("Metadata_Well")["Metadata_Site_Count"].to_dict()
    assert counted == {"A01": "2", "A02": "1", "B01": "2"}


def test_what_is_left_out_is_told_in_facts_units_and_a_warning(collate, analysis, tmp_path):
    (analysis / BAD / "Nuclei.csv").unlink()

    outcome = collate(max_failed_fraction=1 / 6)

    assert outcome.code == 0
    assert outcome.facts["quarantined"] == {BAD: "Nuclei.csv is missing"}
    assert outcome.facts["sites"] == 5
    assert f"left out: {BAD}: Nuclei.csv is missing" in outcome.warnings[0]
    assert sorted(units(tmp_path).values()) == [*["ok"] * 5, "quarantined"]
    image = sqlite3.connect(tmp_path / "plate.sqlite").execute("SELECT count(*) FROM Image").fetchone()
    assert image == (5,)


def test_a_well_without_a_good_site_has_no_profile(aggregate, collate, analysis, load, tmp_path):
    for site in (1, 2):
        (analysis / f"{PLATE}-A02-{site}" / "Cells.csv").unlink()

    assert collate(max_failed_fraction=0.5).code == 0
    assert aggregate(max_failed_fraction=0.5).facts["wells_without_cells"] == ["A02"]
    assert load(tmp_path / "wells.csv.gz")["Metadata_Well"].tolist() == ["A01", "B01"]
    assert sorted(path.stem for path in (tmp_path / "cells").iterdir()) == ["A01", "B01"]


@pytest.mark.parametrize("program", ["collate", "aggregate"])
def test_a_plate_without_any_good_site_is_an_error_whatever_is_allowed(request, program, analysis):
    for path in analysis.glob("*/Nuclei.csv"):
        path.unlink()

    outcome = request.getfixturevalue(program)(max_failed_fraction=1)

    assert outcome.code == 65
    assert "6 of the 6 sites of plate 00117013 cannot be used, which is all of them" in outcome.stderr


def test_a_family_of_features_that_only_some_sites_have_is_an_error(aggregate, analysis):
    for site in sorted(analysis.iterdir())[:4]:
        drop(site / "Nuclei.csv", "Texture_")

    outcome = aggregate()

    assert outcome.code == 65
    assert outcome.stderr.count("it has none of Nuclei_Texture_*") == 4


@pytest.fixture
def wider(analysis) -> dict[str, list[float]]:
    """Give one site of A01 and both of B01 a column that the others lack; return its values by well."""
    values: dict[str, list[float]] = {}
    for number, name in enumerate(("A01-2", "B01-1", "B01-2")):
        path = analysis / f"{PLATE}-{name}" / "Cells.csv"
        table = pd.read_csv(path)
        own = np.arange(len(table)) + 10.0 * number
        table.insert(2, "Texture_Y_ER", own)
        table.to_csv(path, index=False, na_rep="nan", lineterminator="\r\n")
        values.setdefault(name[:3], []).extend(own)
    return values


@pytest.mark.parametrize("source", ["analysis", "backend", "cells"])
def test_columns_are_united_without_a_value_where_a_site_lacks_them(
    aggregate, collate, analysis, wider, load, tmp_path, source
):
    paths = {"analysis": None, "backend": tmp_path / "plate.sqlite", "cells": tmp_path / "cells"}
    collated = collate()
    aggregate(source=source, path=paths[source])

    wells = load(tmp_path / "wells.csv.gz").set_index("Metadata_Well")
    assert collated.code == 0
    assert collated.facts["columns_not_of_every_site"] == {"Cells_Texture_Y_ER": 3}
    assert "Cells_Texture_Y_ER (3 sites)" in collated.warnings[0]
    for well, values in wider.items():
        assert wells.loc[well, "Cells_Texture_Y_ER"] == pytest.approx(np.mean(values), rel=1e-4)
    assert np.isnan(wells.loc["A02", "Cells_Texture_Y_ER"])
    plain = [name for name in wells if name.startswith("Cells_")]
    assert plain == ["Cells_AreaShape_Area", "Cells_Texture_X_DNA", "Cells_Number_Object_Number"] + plain[3:]


def test_united_columns_have_one_order_whichever_site_has_them(collate, analysis, wider, tmp_path):
    collate(parquet="false")
    database = sqlite3.connect(tmp_path / "plate.sqlite")
    names = [row[1] for row in database.execute('PRAGMA table_info("Cells")')]

    assert names[:3] == ["TableNumber", "ImageNumber", "ObjectNumber"]
    assert names[3:5] == ["Cells_AreaShape_Area", "Cells_Texture_X_DNA"]
    assert names[-1] == "Cells_Texture_Y_ER"


def test_columns_in_another_order_are_the_same_columns(aggregate, analysis, load, tmp_path):
    aggregate()
    expected = load(tmp_path / "wells.csv.gz")
    path = analysis / BAD / "Cells.csv"
    with open(path, newline="") as lines:
        rows = [[row[0], *reversed(row[1:])] for row in csv.reader(lines)]
    path.write_text("".join(",".join(row) + "\r\n" for row in rows))

    assert aggregate().code == 0
    pd.testing.assert_frame_equal(load(tmp_path / "wells.csv.gz"), expected)


def test_a_site_without_objects_may_lack_their_columns(aggregate, collate, analysis, edit_csv, load, tmp_path):
    for name in COMPARTMENTS:
        (analysis / BAD / f"{name}.csv").write_bytes(b"ImageNumber,ObjectNumber\r\n")
    edit_csv(analysis / BAD / "Image.csv", lambda rows: [rows[0], ["0", "0", "0", *rows[1][3:]]])

    assert collate().code == 0
    assert aggregate().facts["quarantined"] == {}
    wells = load(tmp_path / "wells.csv.gz").set_index("Metadata_Well")
    assert wells.loc["A02", "Metadata_Site_Count"] == "2"
    assert wells.notna().all(axis=None)


@pytest.mark.parametrize("fraction", ["-0.1", "1.5", "many"])
def test_a_fraction_that_is_none_is_a_wrong_flag(collate, fraction):
    assert collate(max_failed_fraction=fraction).code == 2

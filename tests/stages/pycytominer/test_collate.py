"""Site csv files become a backend that pycytominer reads; what is broken is named."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLATE = "00117013"
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")


@pytest.fixture
def collate(stage, tmp_path, analysis):
    def run(analysis: Path = analysis, sqlite: str = "true", parquet: str = "true", folder: Path = tmp_path, **flags):
        written = {"write_backend": folder / "plate.sqlite", "write_cells": folder / "cells"}
        allowed = {"max_failed_fraction": 0, **flags}
        return stage("collate", analysis=analysis, sqlite=sqlite, parquet=parquet, **written, **allowed)

    return run


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


def test_two_runs_give_the_same_bytes(collate, analysis, tmp_path):
    collate()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(analysis, elsewhere / "analysis")
    collate(analysis=elsewhere / "analysis", folder=elsewhere, output=elsewhere)

    assert (elsewhere / "plate.sqlite").read_bytes() == (tmp_path / "plate.sqlite").read_bytes()
    for path in (tmp_path / "cells").iterdir():
        assert (elsewhere / "cells" / path.name).read_bytes() == path.read_bytes()


MERGED = """
import sys; from pycytominer.cyto_utils.cells import SingleCells
cells = SingleCells("sqlite:///" + sys.argv[1])
cells.merge_single_cells().to_csv(sys.argv[2], index=False)
cells.count_cells().to_csv(sys.argv[3], index=False)
"""


def test_pycytominer_reads_the_backend_with_its_defaults(collate, oracle, tmp_path):
    collate()
    oracle(MERGED, tmp_path / "plate.sqlite", tmp_path / "merged.csv", tmp_path / "counts.csv")
    merged = pd.read_csv(tmp_path / "merged.csv")

    assert len(merged) == pd.read_csv(tmp_path / "counts.csv").cell_count.sum() > 0
    assert (merged.Metadata_Cytoplasm_Parent_Cells == merged.Cells_Number_Object_Number).all()


def test_a_site_without_cells_is_kept_and_told(collate, analysis, edit_csv):
    for name in ("Cells", "Cytoplasm", "Nuclei"):
        edit_csv(analysis / f"{PLATE}-A01-2" / f"{name}.csv", lambda rows: rows[:1])
    edit_csv(analysis / f"{PLATE}-A01-2" / "Image.csv", lambda rows: [rows[0], ["0", "0", "0", *rows[1][3:]]])

    outcome = collate()

    assert outcome.code == 0
    assert outcome.facts["sites_without_cells"] == [f"{PLATE}-A01-2"]
    assert f"{PLATE}-A01-2" in outcome.warnings[0]


def test_a_folder_of_another_plate_is_an_error(collate, analysis):
    (analysis / "BR1-A01-1").mkdir()

    outcome = collate()

    assert outcome.code == 65
    assert "BR1-A01-1: not a site of plate" in outcome.stderr


def test_an_empty_analysis_is_an_error(collate, analysis):
    shutil.rmtree(analysis)
    analysis.mkdir()

    assert "holds no site folder" in collate().stderr


def rows_of(analysis: Path, well: str) -> list[dict[str, float]]:
    """Return the cells of a well, by hand: the objects of the three csv files that Cytoplasm says belong together."""
    cells = []
    for site in sorted(path for path in analysis.iterdir() if path.name.split("-")[1] == well):
        read = {name: list(csv.DictReader((site / f"{name}.csv").open())) for name in COMPARTMENTS}
        for row in read["Cytoplasm"]:
            cell = next(each for each in read["Cells"] if each["ObjectNumber"] == row["Parent_Cells"])
            nucleus = next(each for each in read["Nuclei"] if each["ObjectNumber"] == row["Parent_Nuclei"])
            parts = {"Cells": cell, "Cytoplasm": row, "Nuclei": nucleus}
            values = {f"{name}_{key}": float(text) for name, part in parts.items() for key, text in part.items()}
            cells.append({key: value for key, value in values.items() if "_ImageNumber" not in key})
    return cells


@pytest.fixture
def parquet(oracle, tmp_path):
    """Return a function that reads a Parquet file as its users do, in an environment that has pyarrow."""

    def read(path: Path) -> pd.DataFrame:
        oracle(EXPORT, path, tmp_path / "exported.csv")
        texts = {f"Metadata_{name}": str for name in ("Plate", "Well", "Site")}
        return pd.read_csv(tmp_path / "exported.csv", dtype=texts, float_precision="round_trip")

    return read


def check_cells(table: pd.DataFrame, expected: list[dict[str, float]]) -> None:
    """Compare a well's Parquet file with rows made by hand, in the order of Cytoplasm."""
    by_hand = pd.DataFrame(expected)
    numbers = {f"{name}_ObjectNumber": f"Metadata_{name}_ObjectNumber" for name in COMPARTMENTS}
    features = [name for name in by_hand if name not in numbers]
    np.testing.assert_array_equal(table[features].to_numpy(), by_hand[features].to_numpy())
    np.testing.assert_array_equal(table[[*numbers.values()]].to_numpy(), by_hand[[*numbers]].to_numpy())
    assert {*table} == {*features, *numbers.values(), *(f"Metadata_{name}" for name in PLACE)}


EXPORT = """
import sys
import pyarrow.parquet
described = pyarrow.parquet.read_metadata(sys.argv[1])
assert described.num_row_groups == 1
assert described.row_group(0).column(described.num_columns - 1).compression == "ZSTD"
types = {str(field.type) for field in pyarrow.parquet.read_schema(sys.argv[1])}
assert types == {"string", "int64", "int32", "double"}, types
# On this thread: Arrow's own may abort the interpreter as it ends (apache/arrow#34314).
table = pyarrow.parquet.ParquetFile(sys.argv[1]).read(use_threads=False)
table.to_pandas(use_threads=False).to_csv(sys.argv[2], index=False)
"""
PLACE = ("Plate", "Well", "Site", "ImageNumber")


def test_the_parquet_files_hold_a_row_a_cell_with_all_its_compartments(collate, analysis, edit_csv, parquet, tmp_path):
    crossed = analysis / f"{PLATE}-A02-1" / "Cytoplasm.csv"
    edit_csv(crossed, lambda rows: [rows[0], [*rows[1][:3], "2", "3", *rows[1][5:]], *swapped(rows[2:])])
    collate()

    assert sorted(path.name for path in (tmp_path / "cells").iterdir()) == ["A01.parquet", "A02.parquet", "B01.parquet"]
    for well in ("A01", "A02", "B01"):
        table = parquet(tmp_path / "cells" / f"{well}.parquet")
        check_cells(table, rows_of(analysis, well))
        assert set(table["Metadata_Plate"]) == {PLATE}
        assert set(table["Metadata_Well"]) == {well}
        assert table["Metadata_Site"].is_monotonic_increasing


def swapped(rows: list[list[str]]) -> list[list[str]]:
    """Give the second cell's cytoplasm to the first cell and the first nucleus, the third's to the third and second."""
    parents = {"2": ("1", "1"), "3": ("3", "2")}
    return [[*row[:3], *parents.get(row[1], (row[1], row[1])), *row[5:]] for row in rows]


def test_an_object_without_partners_has_a_row_of_its_own(collate, analysis, edit_csv, parquet, tmp_path):
    folder = analysis / f"{PLATE}-A01-1"
    edit_csv(folder / "Nuclei.csv", lambda rows: [*rows, ["1", "99", *rows[1][2:]]])
    edit_csv(folder / "Image.csv", lambda rows: [rows[0], count_one_more(rows, "Count_Nuclei")])
    collate()

    table = parquet(tmp_path / "cells" / "A01.parquet")
    lone = table[table["Metadata_Nuclei_ObjectNumber"] == 99].iloc[0]
    assert lone["Nuclei_AreaShape_Area"] == table["Nuclei_AreaShape_Area"].iloc[0]
    assert lone.filter(regex="^(Cells|Cytoplasm)_|Metadata_(Cells|Cytoplasm)_").isna().all()
    assert lone["Metadata_Well"] == "A01"


def count_one_more(rows: list[list[str]], column: str) -> list[str]:
    return [str(float(text) + 1) if name == column else text for name, text in zip(*rows, strict=True)]


@pytest.mark.parametrize(("sqlite", "parquet"), [("true", "false"), ("false", "true")])
def test_only_what_is_asked_for_is_written(collate, tmp_path, sqlite, parquet):
    outcome = collate(sqlite=sqlite, parquet=parquet)

    assert outcome.code == 0
    assert (tmp_path / "plate.sqlite").exists() == (sqlite == "true")
    assert (tmp_path / "cells").exists() == (parquet == "true")


def test_texts_among_an_objects_metadata_are_left_to_its_image(collate, analysis, edit_csv, tmp_path):
    collate(parquet="false")
    expected = (tmp_path / "plate.sqlite").read_bytes()
    for folder in analysis.iterdir():
        for name in COMPARTMENTS:
            edit_csv(folder / f"{name}.csv", lambda rows: [[*row[:2], *last, *row[2:]] for row, last in told(rows)])

    assert collate(parquet="false").code == 0
    assert (tmp_path / "plate.sqlite").read_bytes() == expected


def told(rows: list[list[str]]) -> list[tuple[list[str], list[str]]]:
    """Return each row with its metadata: a name in the first, a text in the others."""
    return [(row, ["Metadata_Well" if number == 0 else "A,1"]) for number, row in enumerate(rows)]


def test_a_real_site_wider_than_sqlite_allows_is_refused_before_any_work(collate, real_data, tmp_path):
    outcome = collate(analysis=real_data / "cellprofiler_csv", plate="BR00116991")

    assert outcome.code == 65
    assert "Cells (2053 columns)" in outcome.stderr
    assert "at most 2000 columns" in outcome.stderr
    assert "[collate] sqlite = false" in outcome.stderr
    assert not (tmp_path / "plate.sqlite").exists()
    assert not (tmp_path / "cells").exists()


def test_a_real_site_is_written_as_parquet_exactly(collate, real_data, parquet, tmp_path):
    analysis = real_data / "cellprofiler_csv"
    outcome = collate(analysis=analysis, plate="BR00116991", sqlite="false")

    table = parquet(tmp_path / "cells" / "A01.parquet")
    check_cells(table, rows_of(analysis, "A01"))
    assert outcome.code == 0
    assert len(table) == outcome.facts["rows"]["Cells"] == 109

"""Measured into Parquet a plate has the values of its csv files, whether CellProfiler hands them on or writes csv."""

from __future__ import annotations

import csv
import filecmp
import json
import math
from pathlib import Path
from typing import Any

import pytest
from stagekit import equality

from tests.stages.cellprofiler.plates import FOLDER, PLATE, Outcome, Plate, Programs, make_plate

SITES = (("A01", "1"), ("A01", "2"), ("B02", "1"))
NAMES = [f"{well}-{site}" for well, site in SITES]
TABLES = ("cells", "images", "sums")
READ = """
import json, sys
from pathlib import Path
import pyarrow.parquet
sys.path.insert(0, sys.argv[3])
import read_wells
analysis, name = Path(sys.argv[1]), sys.argv[2]
cells = pyarrow.parquet.read_table(analysis / "cells/A01.parquet")
sums = pyarrow.parquet.read_table(analysis / "sums/A01.parquet").to_pydict()
columns = {column: cells[column].to_pylist() for column in cells.column_names}
print(json.dumps({"texts": read_wells.texts(analysis, name), "cells": columns, "sums": sums}))
"""


@pytest.fixture(scope="module")
def programs(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(cellprofiler_python, tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def plate(programs: Programs) -> Plate:
    return make_plate(programs.scratch / "plate", sites=SITES)


@pytest.fixture(scope="module")
def both(programs: Programs, plate: Plate) -> Outcome:
    return programs.measure(plate, programs.scratch / "both", tables="both")


@pytest.fixture(scope="module")
def handed_on(programs: Programs, plate: Plate) -> Outcome:
    """Return the plate without csv files, one of its sites audited."""
    return programs.measure(plate, programs.scratch / "parquet", tables="parquet", audit_sites=1)


@pytest.fixture(scope="module")
def told(programs: Programs, both: Outcome, handed_on: Outcome) -> dict[str, Any]:
    """Return what is read of the files, and of a site of them."""
    program = programs.scratch / "read.py"
    program.write_text(READ)
    ran = programs.run(str(program), handed_on.analysis, NAMES[1], FOLDER, "--output", programs.scratch)
    assert ran.code == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_no_csv_is_on_the_way_and_the_bytes_are_those_made_of_the_csv(both: Outcome, handed_on: Outcome) -> None:
    assert (both.code, handed_on.code) == (0, 0), handed_on.stderr[-2000:]
    wells = [f"{table}/{well}.parquet" for table in TABLES for well in ("A01", "B02")]
    assert [name for name in wells if not filecmp.cmp(both.analysis / name, handed_on.analysis / name, False)] == []
    left = {path.relative_to(handed_on.analysis).as_posix() for path in handed_on.analysis.rglob("*.csv")}
    assert left == {"experiment/A01.csv", "experiment/B02.csv"}
    assert len(list(handed_on.analysis.glob(f"{PLATE}-*/outlines/*.png"))) == 2 * len(SITES)


def test_what_is_told_of_the_sites_is_the_same_but_for_the_form(both: Outcome, handed_on: Outcome) -> None:
    facts = [outcome.facts() for outcome in (both, handed_on)]
    found = [{name: value for name, value in each.items() if name != "audit_chosen"} for each in facts]
    forms, audits = ([each.pop(name) for each in found] for name in ("tables", "audit"))
    replaced, own = ([{*each.pop(name)} for each in found] for name in ("replaced_modules", "unreplaced_modules"))

    assert found[0] == found[1]
    assert forms == ["both", "parquet"]
    assert replaced[1] - replaced[0] == own[0] - own[1] == {"ExportToSpreadsheet"}
    assert audits[0] == {}
    (site,) = equality.choose(PLATE, NAMES, 1)
    assert audits[1][site]["differ"] == 0
    assert audits[1][site]["values"] > 5000


def test_a_site_has_the_tables_of_its_csv_files_value_for_value(both: Outcome, told: dict[str, Any]) -> None:
    compared = equality.Comparison()
    for name, rows in told["texts"].items():
        with open(both.analysis / f"{PLATE}-{NAMES[1]}" / name, newline="") as lines:
            compared.tables(name, rows, list(csv.reader(lines)))

    assert sorted(told["texts"]) == ["Cells.csv", "Cytoplasm.csv", "Experiment.csv", "Image.csv", "Nuclei.csv"]
    assert (compared.all.bad, compared.all.within) == (0, 0)
    assert compared.all.equal > 5000


def test_a_row_is_a_cell_and_a_sum_is_that_of_its_column(told: dict[str, Any]) -> None:
    cells, sums = told["cells"], told["sums"]
    joined = zip(*(cells[f"Metadata_{name}_ObjectNumber"] for name in ("Cells", "Cytoplasm", "Nuclei")), strict=True)

    assert {*cells["Metadata_Site"]} == {"1", "2"}
    assert all(cell == cytoplasm == nucleus for cell, cytoplasm, nucleus in joined)
    assert [name for name in cells if not name.startswith("Metadata_")] == sums["feature"]
    for name, total, count in zip(*sums.values(), strict=True):
        values = [value for value in cells[name] if value is not None]
        assert count == len(values)
        assert math.isclose(total, math.fsum(values), rel_tol=1e-12, abs_tol=1e-9), name


def test_a_montage_is_the_same_picture(programs: Programs, plate: Plate, both: Outcome, handed_on: Outcome) -> None:
    made = [programs.montage(plate, each.analysis, each.output / "montage") for each in (both, handed_on)]
    one, other = (each.files / f"{PLATE}_montage.png" for each in made)

    assert [each.code for each in made] == [0, 0]
    assert made[0].facts() == made[1].facts()
    assert one.read_bytes() == other.read_bytes()

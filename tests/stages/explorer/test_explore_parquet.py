"""A plate that was measured into Parquet is shown as from its csv files, to the byte."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.explorer.conftest import Outcome
from tests.stages.explorer.marked_plate import MarkedPlate, write

Explored = Callable[..., Outcome]
JOIN = """
import csv, sys
from pathlib import Path
import pyarrow, pyarrow.parquet

analysis = Path(sys.argv[1])

def table(folder, name):
    with open(folder / f"{name}.csv", newline="") as lines:
        return list(csv.DictReader(lines))

def joined(folder):
    _, well, site = folder.name.split("-")
    nuclei = {int(row["ObjectNumber"]): row for row in table(folder, "Nuclei")}
    of_cell = {int(row["Parent_Cells"]): row for row in table(folder, "Cytoplasm")}
    for cell in table(folder, "Cells"):
        own = {"Cells": cell, "Cytoplasm": of_cell[int(cell["ObjectNumber"])],
               "Nuclei": nuclei[int(float(cell["Parent_Nuclei"]))]}
        numbers = {f"Metadata_{kind}_ObjectNumber": int(row["ObjectNumber"]) for kind, row in own.items()}
        yield {"Metadata_Site": site, **numbers, **{
            f"{kind}_{name}": float(text) for kind, row in own.items() for name, text in row.items()
            if name not in ("ImageNumber", "ObjectNumber")}}

def put(kind, stem, rows):
    (analysis / kind).mkdir(exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), analysis / kind / f"{stem}.parquet")

# A nucleus without a cell has a row of its own; a failure cut the well B01.
parts = {"A01": "12", "A02": "12", "B01_s1": "1", "B01_s2": "2"}
for stem, sites in parts.items():
    well = stem[:3]
    folders = [analysis / f"P1-{well}-{site}" for site in sites]
    alone = {"Metadata_Site": sites[0], "Metadata_Nuclei_ObjectNumber": 77, "Nuclei_AreaShape_Area": 1e6}
    put("cells", stem, [*(row for folder in folders for row in joined(folder)), alone])
    put("images", stem, [{"Metadata_Plate": "P1", "Metadata_Well": well, "Metadata_Site": site} for site in sites])
for path in analysis.glob("P1-*/*.csv"):
    path.unlink()
"""


def by_number(analysis: Path) -> None:
    """Let the tables of cells be in the order of their numbers, as CellProfiler writes them."""
    for path in analysis.glob("*/Cells.csv"):
        rows = list(csv.DictReader(path.read_text().splitlines()))
        write(path, sorted(rows, key=lambda row: int(row["ObjectNumber"])))


def shown(done: Outcome) -> dict[str, bytes]:
    assert done.code == 0, done.stderr
    files = (path for path in done.folder.rglob("*") if path.suffix in (".js", ".jpg", ".png"))
    return {path.relative_to(done.folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def of_csv(plate: MarkedPlate, explored: Explored) -> dict[str, bytes]:
    by_number(plate.folder / "analysis")
    return shown(explored(plate))


@pytest.fixture
def of_wells(of_csv: dict[str, bytes], plate: MarkedPlate, explorer_python: Path) -> Path:
    """Return the plate's analysis, as files of wells instead of csv."""
    subprocess.run([explorer_python, "-c", JOIN, plate.folder / "analysis"], check=True)
    return plate.folder / "analysis"


def test_the_page_is_that_of_the_csv_files(
    of_csv: dict[str, bytes], of_wells: Path, plate: MarkedPlate, explored: Explored
) -> None:
    assert len(of_csv) > 20
    assert shown(explored(plate)) == of_csv

    whole = of_wells / "cells/A02.parquet"
    whole.write_bytes(whole.read_bytes()[:-9])
    done = explored(plate)
    assert done.code == 65
    assert "cells/A02.parquet: not a whole Parquet file" in done.stderr

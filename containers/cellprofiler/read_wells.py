"""Read a site of what was measured into Parquet (well_files.py) again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.compute
import pyarrow.parquet

import site_folders
from stagekit.contracts import COMPARTMENTS
from stagekit.program import DataError
from well_files import NUMBER, OBJECT, PLACE


def texts(analysis: Path, name: str) -> dict[str, list[Sequence[str]]]:
    """Return the tables of a site by the names of their csv files, header first, as those csv files have them."""
    well, _, site = name.rpartition("-")
    stem, image = _find(analysis, well, site)
    found: dict[str, list[Sequence[str]]] = {}
    found["Image.csv"] = [list(image), ["" if value is None else str(value) for value in image.values()]]
    cells = pyarrow.parquet.read_table(analysis / "cells" / f"{stem}.parquet", use_threads=False)
    rows = cells.filter(pyarrow.compute.equal(cells[NUMBER], image["ImageNumber"]))
    for table in COMPARTMENTS:
        numbers = rows[OBJECT.format(table)].to_pylist()
        order = sorted((at for at, own in enumerate(numbers) if own is not None), key=lambda at: numbers[at])
        names = [column for column in rows.column_names if column.startswith(f"{table}_")]
        columns = [rows[column].to_pylist() for column in names]
        first = ["ImageNumber", "ObjectNumber", *(column[len(table) + 1 :] for column in names)]
        cells_of = [[image["ImageNumber"], numbers[at], *(column[at] for column in columns)] for at in order]
        found[f"{table}.csv"] = [first, *([_text(cell) for cell in row] for row in cells_of)]
    header, body = site_folders.read(analysis / "experiment" / f"{stem}.csv")
    found["Experiment.csv"] = [header, *body]
    return found


def counts(path: Path) -> dict[str, int]:
    """Return the cells of each site of a file of images, by the name of the site's folder."""
    rows = pyarrow.parquet.read_table(path, columns=[*PLACE, "Count_Cells"], use_threads=False).to_pylist()
    return {"-".join(row[name] for name in PLACE): int(row["Count_Cells"]) for row in rows}


def _find(analysis: Path, well: str, site: str) -> tuple[str, dict[str, object]]:
    for path in sorted((analysis / "images").glob(f"{well}*.parquet")):
        for row in pyarrow.parquet.read_table(path, use_threads=False).to_pylist():
            if (row["Metadata_Well"], row["Metadata_Site"]) == (well, site):
                return path.stem, row
    raise DataError(f"{analysis.name}/images holds no site {well}-{site}; measure it again")


def _text(value: object) -> str:
    return "nan" if value is None else str(value)

"""The cells of a site that was measured into Parquet, files of a well (well_files.py of the image cellprofiler)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from stagekit import program

if TYPE_CHECKING:
    import pyarrow  # below, where it is needed: it takes a third of a second, which plates in csv need not wait for

SITE, OBJECT = "Metadata_Site", "Metadata_Cells_ObjectNumber"
PLACE = ("Metadata_Plate", "Metadata_Well", SITE)
OF_IMAGES = re.compile(r"images/[^/]+\.parquet")
OF_CELLS = re.compile(r"cells/([A-Z]+[0-9]+)(_s[^/]*)?\.parquet")


def lie_in(analysis: Path) -> bool:
    """Say whether a plate was measured into Parquet, be it beside csv files."""
    return (analysis / "cells").is_dir()


def folders(path: Path) -> set[str]:
    """Return the names that the folders of the sites of a file of images bear."""
    rows = _read(path, list(PLACE)).to_pylist()
    return {"-".join(row[name] for name in PLACE) for row in rows}


def read(
    analysis: Path, well: str, site: int, features: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ObjectNumber, centre (pixels) and values (cells x features) of a site's cells, as they are numbered.

    The centre is by the first pair that was measured; a feature that was not is NaN.
    """
    parts = [_of_site(path, site, features, pairs) for path in _files(analysis, well)]
    if not parts:
        raise program.DataError(f"{analysis.name}/cells: holds no file of well {well}; measure the plate again")
    numbers, centres, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(numbers, kind="stable")
    return numbers[order], centres[order], values[order]


def well_of(name: str) -> str:
    """Return the well whose cells a file of the analysis holds, else nothing."""
    found = OF_CELLS.fullmatch(name)
    return found[1] if found else ""


def _files(analysis: Path, well: str) -> list[Path]:
    """Return the files of a well: one, or several if a failure cut it."""
    paths = sorted((analysis / "cells").glob(f"{well}*.parquet"))
    return [path for path in paths if well_of(f"cells/{path.name}") == well]


def _of_site(
    path: Path, site: int, features: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    names = {*_schema(path).names}
    centre = next(([f"Cells_{x}", f"Cells_{y}"] for x, y in pairs if {f"Cells_{x}", f"Cells_{y}"} <= names), None)
    if not centre:
        raise program.DataError(f"cells/{path.name}: has no Cells_{pairs[0][0]}: let the pipeline measure AreaShape")
    there = [name for name in features if name in names]
    table = _read(path, list(dict.fromkeys([SITE, OBJECT, *centre, *there])))
    numbers = _column(table, OBJECT)
    own = np.flatnonzero([int(text) == site for text in table[SITE].to_pylist()] & np.isfinite(numbers))
    values = np.full((len(own), len(features)), np.nan)
    for at, name in enumerate(features):
        if name in names:
            values[:, at] = _column(table, name)[own]
    return numbers[own].astype(int), np.column_stack([_column(table, name)[own] for name in centre]), values


def _column(table: pyarrow.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)


def _schema(path: Path) -> pyarrow.Schema:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _broken(path, error) from error


def _read(path: Path, columns: list[str]) -> pyarrow.Table:
    import pyarrow.parquet

    try:
        # On this thread: Arrow's own may abort the program as it ends (apache/arrow#34314).
        with pyarrow.parquet.ParquetFile(path) as file:
            return file.read(columns=columns, use_threads=False)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> program.DataError:
    return program.DataError(
        f"{path.parent.name}/{path.name}: not a whole Parquet file ({error}); was the analysis copied whole? "
        "Else measure the plate again"
    )

"""Find the tables of another laboratory or program that a plate begins with, and look at their columns."""

from __future__ import annotations

import csv
import gzip
import zlib
from pathlib import Path

from stagekit import features

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, TableError

WELL_TABLES = (".parquet", ".csv.gz", ".csv", ".tsv.gz", ".tsv", ".txt")
CELL_TABLES = ("", ".sqlite", ".db", ".parquet", ".csv.gz", ".csv")
"""What a plate's table may end in; without an ending it is a folder of csv or Parquet files."""


def find(layout: Layout, kind: str, batch: str, plate: str, given: Path | None) -> Path:
    """Return a plate's table of wells or cells: where luigi.cfg says, else <plate>.* or the one table of all plates.

    Raises MissingInputError if there is none, or several of which none bears the plate's name.
    """
    if given:
        return _there(given, kind, plate)
    folder = layout.own_tables(kind, batch)
    lying = sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    found = named(layout, kind, batch, plate) or lying
    if len(found) == 1:
        return found[0]
    held = ", ".join(path.name for path in found[:8]) or "nothing"
    lay = f"{plate}{' or '.join(ending or '/' for ending in _endings(kind))}"
    message = f"{folder}: no one table of the {kind} of plate {plate} lies here, but {held}"
    raise MissingInputError(f"{message}; lay one as {lay}, or say where it is: [import_{kind}] file = ...{{plate}}...")


def named(layout: Layout, kind: str, batch: str, plate: str) -> list[Path]:
    """Return the tables that lie there and are called as their plate is."""
    folder = layout.own_tables(kind, batch)
    return [path for ending in _endings(kind) if (path := folder / f"{plate}{ending}").exists()]


def _endings(kind: str) -> tuple[str, ...]:
    return WELL_TABLES if kind == "wells" else CELL_TABLES


def _there(path: Path, kind: str, plate: str) -> Path:
    if not path.exists():
        message = f"{path}: the table of the {kind} of plate {plate} is not there"
        raise MissingInputError(f"{message}; lay it, or correct luigi.cfg [import_{kind}] file")
    return path


def check_features(path: Path, prefixes: str) -> None:
    """Raise TableError if a column of profiles (csv.gz) is neither metadata nor begins as features do."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            names = next(csv.reader(lines), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error):
        return  # the program that reads it says so
    known = features.prefixes(prefixes)
    strange = [name for name in features.strangers(names, known) if features.is_feature(name)]
    if strange:
        message = f"{path}: the column {', '.join(strange[:5])} starts with none of Metadata_, {', '.join(known)}"
        raise TableError(f"{message}; rename or remove it, or name its prefix: [import_wells] features")

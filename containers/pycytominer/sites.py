"""The csv files that CellProfiler wrote of a site, checked as they are read."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple, Union

import numbers_csv
import numpy as np
from stagekit import program
from stagekit.contracts import COMPARTMENTS

Value = Union[str, float, None]
TABLES = ("Image", *COMPARTMENTS)
TEXTS = ("Metadata_", "FileName_", "MD5Digest_")
LOCAL = ("PathName_", "URL_", "ExecutionTime_")  # of this machine and this run: a rerun would give other bytes
NUMBERS = ("ImageNumber", "ObjectNumber")
# An object's metadata are its image's.
DROPPED: Dict[str, Tuple[str, ...]] = {"Image": LOCAL, **dict.fromkeys(COMPARTMENTS, ("Metadata_",))}


class Site(NamedTuple):
    """A site folder `<plate>-<well>-<site>`."""

    folder: Path
    plate: str
    well: str
    number: int

    @property
    def name(self) -> str:
        """Return the folder's name: what an error calls the site."""
        return self.folder.name


@dataclass(frozen=True)
class Image:
    """The one row of a site's Image.csv: its ImageNumber, the objects it counted, and the values to store."""

    number: str
    counts: Dict[str, int]
    row: List[Value]


class Measured(NamedTuple):
    """What was measured of a site: its image, and a table of numbers a compartment, ObjectNumber first."""

    image: Image
    tables: Dict[str, np.ndarray]


def find(analysis: Path, plate: str) -> List[Site]:
    """Return the sites of a plate, by well and number."""
    found = []
    for folder in sorted(path for path in analysis.iterdir() if path.is_dir()):
        match = re.fullmatch(re.escape(plate) + r"-([A-Z]+[0-9]+)-([0-9]+)", folder.name)
        if not match:
            message = f"{folder.name}: not a site of plate {plate}, whose folders are named like {plate}-A01-1"
            raise program.DataError(f"{message}; move it away")
        found.append(Site(folder, plate, match[1], int(match[2])))
    if not found:
        raise program.DataError(f"{analysis.name}: holds no site folder of plate {plate}; was it measured?")
    return sorted(found, key=lambda site: (len(site.well), site.well, site.number))


class Header(NamedTuple):
    """The columns to store of a table's csv, in the csv's order, and whether a row follows."""

    names: Tuple[str, ...]
    filled: bool


def header(site: Site, table: str) -> Header:
    """Read the header of a site's csv, which must be whole."""
    with open(_path(site, table), "rb") as file:
        line, filled = file.readline(), bool(file.read(1))
    try:
        names = _names(line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise program.DataError(f"{table}.csv has no header: {error}") from error
    keys = NUMBERS if table in COMPARTMENTS else NUMBERS[:1]
    missing = [name for name in keys if name not in names]
    if missing or len(set(names)) < len(names):
        message = f"{table}.csv has no column {', '.join(missing)}" if missing else ""
        raise program.DataError(message or f"{table}.csv has a column twice")
    return Header(tuple(name for name in names if not name.startswith(DROPPED[table])), filled)


@lru_cache(maxsize=64)  # most sites have the same
def _names(line: bytes) -> Tuple[str, ...]:
    return tuple(next(csv.reader([line.decode("utf-8")]), []))


def read(site: Site, layout: Dict[str, List[str]]) -> Measured:
    """Read a site's csv files, whose rows must be those that Image.csv counted.

    `layout` has the columns of each table; one that the site lacks has no value. The rows of a table are its objects,
    the columns ObjectNumber and then its features.
    """
    seen = image(site, layout["Image"])
    tables = {table: _objects(site, table, layout[table], seen.number) for table in COMPARTMENTS}
    for table, expected in seen.counts.items():
        if len(tables[table]) != expected:
            raise program.DataError(f"{table}.csv has {len(tables[table])} rows, but Image.csv counted {expected}")
    return Measured(seen, tables)


def features(table: str, layout: Dict[str, List[str]]) -> List[str]:
    """Return the names of an object table's columns after ObjectNumber, as the backend has them."""
    return [f"{table}_{name}" for name in layout[table] if name not in NUMBERS]


def image(site: Site, names: List[str]) -> Image:
    """Read the values of a site's Image.csv with these names."""
    values = _image_row(site)
    for name, expected in (("Plate", site.plate), ("Well", site.well), ("Site", str(site.number))):
        told = values.get(f"Metadata_{name}")
        if told != expected and not (name == "Site" and value(told or "") == site.number):
            raise program.DataError(f"Image.csv says Metadata_{name} {told!r} instead of {expected!r}")
    counts = {table: _count(table, values) for table in COMPARTMENTS if f"Count_{table}" in values}
    stored = [(name, values.get(name)) for name in names if name not in NUMBERS]
    row = [text if text is None or name.startswith(TEXTS) else value(text) for name, text in stored]
    return Image(values["ImageNumber"], counts, row)


def _count(table: str, values: Dict[str, str]) -> int:
    text = values[f"Count_{table}"]
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise program.DataError(f"Image.csv says Count_{table} {text!r}, which is no number of objects") from error


def _objects(site: Site, table: str, names: List[str], number: str) -> np.ndarray:
    """Return a site's objects: ObjectNumber, then the features; `number` is the site's ImageNumber."""
    own = list(header(site, table).names)
    values = numbers_csv.read(_path(site, table), DROPPED[table])
    others = np.flatnonzero(values[:, own.index("ImageNumber")] != value(number))
    if len(others):
        found = values[others[0], own.index("ImageNumber")]
        raise program.DataError(f"{table}.csv has ImageNumber {found:g}, Image.csv {number}")
    if own != names:
        place = {name: at for at, name in enumerate(names)}
        wide = np.full((len(values), len(names)), np.nan)
        wide[:, [place[name] for name in own]] = values
        values = wide
    order = [names.index("ObjectNumber"), *(at for at, name in enumerate(names) if name not in NUMBERS)]
    return values[:, order]


def _image_row(site: Site) -> Dict[str, str]:
    """Return the one row of Image.csv."""
    with open(_path(site, "Image"), encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        whole, rows = next(reader), list(reader)
    if len(rows) != 1:
        raise program.DataError(f"Image.csv has {len(rows)} rows instead of one")
    if len(rows[0]) != len(whole):
        raise program.DataError(f"Image.csv is cut off: it has {len(rows[0])} of {len(whole)} fields")
    return dict(zip(whole, rows[0], strict=True))


def _path(site: Site, table: str) -> Path:
    path = site.folder / f"{table}.csv"
    if not path.is_file() or not path.stat().st_size:
        raise program.DataError(f"{table}.csv is {'empty' if path.is_file() else 'missing'}")
    with open(path, "rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise program.DataError(f"{table}.csv is cut off: its last line has no end")
    return path


def value(text: str) -> Value:
    """Return what a cell of a csv says: a number, nothing, or a text."""
    try:
        return float(text) if text else None
    except ValueError:
        return text

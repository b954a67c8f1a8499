"""The csv files that CellProfiler wrote of a site, checked as they are read."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union

import numbers_csv
import numpy as np
from single_cells import LINKS, Well
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


def header(site: Site, table: str) -> List[str]:
    """Return the columns to store of a table's csv, in the csv's order."""
    names = numbers_csv.header(_path(site, table))
    keys = NUMBERS if table in COMPARTMENTS else NUMBERS[:1]
    missing = [name for name in keys if name not in names]
    if missing or len(set(names)) < len(names):
        message = f"{site.name}: {table}.csv has no column {', '.join(missing)}" if missing else ""
        raise program.DataError(message or f"{site.name}: {table}.csv has a column twice")
    return [name for name in names if not name.startswith(DROPPED[table])]


def read(site: Site, layout: Dict[str, List[str]]) -> Measured:
    """Read a site's csv files, whose columns must be those of `layout`, and whose rows those that Image.csv counted."""
    for table, names in layout.items():
        _check_columns(site, table, names)
    seen = image(site, layout["Image"])
    tables = {table: _objects(site, table, layout[table], seen.number) for table in COMPARTMENTS}
    for table, expected in seen.counts.items():
        if len(tables[table]) != expected:
            message = f"{site.name}: {table}.csv has {len(tables[table])} rows, but Image.csv counted {expected}"
            raise program.DataError(f"{message}; measure the site again")
    return Measured(seen, tables)


def features(table: str, layout: Dict[str, List[str]]) -> List[str]:
    """Return the names of an object table's columns after ObjectNumber, as the backend has them."""
    return [f"{table}_{name}" for name in layout[table] if name not in NUMBERS]


def image(site: Site, names: List[str]) -> Image:
    """Read a site's Image.csv, whose columns must be `names`."""
    values = _image_row(site, names)
    for name, expected in (("Plate", site.plate), ("Well", site.well), ("Site", str(site.number))):
        told = values.get(f"Metadata_{name}")
        if told != expected and not (name == "Site" and _value(told or "") == site.number):
            raise program.DataError(f"{site.name}: Image.csv says Metadata_{name} {told!r} instead of {expected!r}")
    counts = {table: int(float(values[f"Count_{table}"])) for table in COMPARTMENTS if f"Count_{table}" in values}
    row = [text if name.startswith(TEXTS) else _value(text) for name, text in values.items() if name not in NUMBERS]
    return Image(values["ImageNumber"], counts, row)


def _objects(site: Site, table: str, names: List[str], number: str) -> np.ndarray:
    """Return a site's objects: ObjectNumber, then the features; `number` is the site's ImageNumber."""
    try:
        values = numbers_csv.read(_path(site, table), DROPPED[table])
    except program.DataError as error:
        raise program.DataError(f"{site.name}: {error}; measure the site again") from error
    others = np.flatnonzero(values[:, names.index("ImageNumber")] != float(number))
    if len(others):
        found = values[others[0], names.index("ImageNumber")]
        message = f"{site.name}: {table}.csv has ImageNumber {found:g}, Image.csv {number}; measure it again"
        raise program.DataError(message)
    order = [names.index("ObjectNumber"), *(at for at, name in enumerate(names) if name not in NUMBERS)]
    return values[:, order]


def _check_columns(site: Site, table: str, names: List[str]) -> None:
    stored = header(site, table)
    if stored != names:
        other = ", ".join(sorted(set(stored) ^ set(names))[:5]) or "the order"
        message = f"{site.name}: {table}.csv has other columns than the first site: {other}; measure the site again"
        raise program.DataError(message)


def _image_row(site: Site, names: List[str]) -> Dict[str, str]:
    """Return the one row of Image.csv."""
    with open(_path(site, "Image"), encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        whole, rows = next(reader), list(reader)
    if len(rows) != 1:
        raise program.DataError(f"{site.name}: Image.csv has {len(rows)} rows instead of one; measure the site again")
    if len(rows[0]) != len(whole):
        message = f"{site.name}: Image.csv is cut off: it has {len(rows[0])} of {len(whole)} fields"
        raise program.DataError(f"{message}; measure the site again")
    values = dict(zip(whole, rows[0], strict=True))
    return {name: values[name] for name in names}


def _path(site: Site, table: str) -> Path:
    path = site.folder / f"{table}.csv"
    if not path.is_file() or not path.stat().st_size:
        state = "is empty" if path.is_file() else "is missing"
        raise program.DataError(f"{site.name}: {table}.csv {state}; measure the site again")
    with open(path, "rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise program.DataError(f"{site.name}: {table}.csv is cut off: its last line has no end; measure it again")
    return path


def _value(text: str) -> Value:
    try:
        return float(text) if text else None
    except ValueError:
        return text


class Reader:
    """Reads the cells of a plate from its site folders, a well at a time."""

    def __init__(self, analysis: Path, plate: str) -> None:
        self.found = find(analysis, plate)
        self.layout = {table: header(self.found[0], table) for table in TABLES}
        self.features = {
            table: [name for name in features(table, self.layout) if name not in LINKS] for table in COMPARTMENTS
        }

    def wells(self) -> Iterator[Well]:
        """Yield the wells in the order of their names."""
        for well, group in groupby(self.found, key=lambda site: site.well):
            measured = [read(site, self.layout).tables for site in group]
            yield Well(well, len(measured), {table: self._join(table, measured) for table in COMPARTMENTS})

    def _join(self, table: str, measured: List[Dict[str, np.ndarray]]) -> np.ndarray:
        names = features(table, self.layout)
        kept = [at for at, name in enumerate(names, start=1) if name not in LINKS]
        return np.concatenate([tables[table] for tables in measured])[:, kept]

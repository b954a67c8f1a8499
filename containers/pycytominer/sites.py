"""The csv files that CellProfiler wrote of a site, checked as they are read."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

from stagekit import program
from stagekit.contracts import COMPARTMENTS

Value = Union[str, float, None]
TABLES = ("Image", *COMPARTMENTS)
TEXTS = ("Metadata_", "FileName_", "MD5Digest_")
LOCAL = ("PathName_", "URL_", "ExecutionTime_")  # of this machine and this run: a rerun would give other bytes
NUMBERS = ("ImageNumber", "ObjectNumber")


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
    with open(_path(site, table), encoding="utf-8", newline="") as lines:
        names = next(csv.reader(lines), [])
    numbers = NUMBERS if table in COMPARTMENTS else NUMBERS[:1]
    missing = [name for name in numbers if name not in names]
    if missing or len(set(names)) < len(names):
        message = f"{site.name}: {table}.csv has no column {', '.join(missing)}" if missing else ""
        raise program.DataError(message or f"{site.name}: {table}.csv has a column twice")
    dropped = LOCAL if table == "Image" else ("Metadata_",)  # an object's metadata are its image's
    return [name for name in names if not name.startswith(dropped)]


def image(site: Site, names: List[str]) -> Image:
    """Read a site's Image.csv, whose columns must be `names`."""
    rows = list(_rows(site, "Image", names))
    if len(rows) != 1:
        raise program.DataError(f"{site.name}: Image.csv has {len(rows)} rows instead of one; measure the site again")
    values = dict(zip(names, rows[0], strict=True))
    for name, expected in (("Plate", site.plate), ("Well", site.well), ("Site", str(site.number))):
        told = values.get(f"Metadata_{name}")
        if told != expected and not (name == "Site" and _value(told or "") == site.number):
            raise program.DataError(f"{site.name}: Image.csv says Metadata_{name} {told!r} instead of {expected!r}")
    counts = {table: int(float(values[f"Count_{table}"])) for table in COMPARTMENTS if f"Count_{table}" in values}
    row = [text if name.startswith(TEXTS) else _value(text) for name, text in values.items() if name not in NUMBERS]
    return Image(values["ImageNumber"], counts, row)


def objects(site: Site, table: str, names: List[str], number: str) -> Iterator[List[Optional[float]]]:
    """Read a site's objects: ObjectNumber, then the other columns of `names`; `number` is the site's ImageNumber."""
    at_image, at_object = names.index("ImageNumber"), names.index("ObjectNumber")
    stored = itemgetter(at_object, *(at for at in range(len(names)) if at not in (at_image, at_object)))
    for row in _rows(site, table, names):
        if row[at_image] != number:
            message = f"{site.name}: {table}.csv has ImageNumber {row[at_image]}, Image.csv {number}; measure it again"
            raise program.DataError(message)
        try:
            yield [float(text) if text else None for text in stored(row)]  # sqlite3 stores nan as NULL
        except ValueError as error:
            raise program.DataError(f"{site.name}: {table}.csv holds a text among its numbers: {error}") from error


def _rows(site: Site, table: str, names: List[str]) -> Iterator[Sequence[str]]:
    """Yield the rows of a csv, only its columns `names`; a row that is cut short is an error."""
    stored = header(site, table)
    if stored != names:
        other = ", ".join(sorted(set(stored) ^ set(names))[:5]) or "the order"
        message = f"{site.name}: {table}.csv has other columns than the first site: {other}; measure the site again"
        raise program.DataError(message)
    with open(_path(site, table), encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        whole = next(reader)
        kept = itemgetter(*(whole.index(name) for name in names))
        for row in reader:
            if len(row) != len(whole):
                at = reader.line_num
                message = f"{site.name}: {table}.csv is cut off: line {at} has {len(row)} of {len(whole)} fields"
                raise program.DataError(f"{message}; measure the site again")
            yield row if len(names) == len(whole) else kept(row)


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

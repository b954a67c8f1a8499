"""The single cells of another laboratory or program, a well at a time, in the form of our `_cells` Parquet files.

A row is a cell: the objects that belong to each other, by the parents that one of them names. An object without
partners has a row of its own. Objects are called as luigi.cfg says, else as the table calls them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, NamedTuple, Protocol, Tuple

import foreign
import numpy as np
import pandas as pd
from stagekit import program
from stagekit.features import METADATA

PLACE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_ImageNumber")
NUMBER = "Metadata_{}_ObjectNumber"
KEYS = ("ImageNumber", "ObjectNumber", "TableNumber")
NO_OBJECTS = ("Image", "Experiment", "Metadata", "object")
FOLDER = re.compile(r"(?P<plate>.+)-(?P<well>[A-Za-z]{1,2}[0-9]{1,2})-(?P<site>[0-9]+)")
"""How Distributed-CellProfiler names a site's folder."""


class OtherPlateError(program.DataError):
    """The images of a table are of other plates."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a table: the plate, and what it calls its columns and objects (ours -> its own)."""

    plate: str
    columns: Mapping[str, str]
    objects: Mapping[str, str]
    bears_plate: bool = True
    """Whether the table's own name says the plate, or the batch has no other: no column need say it then."""

    def column(self, names: List[str], role: str, where: str) -> str:
        """Return the column of a role; "" if none is."""
        return foreign.column(names, role, f"[import_cells] {role}", self.columns.get(role, ""), where)

    def ours(self, theirs: str) -> str:
        """Return what an object is called here; "" if it is not asked for."""
        if not self.objects:
            return re.sub(r"[^A-Za-z0-9]+", "", theirs)
        return next((ours for ours, name in self.objects.items() if name == theirs), "")

    def check(self, found: List[str], where: str) -> None:
        """Raise DataError if an object that luigi.cfg names is not there, or none is."""
        missing = sorted({*self.objects.values()} - {*found})
        if missing or not found:
            message = (
                f"{where}: it has no object {missing[0]!r}" if missing else f"{where}: it has no object with features"
            )
            known = ", ".join(found) or "none"
            raise program.DataError(f"{message}; its objects are {known}; correct [import_cells] objects")


class Well(NamedTuple):
    """The cells of a well: a row a cell, PLACE first, then each object's number, then the features."""

    name: str
    sites: int
    cells: pd.DataFrame


class Reader(Protocol):
    """A plate's single cells, in whichever form they lie there."""

    features: Dict[str, List[str]]
    """The names of every object's features, as they are called here: Cells_AreaShape_Area."""
    sites: List[str]
    """The names of all sites, where each may fail by itself; else none."""
    quarantined: Dict[str, str]
    """Why a site could not be used, by its name; complete once the wells are."""

    def wells(self) -> Iterator[Well]:
        """Yield every well, by name."""
        ...


def images(table: pd.DataFrame, asked: Asked, where: str) -> pd.DataFrame:
    """Return the plate's images: `well` and `site` as text, beside the key columns of `table`, whose cells are text.

    Raises DataError if no column says the well, if one is none, or if no image is of the plate.
    """
    names = [name for name in table.columns if name not in KEYS]
    plate, well, site = (asked.column(names, role, where) for role in ("plate", "well", "site"))
    if not well:
        held = ", ".join(name for name in names if foreign.LEADING.match(name)) or ", ".join(names[:6])
        message = f"{where}: no column says the well; it has {held}"
        raise program.DataError(f"{message}; name it: [import_cells] well = ..., or call folders <plate>-A01-1")
    own = table
    if plate:
        plates = foreign.texts(table[plate])
        own = table[[each == asked.plate for each in plates]]
        if own.empty:
            few = ", ".join(sorted({*plates} - {""})[:6]) or "no plate"
            raise OtherPlateError(f"{where}: no image is of plate {asked.plate}; column {plate} holds {few}")
    elif not asked.bears_plate:
        raise program.DataError(f"{where}: {foreign.no_plate('import_cells', asked.plate)}")
    made = own[[name for name in KEYS if name in own]].copy()
    made["well"] = [_well(text, well, where) for text in foreign.texts(own[well])]
    made["site"] = foreign.texts(own[site]) if site else [str(number) for number in own["ImageNumber"]]
    return made


def _well(text: str, column: str, where: str) -> str:
    name = foreign.well(text)
    if not name:
        message = f"{where}: column {column} holds {text!r}, which is no well; wells are written A01, A1 or a1"
        raise program.DataError(f"{message}; correct it, or name another column: [import_cells] well")
    return name


def renamed(theirs: str, names: List[str], asked: Asked) -> Dict[str, str]:
    """Return what the features of an object are called here, without its keys; parents by our names too."""
    ours, prefix = asked.ours(theirs), f"{theirs}_"
    made = {}
    for name in names:
        bare = name[len(prefix) :] if name.startswith(prefix) else name
        if bare in KEYS or bare.startswith(METADATA):
            continue
        if bare.startswith("Parent_"):
            parent = bare[len("Parent_") :]
            bare = f"Parent_{asked.ours(parent) or parent}"
        made[name] = f"{ours}_{bare}"
    return made


def joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row for every cell of some images.

    Each table has the columns `image` and `number`, and its features; numbers are whole, unique within an image.
    """
    rows = _rows(tables)
    count = 1 + max((int(place.max()) for place in rows.values() if len(place)), default=-1)
    columns: Dict[str, np.ndarray] = {"image": np.zeros(count, dtype="int64")}
    for name, table in tables.items():
        place = rows[name]
        columns["image"][place] = table["image"].to_numpy()
        for feature in [each for each in table.columns if each not in ("image", "number")]:
            columns[feature] = _spread(table[feature].to_numpy(dtype="float64"), place, count)
        columns[NUMBER.format(name)] = _spread(table["number"].to_numpy(dtype="float64"), place, count)
    return pd.DataFrame(columns)


def _spread(values: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    made = np.full(count, np.nan)
    made[place] = values
    return made


def _rows(tables: Mapping[str, pd.DataFrame]) -> Dict[str, np.ndarray]:
    """Return the row of every object of each table: partners share one, by the parents of the anchor."""
    links = {name: [each for each in tables if f"{name}_Parent_{each}" in tables[name]] for name in tables}
    anchor = max(links, key=lambda name: len(links[name]))
    base = tables[anchor]
    rows, count = {anchor: np.arange(len(base))}, len(base)
    for name, table in tables.items():
        if name == anchor:
            continue
        place: Dict[Tuple[float, float], int] = {}
        if name in links[anchor]:
            parents = base[f"{anchor}_Parent_{name}"].to_numpy(dtype="float64")
            for at, key in enumerate(zip(base["image"].tolist(), parents.tolist())):
                place.setdefault(key, at)  # a nucleus of two cells is the first one's
        own = list(zip(table["image"].tolist(), table["number"].tolist()))
        alone = [key for key in own if key not in place]
        place.update((key, count + at) for at, key in enumerate(alone))
        count += len(alone)
        rows[name] = np.array([place[key] for key in own], dtype="int64")
    return rows

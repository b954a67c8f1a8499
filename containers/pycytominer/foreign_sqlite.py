"""A sqlite of single cells: ExportToDatabase's (Per_Image, Per_Cells), or cytominer-database's (Image, Cells)."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Dict, Iterator, List

import pandas as pd
from foreign_cells import KEYS, NO_OBJECTS, PLACE, Asked, Well, images, joined, renamed
from stagekit import program

TABLE = re.compile(r"(?P<prefix>(?:.*Per_)?)(?P<name>[^_].*)")


class Reader:
    """Reads the cells of a sqlite, a well at a time."""

    def __init__(self, path: Path, asked: Asked) -> None:
        self.name, self.asked = path.name, asked
        self.sites: List[str] = []
        self.quarantined: Dict[str, str] = {}
        self.database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            self.tables = self._tables()
            self._find()
        except sqlite3.DatabaseError as error:
            raise program.DataError(f"{path.name}: it is no whole sqlite: {error}; copy it again") from error

    def _tables(self) -> Dict[str, List[str]]:
        names = [
            row[0] for row in self.database.execute("SELECT name FROM sqlite_master WHERE type IN ('table','view')")
        ]
        return {
            name: [row[1] for row in self.database.execute(f"PRAGMA table_info({_quoted(name)})")] for name in names
        }

    def _find(self) -> None:
        """Find the table of images and those of objects, and read the images."""
        image = next((name for name in self.tables if re.fullmatch(r"(.*Per_)?Image", name)), "")
        if not image:
            held = ", ".join(self.tables) or "none"
            raise program.DataError(f"{self.name}: it has no table Image or Per_Image; its tables are {held}")
        self.prefix = image[: -len("Image")]
        self.keys = [name for name in ("TableNumber", "ImageNumber") if name in self.tables[image]]
        columns = [name for name in self.tables[image] if name in self.keys or "Metadata" in name]
        columns += [name for name in self.asked.columns.values() if name in self.tables[image] and name not in columns]
        texts = ", ".join(f"CAST({_quoted(name)} AS TEXT) AS {_quoted(name)}" for name in columns)
        table = pd.read_sql_query(f"SELECT {texts} FROM {_quoted(image)}", self.database)
        self.images = images(table, self.asked, f"{self.name}, table {image}")
        if self.images[self.keys].duplicated().any():
            raise program.DataError(f"{self.name}, table {image}: {' '.join(self.keys)} is there twice; export it anew")
        self.objects = self._objects(image)
        self.asked.check([*self.objects], self.name)
        self.objects = {name: names for name, names in self.objects.items() if self.asked.ours(name)}
        self.features = {self.asked.ours(name): list(names.values()) for name, names in self.objects.items()}

    def _objects(self, image: str) -> Dict[str, Dict[str, str]]:
        """Return every object with features: its columns, and what they are called here; one table may hold all."""
        found: Dict[str, Dict[str, str]] = {}
        for table, columns in self.tables.items():
            name = table[len(self.prefix) :] if table.startswith(self.prefix) else ""
            if table == image or not {*self.keys} <= {*columns} or not name or name in NO_OBJECTS[:3]:
                continue
            stems = list(dict.fromkeys(column.split("_")[0] for column in columns if column not in KEYS))
            each = stems if name == "Object" else [name]
            for own in each:
                names = renamed(own, [column for column in columns if column.startswith(f"{own}_")], self.asked)
                found.update({own: names} if names and self._number(table, own) else {})
        return found

    def _number(self, table: str, name: str) -> str:
        known = self.tables[table]
        return next(
            (
                each
                for each in (f"{name}_Number_Object_Number", "ObjectNumber", f"{name}_ObjectNumber")
                if each in known
            ),
            "",
        )

    def wells(self) -> Iterator[Well]:
        """Yield every well of the plate."""
        for well, own in self.images.groupby("well"):
            own = own.reset_index(drop=True)
            self._ask(own)
            yield Well(str(well), len(own), self._cells(str(well), own))

    def _ask(self, own: pd.DataFrame) -> None:
        """Make the table `asked` of some images; SQLite compares a text with a column of numbers as a number."""
        keys = ", ".join(f"{key} TEXT" for key in self.keys)
        self.database.executescript(f"DROP TABLE IF EXISTS temp.asked; CREATE TEMP TABLE asked ({keys}, image INTEGER)")
        rows = [(*row, at) for at, row in enumerate(own[self.keys].itertuples(index=False, name=None))]
        self.database.executemany(f"INSERT INTO asked VALUES ({', '.join('?' * (len(self.keys) + 1))})", rows)

    def _cells(self, well: str, own: pd.DataFrame) -> pd.DataFrame:
        tables = {}
        same = " AND ".join(f"asked.{key} = o.{key}" for key in self.keys)
        for name, names in self.objects.items():
            table = f"{self.prefix}{name}" if f"{self.prefix}{name}" in self.tables else f"{self.prefix}Object"
            picked = ", ".join(f"o.{_quoted(theirs)} AS {_quoted(ours)}" for theirs, ours in names.items())
            number = f"o.{_quoted(self._number(table, name))} AS number"
            query = f"SELECT asked.image, {number}, {picked} FROM asked JOIN {_quoted(table)} o ON {same}"
            found = pd.read_sql_query(query, self.database)
            tables[self.asked.ours(name)] = _numbers(found[found["number"].notna()], f"{self.name}, table {table}")
        cells = joined(tables)
        at = cells.pop("image").to_numpy(dtype="int64")
        place = pd.DataFrame({PLACE[0]: self.asked.plate, PLACE[1]: well}, index=range(len(cells)))
        place[PLACE[2]] = own["site"].to_numpy()[at]
        place[PLACE[3]] = own["ImageNumber"].astype("int64").to_numpy()[at]
        return place.join(cells)


def _numbers(table: pd.DataFrame, where: str) -> pd.DataFrame:
    for name in table.columns:
        if table[name].dtype == object:
            made = pd.to_numeric(table[name], errors="coerce")
            bad = table[name][made.isna() & table[name].notna() & (table[name].astype(str).str.lower() != "nan")]
            if len(bad):
                raise program.DataError(f"{where}, column {name}: {bad.iloc[0]!r} is no number; correct it")
            table = table.assign(**{name: made})
    return table


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

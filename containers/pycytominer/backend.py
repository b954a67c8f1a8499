"""The backend: a plate's single cells in one sqlite, as cytominer-database laid it out."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np
import sites
from single_cells import LINKS, Well
from stagekit import program
from stagekit.contracts import COMPARTMENTS

COLUMN_LIMIT = 2000  # SQLITE_MAX_COLUMN of every stock build
KEY = ["TableNumber", "ImageNumber"]
CELLS_AT_ONCE = 256  # a cell is some 100 kB while Python holds it, and 15 kB as an array


class Writer:
    """Writes a backend, a site at a time."""

    def __init__(self, path: Path, layout: Dict[str, List[str]]) -> None:
        """Make the tables for the columns of the site csv files, or raise DataError if SQLite cannot hold them."""
        self.columns = {table: _columns(table, names) for table, names in layout.items()}
        _check_limit(self.columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.database = sqlite3.connect(path, isolation_level=None)
        # No journal: the file is published only when whole. A row is 15 kB, which small pages would scatter.
        pragmas = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 32768; BEGIN;"
        self.database.executescript(pragmas)
        for table, names in self.columns.items():
            types = ", ".join(f"{_quoted(name)} {_affinity(table, name)}" for name in names)
            self.database.execute(f'CREATE TABLE "{table}" ({types})')

    def add(self, number: int, site: sites.Measured) -> None:
        """Insert a site under a number of ours.

        Sites measured apart all bear ImageNumber 1, and would be joined crosswise.
        """
        self._insert("Image", number, [site.image.row])
        for table in COMPARTMENTS:
            self._insert(table, number, site.tables[table].tolist())  # sqlite3 stores nan as NULL

    def _insert(self, table: str, number: int, rows: List[List[sites.Value]]) -> None:
        marks = ", ".join("?" * len(self.columns[table]))
        self.database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', ((number, number, *row) for row in rows))

    def close(self) -> None:
        """Index the tables and end the file."""
        for table in self.columns:
            name = f"{table}_{'_'.join(KEY)}"
            self.database.execute(f'CREATE INDEX "{name}" ON "{table}" ({", ".join(KEY)})')
        self.database.execute("COMMIT")
        self.database.close()


class Reader:
    """Reads the cells of a backend, ours or cytominer-database's, a well at a time."""

    def __init__(self, path: Path, plate: str) -> None:
        self.database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        self.name, self.plate = path.name, plate
        self.sites, self.quarantined = [], {}
        self._place()
        self.features = {compartment: self._features(compartment) for compartment in COMPARTMENTS}

    def wells(self) -> Iterator[Well]:
        """Yield the wells of the Image table by name."""
        counts = self.database.execute("SELECT well, count(*) FROM place GROUP BY well ORDER BY well").fetchall()
        for well, images in counts:
            yield Well(well, images, {compartment: self._cells(compartment, well) for compartment in COMPARTMENTS})

    def _place(self) -> None:
        """Make the table `place`: which well an image belongs to."""
        prefix = image_prefix(self.database)
        columns = f"TableNumber, ImageNumber, {prefix}Metadata_Well AS well"
        self.database.execute(f"CREATE TEMP TABLE place AS SELECT {columns} FROM Image")
        self.database.execute("CREATE INDEX place_well ON place (well)")
        check_plate(self.database, self.plate, prefix)
        query = "SELECT 1 FROM place GROUP BY TableNumber, ImageNumber HAVING count(*) > 1"
        if self.database.execute(query).fetchone():
            message = f"the backend of plate {self.plate} has a (TableNumber, ImageNumber) twice"
            raise program.DataError(f"{message}, so cells cannot be told apart; collate the plate again")

    def _features(self, compartment: str) -> List[str]:
        names = [row[1] for row in self.database.execute(f'PRAGMA table_info("{compartment}")')]
        features = [name for name in names if name.startswith(f"{compartment}_") and name not in LINKS]
        if not features:
            message = f"the backend has no table {compartment}, or no feature in it; collate the plate again"
            raise program.DataError(message)
        return features

    def _cells(self, compartment: str, well: str) -> np.ndarray:
        features = self.features[compartment]
        columns = ", ".join(map(_quoted, features))
        # CROSS JOIN is SQLite's way to say: from the few images to their cells, by the index.
        query = (
            f'SELECT {columns} FROM place CROSS JOIN "{compartment}" USING (TableNumber, ImageNumber) WHERE well = ?'
        )
        rows = self.database.execute(query, (well,))
        parts = [np.empty((0, len(features)))]
        while chunk := rows.fetchmany(CELLS_AT_ONCE):
            parts.append(np.array(chunk, dtype="float64"))
        return np.concatenate(parts)


def image_prefix(database: sqlite3.Connection) -> str:
    """Return what stands before the names of the image's columns: older backends prefix them too."""
    names = {row[1] for row in database.execute('PRAGMA table_info("Image")')}
    return "Image_" if "Image_Metadata_Well" in names else ""


def check_plate(database: sqlite3.Connection, plate: str, prefix: str) -> None:
    """Raise DataError if a backend holds anything but this plate."""
    query = f"SELECT DISTINCT CAST({prefix}Metadata_Plate AS TEXT) FROM Image ORDER BY 1"
    plates = [row[0] for row in database.execute(query)]
    if plates != [plate]:
        held = ", ".join(map(str, plates)) or "no image"
        raise program.DataError(f"the backend of plate {plate} holds {held}; give it the plate's own sqlite")


def _check_limit(columns: Dict[str, List[str]]) -> None:
    """Raise DataError if a table would be wider than SQLite allows."""
    wide = {table: len(names) for table, names in columns.items() if len(names) > COLUMN_LIMIT}
    if wide:
        tables = ", ".join(f"{table} ({count} columns)" for table, count in wide.items())
        message = f"SQLite takes at most {COLUMN_LIMIT} columns a table, so no backend can hold {tables}"
        raise program.DataError(f"{message}; set [collate] sqlite = false, or measure less")


def _columns(table: str, names: List[str]) -> List[str]:
    """Return the column names of a table for the names of its csv, key first."""
    if table == "Image":
        return [*KEY, *(name for name in names if name not in KEY)]
    return [*KEY, "ObjectNumber", *sites.features(table, {table: names})]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _affinity(table: str, name: str) -> str:
    if name in (*KEY, "ObjectNumber") or "_Parent_" in name or name.endswith("_Number_Object_Number"):
        return "INTEGER"
    return "TEXT" if table == "Image" and name.startswith(sites.TEXTS) else "REAL"

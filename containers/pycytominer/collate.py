"""Join the site csv files of a plate into one sqlite of single cells, as cytominer-database laid it out.

Tables Image, Cells, Cytoplasm, Nuclei share the key (TableNumber, ImageNumber), a number for each site. Image columns
keep their names (`Metadata_Plate`, `Count_Cells`); object columns get their table's (`Cells_AreaShape_Area`), but for
`ObjectNumber`: this is what pycytominer's SingleCells reads with its defaults.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Dict, List, Tuple

import sites
from stagekit import program

COLUMN_LIMIT = 2000  # SQLITE_MAX_COLUMN of every stock build
KEY = ["TableNumber", "ImageNumber"]


def main() -> None:
    """Read the flags and write the sqlite, a site at a time."""
    flags = program.parser(__doc__)
    flags.add_argument("--analysis", required=True, type=Path, help="the folder of <plate>-<well>-<site> folders")
    flags.add_argument("--write_backend", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        found = sites.find(args.analysis, args.plate)
        layout = {table: sites.header(found[0], table) for table in sites.TABLES}
        check_limit(layout)
        args.write_backend.parent.mkdir(parents=True, exist_ok=True)
        args.write_backend.unlink(missing_ok=True)
        rows, empty = _write(args.write_backend, found, layout)
        if empty:
            report.warn(f"{len(empty)} of {len(found)} sites have no cell: {', '.join(empty[:10])}")
        report.fact("sites", len(found))
        report.fact("sites_without_cells", empty)
        report.fact("rows", rows)


def check_limit(layout: Dict[str, List[str]]) -> None:
    """Raise DataError if a table would be wider than SQLite allows."""
    wide = {table: len(columns(table, names)) for table, names in layout.items()}
    wide = {table: count for table, count in wide.items() if count > COLUMN_LIMIT}
    if wide:
        tables = ", ".join(f"{table} ({count} columns)" for table, count in wide.items())
        message = f"SQLite takes at most {COLUMN_LIMIT} columns a table, so no backend can hold {tables}; measure less"
        raise program.DataError(message)


def columns(table: str, names: List[str]) -> List[str]:
    """Return the column names of a table for the names of its csv, key first."""
    if table == "Image":
        return [*KEY, *(name for name in names if name not in KEY)]
    return [*KEY, "ObjectNumber", *(f"{table}_{name}" for name in names if name not in (*KEY, "ObjectNumber"))]


def _write(path: Path, found: List[sites.Site], layout: Dict[str, List[str]]) -> Tuple[Dict[str, int], List[str]]:
    """Write the sqlite; return the rows of each table, and the sites that have no cell."""
    database = sqlite3.connect(path, isolation_level=None)
    # No journal: the file is published only when whole. A row is 15 kB, which small pages would scatter.
    database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 32768; BEGIN;")
    for table, names in layout.items():
        database.execute(_create(table, columns(table, names)))
    rows, empty = dict.fromkeys(sites.TABLES, 0), []
    for number, site in enumerate(found, start=1):
        counts = _insert(database, number, site, layout)
        rows = {table: rows[table] + count for table, count in counts.items()}
        empty += [] if counts["Cells"] else [site.name]
    for table in sites.TABLES:
        database.execute(f'CREATE INDEX "{table}_{"_".join(KEY)}" ON "{table}" ({", ".join(KEY)})')
    database.execute("COMMIT")
    database.close()
    return rows, empty


def _create(table: str, names: List[str]) -> str:
    return f'CREATE TABLE "{table}" ({", ".join(f"{_quoted(name)} {_affinity(table, name)}" for name in names)})'


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _affinity(table: str, name: str) -> str:
    if name in (*KEY, "ObjectNumber") or "_Parent_" in name or name.endswith("_Number_Object_Number"):
        return "INTEGER"
    return "TEXT" if table == "Image" and name.startswith(sites.TEXTS) else "REAL"


def _insert(
    database: sqlite3.Connection, number: int, site: sites.Site, layout: Dict[str, List[str]]
) -> Dict[str, int]:
    """Insert one site and return the rows of each table; they must be what the Image csv counted."""
    counts = {}
    image = sites.image(site, layout["Image"])
    for table, names in layout.items():
        rows = [image.row] if table == "Image" else sites.objects(site, table, names, image.number)
        # Both numbers are ours: sites measured apart all bear ImageNumber 1, and would be joined crosswise.
        marks = ", ".join("?" * len(columns(table, names)))
        keyed = ((number, number, *row) for row in rows)
        cursor = database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', keyed)
        counts[table] = max(cursor.rowcount, 0)
    for table, expected in image.counts.items():
        if counts[table] != expected:
            message = f"{site.name}: {table}.csv has {counts[table]} rows, but Image.csv counted {expected}"
            raise program.DataError(f"{message}; measure the site again")
    return counts


if __name__ == "__main__":
    program.run(main)

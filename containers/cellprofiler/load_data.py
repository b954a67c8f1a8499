"""Read, check, slice and localise the load_data tables that name a plate's images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stagekit import contracts, program

KEY = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
ORIGINAL = "FileName_Orig"

Row = Mapping[str, str]


@dataclass(frozen=True)
class LoadData:
    """The sites of a plate, sorted by well and site; `name` is the file's, for messages."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def channels(self) -> list[str]:
        """Return the plate's channels, in the order of the columns."""
        return [column[len(ORIGINAL) :] for column in self.columns if column.startswith(ORIGINAL)]

    def wells(self) -> list[str]:
        """Return the wells, sorted."""
        return list(dict.fromkeys(row["Metadata_Well"] for row in self.rows))

    def of_channels(self, channels: Sequence[str]) -> LoadData:
        """Return the key columns and the raw images of these channels only."""
        images = [f"{kind}_Orig{channel}" for channel in channels for kind in ("FileName", "PathName")]
        columns = (*KEY, *images)
        rows = tuple({column: row[column] for column in columns} for row in self.rows)
        return replace(self, columns=columns, rows=rows)

    def write(self, path: Path) -> Path:
        """Write the table as CellProfiler's LoadData module reads it."""
        with open(path, "w", encoding="utf-8", newline="") as out:
            table = csv.DictWriter(out, self.columns, lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows)
        return path


def site_name(row: Row) -> str:
    """Return what a site is called in reports: `A01-1`."""
    return f"{row['Metadata_Well']}-{row['Metadata_Site']}"


def read(path: Path, contract: contracts.Table, plate: str) -> LoadData:
    """Return the checked table of a plate, or raise DataError naming the rule that is broken."""
    columns, lines = _lines(path)
    contract.check(columns, path.name)
    for number, line in enumerate(lines, start=2):
        _check_line(path.name, number, columns, line)
    rows = [dict(zip(columns, line)) for line in lines]
    _check_plate(path.name, rows, plate)
    _check_twice(path.name, rows, columns)
    contract.check_rows(columns, lines, path.name)
    return LoadData(path.name, tuple(columns), tuple(sorted(rows, key=_order)))


def localise(table: LoadData, images: Path, illumination: Path = Path()) -> LoadData:
    """Return the table with every PathName_ column naming a folder of this machine, and no URL_ column."""
    folders = {f"Orig{channel}": images for channel in table.channels()}
    folders.update({f"Illum{channel}": illumination for channel in table.channels()})
    files = [column.split("_", 1)[1] for column in table.columns if column.startswith("FileName_")]
    stray = sorted(set(files) - set(folders))
    if stray:
        message = f"{table.name}: FileName_{stray[0]} belongs to no channel; the channels are {table.channels()}"
        raise program.DataError(message)
    kept = [column for column in table.columns if not column.startswith(("PathName_", "URL_"))]
    paths = {f"PathName_{name}": str(folders[name].resolve()) for name in files}
    rows = tuple({**{column: row[column] for column in kept}, **paths} for row in table.rows)
    return replace(table, columns=(*kept, *paths), rows=rows)


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    with open(path, encoding="utf-8-sig", newline="") as source:
        lines = list(csv.reader(source))
    if len(lines) < 2:
        raise program.DataError(f"{path.name}: it lists no site; run load_data again")
    return lines[0], lines[1:]


def _check_line(name: str, number: int, columns: Sequence[str], line: Sequence[str]) -> None:
    if len(line) != len(columns):
        message = f"{name}: line {number} has {len(line)} cells, the header {len(columns)}; was the file cut short?"
        raise program.DataError(message)
    empty = [column for column, cell in zip(columns, line) if not cell.strip()]
    if empty:
        raise program.DataError(f"{name}: line {number} has no {empty[0]}; fill it, or take the line out")
    outside = [cell for column, cell in zip(columns, line) if column.startswith("FileName_") and "/" in cell]
    if outside:
        raise program.DataError(f"{name}: line {number} names {outside[0]!r}; a FileName_ is a name without a folder")


def _check_plate(name: str, rows: Sequence[Row], plate: str) -> None:
    others = sorted({row["Metadata_Plate"] for row in rows} - {plate})
    if others:
        raise program.DataError(f"{name}: Metadata_Plate is {', '.join(others[:3])}, but the plate is {plate}")


def _check_twice(name: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    _refuse_twice(name, "the site", [(site_name(row), site_name(row)) for row in rows])
    originals = [column for column in columns if column.startswith(ORIGINAL)]
    files = [(row[column], f"{row[column]} (site {site_name(row)})") for row in rows for column in originals]
    _refuse_twice(name, "the image", files)


def _refuse_twice(name: str, what: str, named: Sequence[tuple[str, str]]) -> None:
    counts: dict[str, int] = {}
    for key, _ in named:
        counts[key] = counts.get(key, 0) + 1
    twice = list(dict.fromkeys(text for key, text in named if counts[key] > 1))
    if twice:
        more = f" and {len(twice) - 8} more" if len(twice) > 8 else ""
        raise program.DataError(f"{name}: {what} stands there twice: {', '.join(twice[:8])}{more}")


def _order(row: Row) -> tuple[str, str]:
    # As text, site 10 before site 2: the order in which LoadData numbers its groups.
    return row["Metadata_Well"], row["Metadata_Site"]

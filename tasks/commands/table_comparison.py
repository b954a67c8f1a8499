"""Compare tables with reference ones, value by value: by well and column, not by place in the file."""

from __future__ import annotations

import csv
import gzip
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stagekit.equality import BAD

from tasks.errors import StageError

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
KEYS = ("Metadata_Plate", "Metadata_Well")
DIGITS = 5  # that a published value has

Row = Mapping[str, str]


class ParityError(StageError):
    """A file cannot be compared."""


@dataclass(frozen=True)
class Parity:
    """How a file compares: numbers of values by family of columns and state, and the first difference."""

    name: str
    families: Mapping[str, Counter[str]]
    first: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not any(counts[state] for counts in self.families.values() for state in BAD)


def compare(ours: Path, reference: Path | None, tolerance: float) -> Parity:
    """Return how a file of ours compares with the reference's: a table by its values, another file by its bytes."""
    if reference is None:
        return Parity(ours.name, {"file": Counter(extra=1)}, "the reference has no such file")
    if not ours.is_file():
        return Parity(ours.name, {"file": Counter(missing=1)}, f"{ours} is not there")
    if not ours.name.endswith(TABLES):
        state = "equal" if ours.read_bytes() == reference.read_bytes() else "different"
        return Parity(ours.name, {"bytes": Counter({state: 1})})
    return _compare_tables(ours, reference, tolerance)


def _compare_tables(ours: Path, reference: Path, tolerance: float) -> Parity:
    found, expected = _read(ours), _read(reference)
    columns = _columns(found), _columns(expected)
    families: dict[str, Counter[str]] = {}
    first = ""
    for key, column, state in _values(found, expected, columns, tolerance):
        families.setdefault(family(column), Counter())[state] += 1
        if state in BAD and not first:
            mine, theirs = (rows.get(key, {}).get(column, "nothing") for rows in (found, expected))
            first = f"{' '.join(key)} {column}: {mine} here, {theirs} in the reference ({state})"
    return Parity(ours.name, families, first, _notes(found, expected, columns))


def _values(
    found: Mapping[tuple[str, ...], Row],
    expected: Mapping[tuple[str, ...], Row],
    columns: tuple[list[str], list[str]],
    tolerance: float,
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield every value of either table: its row, its column, and how it compares."""
    shared = [name for name in columns[1] if name in set(columns[0])]
    lost = [name for name in columns[1] if name not in set(columns[0])]
    for key, row in expected.items():
        mine = found.get(key)
        for name in shared if mine is not None else columns[1]:
            yield key, name, "missing" if mine is None else agreement(mine[name], row[name], tolerance)
        for name in lost if mine is not None else ():
            yield key, name, "missing"
    more = [name for name in columns[0] if name not in set(columns[1])]
    for key in found:
        for name in columns[0] if key not in expected else more:
            yield key, name, "extra"


def agreement(ours: str, reference: str, tolerance: float) -> str:
    """Say how a value compares as it is written.

    `within` is one unit of the last digit that a published value has, or the tolerance, which is absolute.
    """
    if ours == reference:
        return "equal"
    try:
        one, other = float(ours), float(reference)
    except ValueError:
        return "different"
    if one == other or math.isnan(one) and math.isnan(other):
        return "equal"
    largest = max(abs(one), abs(other))
    if not math.isfinite(largest):
        return "different"
    unit = 10.0 ** (math.floor(math.log10(largest)) - DIGITS + 1)
    return "within" if abs(one - other) <= max(unit * (1 + 1e-9), tolerance) else "different"


def family(column: str) -> str:
    """Return what a column belongs to: Metadata, or the compartment and the measurement, such as Cells_Texture."""
    return "Metadata" if column.startswith("Metadata_") else "_".join(column.split("_")[:2])


def _read(path: Path) -> dict[tuple[str, ...], Row]:
    """Return the rows of a table by plate and well, or by number where it has neither."""
    opener = gzip.open if path.suffix == ".gz" else open
    separator = "\t" if ".tsv" in path.name else ","
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=separator))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ParityError(f"{path}: cannot be read as a table: {error}") from error
    keyed: dict[tuple[str, ...], Row] = {}
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ParityError(f"{path}: line {number} has another number of fields than the header; fetch it again")
        key = tuple(row[name] for name in KEYS) if all(name in row for name in KEYS) else (f"row {number}",)
        if key in keyed:
            raise ParityError(f"{path}: the well {' '.join(key)} stands there twice; compare files of one plate")
        keyed[key] = row
    return keyed


def _columns(rows: Mapping[tuple[str, ...], Row]) -> list[str]:
    return list(next(iter(rows.values()), {}))


def _notes(
    found: Mapping[tuple[str, ...], Row], expected: Mapping[tuple[str, ...], Row], columns: tuple[list[str], list[str]]
) -> list[str]:
    """Return what of wells and columns only one of the tables has."""
    sides = {
        "wells missing": [" ".join(key) for key in expected if key not in found],
        "wells extra": [" ".join(key) for key in found if key not in expected],
        "columns missing": [name for name in columns[1] if name not in set(columns[0])],
        "columns extra": [name for name in columns[0] if name not in set(columns[1])],
    }
    return [
        f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for what, names in sides.items()
        if names
    ]

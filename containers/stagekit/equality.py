"""Compare what two engines measured of the same site: every value of every table, in its place.

Two values agree if they are within 1e-6 (relative) or 1e-9 (absolute), and NaN only with NaN. Both hosts and images
hold this, so that an audit in production and a verification by hand judge alike.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Dict, Iterable, List, Sequence, Tuple

RELATIVE, ABSOLUTE = 1e-6, 1e-9
STATES = ("equal", "within", "different", "missing", "extra")
BAD = ("different", "missing", "extra")
FIRST = 8  # differences that are told by name

Row = Sequence[str]


@dataclass
class Tally:
    """How many values of a family agree; `extra` are those that the reference has not."""

    equal: int = 0
    within: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    nan: int = 0
    """Of the different ones: NaN on one side only."""
    largest: float = 0.0
    """The largest difference of two numbers."""

    @property
    def values(self) -> int:
        return sum(getattr(self, state) for state in STATES)

    @property
    def bad(self) -> int:
        return sum(getattr(self, state) for state in BAD)

    def add(self, other: Tally) -> None:
        """Take in the values of another tally."""
        for each in fields(self):
            join = max if each.name == "largest" else sum
            setattr(self, each.name, join((getattr(self, each.name), getattr(other, each.name))))

    def count(self, ours: str, reference: str) -> str:
        """Count a value as it is written; return its state."""
        state = "equal" if ours == reference else self._state(ours, reference)
        setattr(self, state, getattr(self, state) + 1)
        return state

    def _state(self, ours: str, reference: str) -> str:
        try:
            one, other = float(ours), float(reference)
        except ValueError:
            return "different"
        if one == other or math.isnan(one) and math.isnan(other):
            return "equal"
        if math.isnan(one) or math.isnan(other):
            self.nan += 1
            return "different"
        apart = abs(one - other)
        self.largest = max(self.largest, apart)
        close = apart <= max(ABSOLUTE, RELATIVE * min(abs(one), abs(other)))
        return "within" if close and math.isfinite(apart) else "different"


@dataclass
class Comparison:
    """How the tables of some sites compare, by table and family of columns (what stands before its first `_`)."""

    tallies: Dict[Tuple[str, str], Tally] = field(default_factory=dict)
    first: List[str] = field(default_factory=list)
    """The first values that do not agree, in words."""

    def add(self, other: Comparison) -> None:
        """Take in another site's comparison."""
        for key, tally in other.tallies.items():
            self.tallies.setdefault(key, Tally()).add(tally)
        self.first = (self.first + other.first)[:FIRST]

    @property
    def all(self) -> Tally:
        """Return the tally of all families."""
        whole = Tally()
        for tally in self.tallies.values():
            whole.add(tally)
        return whole

    def tables(self, name: str, ours: List[Row], reference: List[Row]) -> None:
        """Count the values of a table, of which the first row is the header; an empty list is a table that is not."""
        header, own = ({column: n for n, column in enumerate(rows[0])} if rows else {} for rows in (reference, ours))
        for column in dict.fromkeys([*header, *own]):
            tally = self.tallies.setdefault((name, column.split("_")[0]), Tally())
            both = _column(ours[1:], own.get(column)), _column(reference[1:], header.get(column))
            for number, (mine, theirs) in enumerate(itertools.zip_longest(*both), start=1):
                self._count(tally, f"{name} row {number} {column}", mine, theirs)

    def _count(self, tally: Tally, where: str, ours: str | None, reference: str | None) -> None:
        if ours is None or reference is None:
            state = "missing" if ours is None else "extra"
            setattr(tally, state, getattr(tally, state) + 1)
        else:
            state = tally.count(ours, reference)
        if state in BAD and len(self.first) < FIRST:
            self.first.append(f"{where}: {ours or 'nothing'}, not {reference or 'nothing'}")


def compare(ours: Path, reference: Path) -> Comparison:
    """Compare all csv files of two folders, those of the same name with each other."""
    found = Comparison()
    names = {path.relative_to(folder) for folder in (ours, reference) for path in folder.rglob("*.csv")}
    for name in sorted(names):
        found.tables(name.name, *(_read(folder / name) for folder in (ours, reference)))
    return found


def choose(plate: str, names: Iterable[str], count: int, seed: int = 0) -> List[str]:
    """Return `count` of the names, or all if there are fewer: chance decides, the same for the same plate and seed."""
    listed = list(names)
    drawn = sorted(listed, key=lambda name: hashlib.sha256(f"{seed} {plate} {name}".encode()).digest())[:count]
    return [name for name in listed if name in drawn]


def _column(rows: Sequence[Row], place: int | None) -> List[str]:
    return [] if place is None else [row[place] for row in rows]


def _read(path: Path) -> List[Row]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))

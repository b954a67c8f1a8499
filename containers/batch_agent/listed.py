"""Which files of a plate's image folder a job needs: those that load_data names for its sites or its channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Tuple

from stagekit import tables
from stagekit.program import DataError

SITE, CHANNEL = KINDS = ("site", "channel")
ORIGINAL = "FileName_Orig"
WELL, NUMBER = "Metadata_Well", "Metadata_Site"


@dataclass(frozen=True)
class Listed:
    """A load_data table, and the units whose images are wanted of it."""

    table: Path
    kind: str
    units: Tuple[str, ...]

    def files(self) -> Dict[str, List[str]]:
        """Return the names of the files, each with the units that need it; raise DataError for an unknown unit."""
        header, rows = tables.records(self.table)
        channels = [column for column in header if column.startswith(ORIGINAL)]
        missing = [column for column in (WELL, NUMBER) if column not in header]
        missing += [] if channels else [f"{ORIGINAL}*"]
        if missing:
            message = f"{self.table.name}: it has no column {', '.join(missing)}, which say what files a unit needs"
            raise DataError(f"{message}; run load_data again")
        found: Dict[str, List[str]] = {}
        known = set()
        for number, row in enumerate(rows, start=2):
            for column in channels:
                unit = _unit(self.kind, row, column)
                known.add(unit)
                if unit in self.units and row[column]:
                    self._refuse_folder(number, row[column])
                    found.setdefault(row[column], []).append(unit)
        unknown = sorted(set(self.units) - known)
        if unknown:
            message = f"{self.table.name}: it names no {self.kind} {', '.join(unknown[:10])}"
            raise DataError(f"{message}, of which this job is one; run load_data again")
        return found

    def _refuse_folder(self, number: int, name: str) -> None:
        if "/" in name or name in (".", ".."):
            message = f"{self.table.name}: line {number} names {name!r}; a FileName_ is a name without a folder"
            raise DataError(f"{message}; correct it")


def _unit(kind: str, row: Mapping[str, str], column: str) -> str:
    return f"{row[WELL]}-{row[NUMBER]}" if kind == SITE else column[len(ORIGINAL) :]

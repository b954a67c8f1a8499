"""Profiles as the explorer reads them: what is known of every well, and its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stagekit import contracts, program, tables

METADATA = "Metadata_"
NEGCON = ("Metadata_control_type", "negcon")


@dataclass(frozen=True)
class Profiles:
    """A row a well: metadata by column without `Metadata_`, and features (wells x names), NaN where there is none."""

    plate: str
    wells: list[str]
    metadata: list[dict[str, str]]
    names: list[str]
    values: np.ndarray

    def controls(self) -> list[str]:
        """Return the wells of the negative controls."""
        column, negcon = NEGCON[0].removeprefix(METADATA), NEGCON[1]
        return [well for well, told in zip(self.wells, self.metadata, strict=True) if told.get(column) == negcon]


def read(path: Path, contract: contracts.Table, plate: str = "") -> Profiles:
    """Return the checked profiles of a plate; DataError names the rule that is broken."""
    header, *rows = tables.lines(path) or [[]]
    contract.check(header, path.name)
    contract.check_rows(header, rows, path.name)
    if not rows:
        raise program.DataError(f"{path.name}: has no well; make it again")
    of_metadata = [at for at, name in enumerate(header) if name.startswith(METADATA)]
    of_features = [at for at, name in enumerate(header) if name.startswith(contracts.FEATURE_PREFIXES)]
    metadata = [{header[at].removeprefix(METADATA): row[at] for at in of_metadata} for row in rows]
    plates = {told["Plate"] for told in metadata}
    if len(plates) > 1 or plate not in ("", *plates):
        raise program.DataError(f"{path.name}: is of plate {', '.join(sorted(plates))}, not of {plate or 'one plate'}")
    values = np.array([[numeric(row[at]) for at in of_features] for row in rows], float).reshape(len(rows), -1)
    wells = [told["Well"] for told in metadata]
    return Profiles(plates.pop(), wells, metadata, [header[at] for at in of_features], values)


def numeric(text: str) -> float:
    """Return the number of a cell, NaN for one that holds none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def ending(paths: Sequence[Path], end: str) -> Path:
    """Return the one of several files whose name ends so; DataError if there is none or more."""
    found = [path for path in paths if path.name.endswith(end)]
    if len(found) != 1:
        names = ", ".join(path.name for path in paths)
        raise program.DataError(f"--profiles {names}: needs one file whose name ends with {end}")
    return found[0]


def place(well: str) -> tuple[int, int]:
    """Return the row and the column of a well, from 1: B03 is (2, 3), AA01 is (27, 1)."""
    letters = well.rstrip("0123456789")
    row = 0
    for letter in letters:
        row = row * 26 + ord(letter) - ord("A") + 1
    return row, int(well[len(letters) :])

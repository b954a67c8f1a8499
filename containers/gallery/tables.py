"""Read and write the csv tables that list a plate's images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagekit import contracts


def read(path: Path, contract: contracts.Table) -> list[dict[str, str]]:
    """Return a table's rows; raise DataError if its columns break the contract."""
    with open(path, newline="", encoding="utf-8") as handle:
        table = csv.DictReader(handle)
        contract.check(table.fieldnames or [], path.name)
        return list(table)


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows that all have the first one's columns."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

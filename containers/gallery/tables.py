"""Read and write the csv tables that list a plate's images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagekit import contracts


def read(path: Path, contract: contracts.Table) -> list[dict[str, str]]:
    """Return a table's rows; raise DataError if it breaks the contract."""
    with open(path, newline="", encoding="utf-8") as handle:
        columns, *rows = list(csv.reader(handle)) or [[]]
    contract.check(columns, path.name)
    contract.check_rows(columns, rows, path.name)
    return [dict(zip(columns, row)) for row in rows]


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows that all have the first one's columns."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

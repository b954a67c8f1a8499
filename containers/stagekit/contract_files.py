"""Check a file against the contract of the table that it holds."""

from __future__ import annotations

import csv
import gzip
import zlib
from pathlib import Path

from stagekit.program import DataError
from stagekit.rules import Table


def check(contract: Table, path: Path) -> None:
    """Raise DataError if a csv (or tsv), packed or not, breaks a contract."""
    opener = gzip.open if path.suffix == ".gz" else open
    separator = "\t" if ".tsv" in path.suffixes else ","
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as table:
            rows = csv.reader(table, delimiter=separator)
            columns = next(rows, [])
            contract.check(columns, path.name)
            contract.check_rows(columns, rows, path.name)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name}: {error}") from error

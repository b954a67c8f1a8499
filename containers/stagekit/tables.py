"""Read a table that somebody else wrote: bounded, and every way in which it can be no table told in words."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Dict, List, Tuple

from stagekit.program import DataError

MOST_BYTES = 128 << 20
"""Of a table's text. The largest that a plate of CPJUMP1 has, its load_data, is a tenth of it."""


def lines(path: Path, separator: str = ",") -> List[List[str]]:
    """Return the rows that are not empty of a table, packed (`.gz`) or not; raise DataError if it is none."""
    try:
        return [row for row in csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator) if row]
    except csv.Error as error:
        raise DataError(f"{path.name}: not a table of text: {error}; write it anew as csv or tsv") from error


def records(path: Path, separator: str = ",") -> Tuple[List[str], List[Dict[str, str]]]:
    """Return a table's columns, and its rows by them; a cell that a short row lacks is empty."""
    header, *rows = lines(path, separator) or [[]]
    return header, [{**dict.fromkeys(header, ""), **dict(zip(header, row))} for row in rows]


def _text(path: Path) -> str:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as packed:
            content = packed.read(MOST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name}: not a whole gzip file: {error}; copy it again") from error
    if len(content) > MOST_BYTES:
        message = f"{path.name}: it unpacks to more than {MOST_BYTES >> 20} MB: no table of a plate is so large"
        raise DataError(f"{message}; is it the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: not a table of text: {error}; save it as UTF-8") from error

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
    """Return the rows that are not blank of a table, packed (`.gz`) or not; raise DataError if it is none."""
    return [row for _, row in numbered(path, separator)]


def numbered(path: Path, separator: str = ",") -> List[Tuple[int, List[str]]]:
    """Return the rows that are not blank, each with the number of its first line in the file."""
    found, last = [], 0
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator)
    try:
        for row in reader:
            if len(row) > 1 or any(map(str.strip, row)):
                found.append((last + 1, row))
            last = reader.line_num
    except csv.Error as error:
        raise DataError(f"{path.name}: not a table of text: {error}; write it anew as csv or tsv") from error
    return found


def line_numbers(path: Path) -> List[int]:
    """Return the number of the line of every row below the header of a csv of any size, blank lines left out.

    Raises DataError for a row that has more or fewer fields than the header.
    """
    found, last = [], 0
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as content:
        reader = csv.reader(content)
        header = next(reader, [])
        last = reader.line_num
        for row in reader:
            if len(row) == len(header) and len(row) > 1:
                found.append(last + 1)
            elif len(row) > 1 or any(map(str.strip, row)):
                message = f"{path.name}: line {last + 1} has {len(row)} fields, the header {len(header)}"
                raise DataError(f"{message}; was the file cut short?")
            last = reader.line_num
    return found


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

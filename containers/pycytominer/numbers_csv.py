"""Read a csv of nothing but numbers, exactly and fast.

pyarrow parses a number in a quarter of the time that pandas takes, but pays for every column of every file, and a
site's csv has more columns than rows. So it is shown the file as one column, a number a line.
"""

from __future__ import annotations

import csv
import io
from operator import itemgetter
from pathlib import Path
from typing import List, Tuple

import numpy as np
import pyarrow
import pyarrow.csv
from stagekit import program

NUMBER_A_LINE = bytes.maketrans(b",", b"\n")
PARSING = pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False)
CONVERSION = pyarrow.csv.ConvertOptions(
    column_types={"number": pyarrow.float64()}, null_values=["nan", "NaN", ""], strings_can_be_null=True
)


def header(path: Path) -> List[str]:
    """Return the names of a csv's columns."""
    with open(path, encoding="utf-8", newline="") as lines:
        return next(csv.reader(lines), [])


def read(path: Path, dropped: Tuple[str, ...] = ()) -> np.ndarray:
    """Return the values of a csv that is whole, NaN where one is missing, without columns that start with `dropped`.

    Raises DataError for a row that is cut short and for a text among the numbers.
    """
    head, _, body = path.read_bytes().partition(b"\n")
    names = next(csv.reader([head.decode("utf-8")]))
    kept = [at for at, name in enumerate(names) if not name.startswith(dropped or ("\n",))]
    if len(kept) < len(names):  # those may hold texts, with commas
        body = _without(path, body, kept, len(names))
    rows = body.count(b"\n")
    if body and not body.endswith(b"\n") or body.count(b",") != rows * (len(kept) - 1):
        raise _cut(path, [line.count(b",") + 1 for line in body.splitlines()], len(kept))
    if not rows:
        return np.empty((0, len(kept)))
    try:
        return _parse(body).reshape(rows, len(kept))
    except pyarrow.ArrowInvalid as error:
        said = str(error).rpartition(": ")[2]
        raise program.DataError(f"{path.name} holds a text among its numbers: {said}") from error


def _parse(body: bytes) -> np.ndarray:
    lines = body.translate(NUMBER_A_LINE, b"\r")
    reading = pyarrow.csv.ReadOptions(use_threads=False, column_names=["number"], block_size=len(lines) + 1)
    table = pyarrow.csv.read_csv(pyarrow.BufferReader(lines), reading, PARSING, CONVERSION)
    return table.column(0).to_numpy()


def _without(path: Path, body: bytes, kept: List[int], width: int) -> bytes:
    """Return the body with only the columns that are kept."""
    rows = list(csv.reader(io.StringIO(body.decode("utf-8"), newline="")))
    if any(len(row) != width for row in rows):
        raise _cut(path, [len(row) for row in rows], width)
    take = itemgetter(*kept)
    return "".join(",".join(take(row)) + "\n" for row in rows).encode()


def _cut(path: Path, fields: List[int], width: int) -> program.DataError:
    """Return the error that names the first line with too few fields, or the last if that has no end."""
    bad = next((at for at, count in enumerate(fields) if count != width), len(fields) - 1)
    return program.DataError(f"{path.name} is cut off: line {bad + 2} has {fields[bad]} of {width} fields, or no end")

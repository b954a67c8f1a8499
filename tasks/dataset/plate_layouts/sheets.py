"""Read a laboratory's table cell by cell: csv with any separator, tab-separated text, or the sheets of an xlsx."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.dataset.plate_layouts import books, cells
from tasks.errors import TableError

SUFFIXES = (".txt", ".tsv", ".csv", ".xlsx", ".txt.gz", ".tsv.gz", ".csv.gz")
SEPARATORS = "\t;,|"
MOST_BYTES = 64 << 20
LOOKED_AT = 20
"""The first lines, which say what separates cells, and among which the header is."""
BOOK = ".xlsx"


@dataclass(frozen=True)
class Sheet:
    """The cells of a sheet, or of a whole text file, as text without blanks around it; rows that are blank are gone."""

    file: Path
    name: str
    """Empty for a text file."""
    rows: Sequence[tuple[int, Sequence[str]]]
    """The number of a row in the file, from 1, and its cells."""
    decimal_comma: bool = False
    """Whether 1,000 is 1: in a text file whose cells are parted by semicolons."""
    unusable: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Why a cell, by its row and column as in `rows`, cannot be relied on."""

    @property
    def where(self) -> str:
        return f"{self.file}, sheet {self.name}" if self.name else str(self.file)

    def place(self, row: int, column: int) -> str:
        """Return how a person finds a cell: B7 in a spreadsheet, 'line 7, field 2' in a text file."""
        return f"cell {_letters(column)}{row}" if self.name else f"line {row}, field {column + 1}"

    def wrong(self, row: int, column: int, value: str, why: str) -> TableError:
        """Return the error of a cell."""
        return TableError(f"{self.where}, {self.place(row, column)}: {value!r} {why}")

    def check(self, row: int, column: int) -> None:
        """Raise TableError for a cell of the layout that cannot be relied on; a title may be what it likes."""
        if (row, column) in self.unusable:
            raise TableError(f"{self.where}, {self.place(row, column)}: {self.unusable[row, column]}")


def read(path: Path) -> Sequence[Sheet]:
    """Return the sheets that hold anything; raise TableError, naming the file, for what cannot be read."""
    if not path.is_file():
        raise TableError(f"{path}: there is no such file")
    state = path.stat()
    if state.st_size > MOST_BYTES:
        raise TableError(f"{path}: it is larger than {MOST_BYTES >> 20} MB: is it the right file?")
    return _read(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> Sequence[Sheet]:
    """Read a layout once for all its plates, and again only if it was changed."""
    found = _book(path) if path.suffix.lower() == BOOK else [_text(path)]
    full = [sheet for sheet in found if sheet.rows]
    if not full:
        raise TableError(f"{path}: it is empty; is it the right file?")
    return full


def _text(path: Path) -> Sheet:
    content = _unpacked(path)
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content or content[:2] == b"PK":
            raise TableError(f"{path}: it is no table of text; an Excel file must end in .xlsx") from None
        text = content.decode("cp1252", errors="replace")  # what Excel writes in Western Europe
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows, last = [], 0
    try:
        for row in reader:
            rows.append((last + 1, tuple(cell and cells.clean(cell) for cell in row)))
            last = reader.line_num
    except csv.Error as error:
        raise TableError(f"{path}: not a table of text: {error}; save it as csv") from error
    return Sheet(path, "", _filled(rows), separator == ";")


def _unpacked(path: Path) -> bytes:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as packed:
            content: bytes = packed.read(MOST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(f"{path}: not a whole gzip file: {error}; copy it again") from error
    if len(content) > MOST_BYTES:
        raise TableError(f"{path}: it unpacks to more than {MOST_BYTES >> 20} MB: is it the right file?")
    return content


def _separator(text: str) -> str:
    """Return what separates cells: what parts the most of the first lines in the same number of fields, above one."""
    lines = [line for line in text.splitlines()[:LOOKED_AT] if line.strip()]

    def parts(separator: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
        usual = max(counts, key=counts.count, default=1)
        return (counts.count(usual) if usual > 1 else 0), usual

    return max(SEPARATORS, key=parts)


def _book(path: Path) -> list[Sheet]:
    return [Sheet(path, name, _filled(rows), unusable=unusable) for name, rows, unusable in books.read(path)]


def _filled(rows: Sequence[tuple[int, tuple[str, ...]]]) -> list[tuple[int, Sequence[str]]]:
    return [(number, row) for number, row in rows if any(row)]


def _letters(column: int) -> str:
    first, second = divmod(column, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + second)

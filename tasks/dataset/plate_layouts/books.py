"""Read the sheets of an xlsx as text, and which of their cells do not say what a person sees there."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tasks.dataset.plate_layouts import cells
from tasks.errors import TableError

FAILED = ("#REF", "#DIV/0", "#VALUE", "#NAME", "#NULL", "#NUM", "#SPILL")
"""What a formula of Excel's shows that could not be computed; #N/A is also how people write that there is nothing."""
Rows = list[tuple[int, tuple[str, ...]]]
"""The number of each row, from 1, and its cells."""
Unusable = dict[tuple[int, int], str]
"""Why a cell cannot be relied on, by the number of its row, from 1, and its column, from 0."""


def read(path: Path) -> list[tuple[str, Rows, Unusable]]:
    """Return the name, the rows and the unusable cells of each sheet; TableError for what is no xlsx."""
    import openpyxl  # only a laboratory with xlsx files waits for it

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with zipfile.ZipFile(path) as parts:
            found = [_sheet(sheet, parts) for sheet in book.worksheets]
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, ElementTree.ParseError) as error:
        raise TableError(
            f"{path}: it is no xlsx file that can be read ({error}); save it anew as xlsx or csv"
        ) from error
    book.close()
    return found


def _sheet(sheet: Any, parts: zipfile.ZipFile) -> tuple[str, Rows, Unusable]:
    sheet.reset_dimensions()  # some programs write wrong ones
    formulas, merged = _drawn(parts, sheet._worksheet_path)
    rows: Rows = []
    unusable: Unusable = {}
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = [_text(value) for value in values]
        for at, value in enumerate(values):
            why = _why_not(value)
            if value is None and (number, at) in formulas:
                row[at] = formulas[number, at]
                why = f"{row[at]!r} is a formula without a value; open the file in a spreadsheet program and save it"
            if why:
                unusable[number, at] = why
        rows.append((number, tuple(row)))
    return sheet.title, rows, unusable | dict(_covered(merged, rows))


def _text(value: object) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "" if value is None else cells.clean(str(value))


def _why_not(value: object) -> str:
    """Return why a value is not what was meant; empty if it may be."""
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        remedy = "if Excel made it of a name (MARCH1, SEPT2), format the column as text and write it anew"
        return f"{value} is a date; {remedy}"
    if isinstance(value, str) and value.startswith("#") and value.rstrip("!?").upper() in FAILED:
        return f"{value} is an error of Excel's; mend it"
    return ""


def _drawn(parts: zipfile.ZipFile, name: str) -> tuple[dict[tuple[int, int], str], list[str]]:
    """Return what openpyxl does not say of a sheet's cells: formulas that nothing has computed, and merged ranges."""
    formulas: dict[tuple[int, int], str] = {}
    merged: list[str] = []
    with parts.open(name.lstrip("/")) as content:
        for _, node in ElementTree.iterparse(content):
            kind = _kind(node)
            if kind == "mergeCell":
                merged.append(node.get("ref", ""))
            elif kind == "c":
                inside = {_kind(each): each.text or "" for each in node}
                if "f" in inside and not inside.get("v") and node.get("t") != "str":  # a text may be empty
                    formulas[_place(node.get("r", "A1"))] = f"={inside['f']}"
            elif kind == "row":
                node.clear()  # what was read is not kept
    return formulas, merged


def _kind(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _place(name: str) -> tuple[int, int]:
    from openpyxl.utils import coordinate_to_tuple

    row, column = coordinate_to_tuple(name)
    return row, column - 1


def _covered(merged: Sequence[str], rows: Rows) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the cells that lie under a merged one which says something: a file holds nothing of them."""
    width = max((len(row) for _, row in rows), default=0)
    for ends in merged:
        first, _, last = ends.partition(":")
        (top, left), (bottom, right) = _place(first), _place(last or first)
        if top > len(rows) or left >= len(rows[top - 1][1]) or not rows[top - 1][1][left]:
            continue
        for number, _ in rows[top - 1 : bottom]:
            for at in range(left, min(right + 1, width)):
                if (number, at) != (top, left):
                    yield (number, at), f"it is merged with {first}; split the cells, and say in each what it holds"

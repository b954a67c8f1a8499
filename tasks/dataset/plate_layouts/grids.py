"""Find grids in a sheet: blocks that are drawn like the plate, with columns 1, 2, 3 across and rows A, B, C down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stagekit import wells

from tasks.dataset.plate_layouts import cells
from tasks.dataset.plate_layouts.sheets import Sheet

LEAST_COLUMNS = 2
NUMBER = re.compile(r"0*[1-9]\d?")
DULL = re.compile(r"(sheet|table|tabelle|feuil|hoja|blad|foglio|plate ?map|layout)\s*\d*", re.IGNORECASE)
"""Names of sheets that say nothing of what is in them."""


@dataclass(frozen=True)
class Grid:
    """A property of wells: its name, and of each well its value with the row and column of its cell in the sheet."""

    name: str
    sheet: Sheet
    values: dict[str, tuple[str, int, int]]


def find(sheet: Sheet) -> list[Grid]:
    """Return the grids of a sheet from top to bottom; none if it is a table with a row a well."""
    found: list[Grid] = []
    at = 0
    while at < len(sheet.rows):
        begin, numbers = _header(sheet.rows[at][1])
        below = _below(sheet, at, begin) if numbers else 0
        if below:
            _refuse_more(sheet, at, begin + len(numbers))
            _refuse_disorder(sheet, at + below, begin)
            name = _name(sheet, at, begin)
            found.append(Grid(name, sheet, _values(sheet, at, below, begin, numbers)))
        at += below + 1
    return found


def _header(row: Sequence[str]) -> tuple[int, list[str]]:
    """Return where the columns' numbers begin in a row, and the numbers: ascending, one by one."""
    for begin, cell in enumerate(row):
        if not cell:
            continue
        if not NUMBER.fullmatch(cell):
            if begin:
                return 0, []
            continue  # the corner may say what the grid holds
        numbers = [cell]
        for other in row[begin + 1 :]:
            if not re.fullmatch(r"\d{1,2}", other) or int(other) != int(numbers[-1]) + 1:
                break
            numbers.append(other)
        return (begin, numbers) if begin and len(numbers) >= LEAST_COLUMNS else (0, [])
    return 0, []


def _below(sheet: Sheet, at: int, begin: int) -> int:
    """Return how many rows of a plate follow: their letters are beside the columns' numbers, each the next one.

    None do if the corner is such a letter too: then each line tells the row and the column of a well.
    """
    rows = [_row_of(row, begin) for _, row in sheet.rows[at:]]
    count = 0
    while count + 1 < len(rows) and rows[count + 1] > (rows[count] if count else -1):
        count += 1
    return 0 if rows[0] >= 0 else count


def _row_of(row: Sequence[str], begin: int) -> int:
    """Return which row of a plate, from 0, the letter beside the columns names; -1 if it is none."""
    letter = row[begin - 1] if len(row) >= begin else ""
    well = cells.placed(letter, "1") if re.fullmatch(r"[A-Za-z]{1,2}", letter) else None
    return wells.place(well)[0] if well else -1


def _refuse_more(sheet: Sheet, at: int, end: int) -> None:
    """Raise TableError if the header goes on with numbers: of columns behind a gap, or of a grid beside this one."""
    number, row = sheet.rows[at]
    for place, cell in enumerate(row[end:], start=end):
        following = row[place + 1] if place + 1 < len(row) else ""
        goes_on = NUMBER.fullmatch(following) and NUMBER.fullmatch(cell) and int(following) == int(cell) + 1
        if goes_on or (place == end and NUMBER.fullmatch(cell)):
            why = f"does not follow {row[end - 1]}; a grid's columns are 1, 2, 3 ..., and grids lie below each other"
            raise sheet.wrong(number, place, cell, why)


def _refuse_disorder(sheet: Sheet, last: int, begin: int) -> None:
    """Raise TableError if a row of the plate follows a grid's last one: it is out of order, or there twice."""
    follows = last + 1 < len(sheet.rows) and sheet.rows[last + 1][0] == sheet.rows[last][0] + 1  # else a legend may
    if follows and _row_of(sheet.rows[last + 1][1], begin) >= 0:
        number, row = sheet.rows[last + 1]
        why = (
            f"does not follow {sheet.rows[last][1][begin - 1]}; a grid's rows are A, B, C ..., below a line of columns"
        )
        raise sheet.wrong(number, begin - 1, row[begin - 1], why)


def _name(sheet: Sheet, at: int, begin: int) -> str:
    """Return what a grid holds: by its corner, the line above, or the sheet; empty if nothing says it."""
    corner = sheet.rows[at][1][begin - 1]
    above = [cell for cell in sheet.rows[at - 1][1] if cell] if at else []
    if corner:
        return corner
    if len(above) == 1 and sheet.rows[at - 1][0] == sheet.rows[at][0] - 1:
        return above[0].rstrip(":").strip()
    return "" if DULL.fullmatch(sheet.name) else sheet.name


def _values(sheet: Sheet, at: int, below: int, begin: int, numbers: Sequence[str]) -> dict[str, tuple[str, int, int]]:
    found = {}
    for number, row in sheet.rows[at + 1 : at + 1 + below]:
        for offset, column in enumerate(numbers):
            place = begin + offset
            well = cells.placed(row[begin - 1], column)
            sheet.check(number, place)
            if well and place < len(row) and row[place]:
                found[well] = (row[place], number, place)
    return found

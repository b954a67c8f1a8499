"""The names of wells: a letter or two for the row, two digits for the column; A01 to P24, or to AF48 of 1536 wells."""

from __future__ import annotations

import re
from typing import Optional, Tuple

WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9][0-9]?)")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_ROWS = len(LETTERS) * (len(LETTERS) + 1)


def normal(text: str) -> Optional[str]:
    """Return A1, a01 or A001 as A01; None if it is no well."""
    match = WELL.fullmatch(text)
    return f"{match[1].upper()}{int(match[2]):02d}" if match else None


def place(well: str) -> Tuple[int, int]:
    """Return the row and column of a well, from 0: B03 is (1, 2), AA01 is (26, 0). ValueError if it is no well."""
    match = WELL.fullmatch(well)
    if not match:
        raise ValueError(f"{well!r} is no well; wells are written like A01")
    row = 0
    for letter in match[1].upper():
        row = row * len(LETTERS) + LETTERS.index(letter) + 1
    return row - 1, int(match[2]) - 1


def row_letters(row: int) -> str:
    """Return the letters of row 0, 1, ...: A to Z, then AA and on. ValueError for a row that no letters name."""
    if not 0 <= row < MOST_ROWS:
        raise ValueError(f"row {row + 1} is none of 1 to {MOST_ROWS}")
    first, second = divmod(row, len(LETTERS))
    return (LETTERS[first - 1] if first else "") + LETTERS[second]

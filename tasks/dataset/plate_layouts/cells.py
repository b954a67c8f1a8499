"""What single cells of a layout say: a well in any spelling, a dose with its unit."""

from __future__ import annotations

import re
import unicodedata

from stagekit import wells

WELL = re.compile(r"([A-Za-z]{1,2})\s*[-_:]?\s*0*([1-9][0-9]?)")
MOST_ROWS, MOST_COLUMNS = 32, 48
"""Of a plate: 1536 wells."""
NUMBER = re.compile(r"([-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s.,][^\d]*)?")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}$")
NOTHING = ("", "na", "n/a", "nan", "none", "null", "-", "--")
"""What a cell without a dose or a unit says, in small letters."""
MOLAR = {"m": 1e6, "mm": 1e3, "um": 1.0, "nm": 1e-3, "pm": 1e-6, "fm": 1e-9}
"""How many uM one of a unit is."""
MICROMOLAR = "uM"
NOT_FOUND = "#N/A"
"""What a spreadsheet shows where a look-up found nothing."""
LONG_NAMES = {
    "molar": "M",
    "millimolar": "mM",
    "micromolar": "uM",
    "nanomolar": "nM",
    "picomolar": "pM",
    "mmol/l": "mM",
    "umol/l": "uM",
    "nmol/l": "nM",
}


def clean(text: str) -> str:
    """Return a text without blanks around it, and without characters that nothing shows (a zero-width space)."""
    if text.isascii() and text.isprintable():
        return "" if text.strip() == NOT_FOUND else text.strip()
    kept = (each for each in text.replace("\u00a0", " ") if unicodedata.category(each) not in ("Cc", "Cf"))
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def well(text: str) -> str | None:
    """Return a well (A1, a01, A-3, A : 3) as A01; None if it is none of a plate of up to 1536."""
    match = WELL.fullmatch(text.strip("\"' "))
    return placed(match[1], match[2]) if match else None


def placed(row: str, column: str) -> str | None:
    """Return the well of a row, in letters or a number from 1, and a column; None if it is none."""
    numbered = re.fullmatch(r"0*([1-9]\d?)", row)
    letters = wells.row_letters(int(numbered[1]) - 1) if numbered else row
    found = wells.normal(f"{letters}{column}")
    if found is None:
        return None
    at = wells.place(found)
    return found if at[0] < MOST_ROWS and at[1] < MOST_COLUMNS else None


def number(text: str, decimal_comma: bool) -> tuple[float, str] | None:
    """Return the number at a text's beginning and the unit behind it; None if it is none, or 1,000 could be 1 too."""
    match = NUMBER.fullmatch(text.strip())
    if not match or (THOUSANDS.match(match[1]) and not decimal_comma):
        return None
    return float(match[1].replace(",", ".")), (match[2] or "").strip()


def unit(text: str) -> str:
    """Return a unit as it is written here: uM for µM, um, micromolar; another word stays."""
    plain = text.strip().replace("\u00b5", "u").replace("\u03bc", "u")
    if plain.lower() in NOTHING:
        return ""
    plain = LONG_NAMES.get(plain.lower(), plain)
    return plain[:-1] + "M" if plain.lower() in MOLAR and len(plain) > 1 else plain


def in_micromolar(value: float, given: str) -> tuple[str, str]:
    """Return a dose as text and its unit: molar ones in uM, with six significant digits, so that equal doses agree."""
    # M is molar and m is metre, but mM, MM and mm can only be millimolar here.
    factor = MOLAR.get(given.lower()) if given != "m" else None
    return f"{value * (factor or 1.0):.6g}", (MICROMOLAR if factor else given)


def is_nothing(text: str) -> bool:
    return text.strip().lower() in NOTHING

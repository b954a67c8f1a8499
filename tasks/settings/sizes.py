"""Lengths in an image as people write them: 6 um, 6-45 um, 10-75 px; and ranges from 0 to 1."""

from __future__ import annotations

import re

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(um|px)")
RANGE = re.compile(r"(\d+(?:\.\d+)?) ?- ?(\d+(?:\.\d+)?) ?(um|px)")
BOUNDS = re.compile(r"([01](?:\.\d+)?) ?- ?([01](?:\.\d+)?)")


def size(text: str) -> tuple[float, str]:
    """Return a length and its unit, um or px; ValueError if it is none."""
    found = SIZE.fullmatch(_plain(text))
    if not found or not float(found[1]):
        raise ValueError("it must be a length with its unit, such as 6 um or 10 px")
    return float(found[1]), found[2]


def between(text: str) -> tuple[float, float, str]:
    """Return the least and the greatest length and their unit; ValueError if it is no such range."""
    found = RANGE.fullmatch(_plain(text))
    if not found or not 0 < float(found[1]) < float(found[2]):
        raise ValueError("it must be the least and the most with their unit, such as 6-45 um or 10-75 px")
    return float(found[1]), float(found[2]), found[3]


def bounds(text: str) -> tuple[float, float]:
    """Return the least and the greatest threshold; ValueError if it is no range from 0 to 1."""
    found = BOUNDS.fullmatch(text.strip())
    if not found or not 0 <= float(found[1]) <= float(found[2]) <= 1:
        raise ValueError("it must be the least and the most, from 0 to 1, such as 0.014-1")
    return float(found[1]), float(found[2])


def pixels(length: float, unit: str, pixel_um: float) -> float:
    """Return a length in pixels."""
    return length if unit == "px" else length / pixel_um


def _plain(text: str) -> str:
    return text.strip().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")

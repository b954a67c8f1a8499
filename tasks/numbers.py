"""A number of luigi.cfg, within its limits."""

from __future__ import annotations

import math

from tasks.errors import SettingsError

Range = tuple[type[float], float, float]
"""The kind of a number, the least and the most that it may be."""
FRACTION: Range = (float, 0, 1)


def number(
    section: str,
    key: str,
    text: str,
    kind: type[float],
    minimum: float,
    most: float = math.inf,
    automatic: float | None = None,
) -> float:
    """Return the number; of the word auto what is found out, if that is given; raise SettingsError if it is none."""
    if automatic is not None and text == "auto":
        return automatic
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (minimum <= value <= most and value < math.inf):
        what = "a whole number" if kind is int else "a number"
        limits = f"of at least {minimum:g}" if most == math.inf else f"from {minimum:g} to {most:g}"
        message = f"luigi.cfg [{section}] {key} = {text}: it must be {what} {limits}"
        raise SettingsError(message + ("" if automatic is None else ", or auto"))
    return value

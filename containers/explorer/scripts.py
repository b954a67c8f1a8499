"""Write values as scripts that a page loads from disk, and read them again: `explorer.add("<name>", <JSON>);`.

A page that was opened from a folder may load scripts and pictures of it, and nothing else.
"""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from stagekit import program

KINDS = {"f32": "<f4", "i16": "<i2", "u16": "<u2", "u32": "<u4", "u8": "u1"}


def array(values: np.ndarray, kind: str) -> dict[str, str]:
    """Return numbers, row after row, as base64 of little-endian ones of a kind."""
    return {"type": kind, "base64": base64.b64encode(np.asarray(values, KINDS[kind]).tobytes()).decode()}


def numbers(told: dict[str, str]) -> np.ndarray:
    """Return the numbers that `array` wrote, in one row."""
    return np.frombuffer(base64.b64decode(told["base64"]), KINDS[told["type"]])


def number(value: float, digits: int = 5) -> float | None:
    """Return a number with so many significant digits; None for one that is none."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def write(path: Path, name: str, value: Any) -> None:
    """Write a script that gives the page a value under a name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON without letters beyond ASCII is a value of JavaScript as it stands.
    content = json.dumps(value, allow_nan=False, separators=(",", ":"))
    path.write_text(f"explorer.add({json.dumps(name)}, {content});\n", encoding="ascii")


def read(path: Path) -> tuple[str, Any]:
    """Return the name and the value of a script that `write` wrote; DataError if it is none."""
    text = path.read_text(encoding="utf-8")
    head, tail = "explorer.add(", ");\n"
    try:
        if not text.startswith(head) or not text.endswith(tail):
            raise ValueError(f"it does not begin with {head!r}")
        name, value = json.loads(f"[{text[len(head) : -len(tail)]}]")
    except ValueError as error:
        raise program.DataError(f"{path.name}: not a script of explore_plate ({error}); make it again") from error
    return str(name), value

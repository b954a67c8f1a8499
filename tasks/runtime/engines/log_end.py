"""The end of a program's log in whole lines: its failure is classified by them; lines are cut for people only."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOST_BYTES = 1 << 18
LINES = 8
QUOTED = re.compile(r"^  \| ?")
"""Begins a line that a program quotes of another's log (containers/cellprofiler/run_cellprofiler.py)."""
OF_A_STACK = re.compile(
    r"\t| {4}|  File \"|Traceback \(|During handling of the above|The above exception was|\s*\.{3} \d+ more"
)


def lines(log: Path) -> list[str]:
    """Return the lines at a log's end that are not empty; none if it is not there."""
    try:
        with open(log, "rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - MOST_BYTES))
            text = handle.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()]


def telling(log: Path) -> list[str]:
    """Return the last lines that say something, each whole: those of a stack, however long it is, are passed over."""
    plain = (QUOTED.sub("", line) for line in lines(log))
    return [line for line in plain if not OF_A_STACK.match(line)][-LINES:]

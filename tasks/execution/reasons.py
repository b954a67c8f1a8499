"""Why a job ended badly, as one of a few classes, wherever it ran: a place adds no class of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tasks.runtime.core.job import OUTPUT, TEMPORARY, Outcome

OUT_OF_MEMORY = "out_of_memory"
TIMEOUT = "timeout"
CORRUPT_INPUT = "corrupt_input"
PROGRAM_ERROR = "program_error"
NODE_LOST = "node_lost"
SERVICE = "service"
CANCELLED = "cancelled"
ALL = (OUT_OF_MEMORY, TIMEOUT, CORRUPT_INPUT, PROGRAM_ERROR, NODE_LOST, SERVICE, CANCELLED)

EXITS = {65: CORRUPT_INPUT, 69: SERVICE}
READ_ONLY = "Read-only file system"
DISK = ("No space left on device", "Disk quota exceeded", READ_ONLY)
MEMORY = ("java.lang.OutOfMemoryError", "MemoryError", "Cannot allocate memory")
"""What the last words of a program say of its end, where its exit code does not."""
NAMED = re.compile(r"""['"](/[^'"]+)['"]|(?:^|[\s:(])(/[^\s:'"()]+)""")
"""A path, as Python, a shell or a library writes it beside an error."""


def of(outcome: Outcome, words: Sequence[str], folder: Path) -> str:
    """Return the class of a job's end, by its outcome and its program's last words; empty if it ended well.

    `words` are whole lines (tasks/runtime/engines/log_end.py); `folder` is the job's own.
    """
    if outcome.ok:
        return ""
    if outcome.cancelled:
        return CANCELLED
    if outcome.lost:
        return NODE_LOST
    if outcome.out_of_memory:
        return OUT_OF_MEMORY
    if outcome.timed_out:
        return TIMEOUT
    own = EXITS.get(outcome.exit_code, PROGRAM_ERROR)
    return own if own == SERVICE else _said(words, folder) or own


def _said(words: Sequence[str], folder: Path) -> str:
    """Return the class that last words tell of; empty if they tell of none."""
    faults = [line for line in words if any(sign in line for sign in DISK)]
    if any(_is_of_our_disk(line, folder) for line in faults):
        return SERVICE
    if any(sign in line for line in words for sign in MEMORY):
        return OUT_OF_MEMORY
    return PROGRAM_ERROR if faults else ""


def _is_of_our_disk(line: str, folder: Path) -> bool:
    """Say whether a disk's fault is in the way of what a job may write; elsewhere no program has a right to.

    Of a disk that is read-only a line must name a place of the job's: outside of them all of a container is. Of a full
    one only a place behind the fault counts: before it stands what was read, perhaps.
    """
    place = line if READ_ONLY in line else line[max(line.rfind(sign) for sign in DISK) :]
    named = [Path(found[1] or found[2]) for found in NAMED.finditer(place)]
    ours = (Path(OUTPUT), Path(TEMPORARY), folder)
    if named:
        return any(path.is_relative_to(place) for path in named for place in ours)
    return READ_ONLY not in line or not os.access(folder, os.W_OK)

"""Why a job ended badly, as one of a few classes, wherever it ran: a place adds no class of its own."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.runtime.job import Outcome

OUT_OF_MEMORY = "out_of_memory"
TIMEOUT = "timeout"
CORRUPT_INPUT = "corrupt_input"
PROGRAM_ERROR = "program_error"
NODE_LOST = "node_lost"
SERVICE = "service"
CANCELLED = "cancelled"
ALL = (OUT_OF_MEMORY, TIMEOUT, CORRUPT_INPUT, PROGRAM_ERROR, NODE_LOST, SERVICE, CANCELLED)

EXITS = {65: CORRUPT_INPUT, 69: SERVICE}
SIGNS = {
    "No space left on device": SERVICE,
    "Disk quota exceeded": SERVICE,
    "Read-only file system": SERVICE,
    "java.lang.OutOfMemoryError": OUT_OF_MEMORY,
    "MemoryError": OUT_OF_MEMORY,
    "Cannot allocate memory": OUT_OF_MEMORY,
}
"""What the last words of a program say of its end, where its exit code does not."""


def of(outcome: Outcome, words: Sequence[str]) -> str:
    """Return the class of a job's end, by its outcome and its program's last words; empty if it ended well."""
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
    text = "\n".join(words)
    said = next((reason for sign, reason in SIGNS.items() if sign in text), "")
    return said or EXITS.get(outcome.exit_code, PROGRAM_ERROR)

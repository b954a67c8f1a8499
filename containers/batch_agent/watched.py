"""Run a job's program with a limit on its time, watch its memory, and leave none of its processes behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional, Sequence

from stagekit import memory
from stagekit.child import ENDED, Child, Pace, processes

SAMPLE_SECONDS = 1.0
TIMED_OUT, KILLED = 124, 137  # as `timeout` and the shell have it
SET_CHILD_SUBREAPER = 36  # of prctl(2)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    exit_code: int
    seconds: float
    timed_out: bool = False
    out_of_memory: bool = False
    peak_memory_gb: Optional[float] = None


def run(
    words: Sequence[str], variables: Mapping[str, str], folder: Path, seconds: float, stdout: Any, stderr: Any
) -> Ended:
    """Run the words of a job to their end in a folder; whatever becomes of this process, the program ends with it."""
    _adopt_orphans()
    killed, peak, pace = memory.killed(), memory.Peak(), Pace(SAMPLE_SECONDS)
    child = Child(words, variables, folder, subprocess.DEVNULL, stdout, stderr)
    try:
        timed_out = not child.wait(seconds, lambda: peak.look() if pace.is_due() else None)
        peak.look()
    finally:
        child.end(_left)
    code = TIMED_OUT if timed_out and child.exit_code != KILLED else child.exit_code
    short = code != 0 and memory.killed() > killed
    return Ended(code, child.seconds, timed_out, short, peak.gb)


def _left(group: int) -> Iterator[int]:
    """Yield the processes of a program's group, and those that became our children when their parents ended."""
    for each in processes():
        adopted = each.parent == os.getpid() and each.session != os.getsid(0)
        if adopted and each.state == "Z" and each.pid != group:
            with suppress(ChildProcessError):
                os.waitpid(each.pid, os.WNOHANG)
        elif each.state not in ENDED and (each.group == group or adopted):
            yield each.pid


def _adopt_orphans() -> None:
    """Become the parent of what a program leaves behind, as the first process of a container is anyway."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)

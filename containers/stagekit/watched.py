"""Run a job's program with a limit on its time, watch its memory, and leave none of its processes behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence, Set

from stagekit import memory

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1
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


class _Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int


def run(
    words: Sequence[str], variables: Mapping[str, str], folder: Path, seconds: float, stdout: Any, stderr: Any
) -> Ended:
    """Run the words of a job to their end in a folder; whatever becomes of this process, the program ends with it."""
    _adopt_orphans()
    began, killed, peak = time.monotonic(), memory.killed(), memory.Peak()
    process = subprocess.Popen(
        list(words),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=folder,
        env=dict(variables),
        start_new_session=True,
    )
    try:
        timed_out = not _waited(process, seconds, peak)
        peak.look()
    finally:
        _end(process)
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    if timed_out and code != KILLED:
        code = TIMED_OUT
    short = code != 0 and memory.killed() > killed
    return Ended(code, time.monotonic() - began, timed_out, short, peak.gb)


def _waited(process: subprocess.Popen[bytes], seconds: float, peak: memory.Peak) -> bool:
    """Wait for a program's end; return whether it came in time."""
    began = due = time.monotonic()
    while process.poll() is None:
        now = time.monotonic()
        if now - began >= seconds:
            return False
        if now >= due:
            peak.look()
            due = now + min(SAMPLE_SECONDS, (now - began) / 4)  # what is short is looked at more often
        time.sleep(min(POLL_SECONDS, max(0.005, (now - began) / 4)))
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop a program and all that it started: SIGTERM, and SIGKILL for what is left after a grace."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + GRACE_SECONDS
        told: Set[int] = set()
        while time.monotonic() < deadline:
            process.poll()
            left = list(_left(process.pid))
            if not left:
                return
            for pid in {each.pid for each in left} - told:
                told.add(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(POLL_SECONDS / 5)


def _left(group: int) -> Iterator[_Process]:
    """Yield the processes of a program's group, and those that became our children when their parents ended."""
    for each in _processes():
        adopted = each.parent == os.getpid() and each.session != os.getsid(0)
        if adopted and each.state == "Z" and each.pid != group:
            with suppress(ChildProcessError):
                os.waitpid(each.pid, os.WNOHANG)
        elif each.state not in "ZX" and (each.group == group or adopted):
            yield each


def _processes() -> Iterator[_Process]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                # The name of the program stands in brackets, and may hold anything.
                fields = (
                    Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                )
                yield _Process(int(entry.name), fields[0], *(int(field) for field in fields[1:4]))


def _adopt_orphans() -> None:
    """Become the parent of what a program leaves behind, as the first process of a container is anyway."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)

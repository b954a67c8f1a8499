"""A program as a child process: in a session of its own, waited for, and ended with all that it started.

For whoever runs a job: the host (tasks/runtime/engines/children.py) and, in a container, the agent of AWS Batch.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Sequence, Set

GRACE_SECONDS = 10.0
"""How long a program may take to end after SIGTERM, and how long it is waited for after SIGKILL."""
POLL_SECONDS = 0.1
PROC = Path("/proc")
ENDED = "ZX"
"""The states of a process that has ended and was not waited for."""


class Process(NamedTuple):
    """A process, as the kernel shows it."""

    pid: int
    state: str
    parent: int
    group: int
    session: int


def group(number: int) -> Iterable[int]:
    """Return what `os.kill` takes for all processes of a group, as long as one of them runs.

    What has ended and was not waited for yet does not count: only its parent, perhaps a slow init, can let it go.
    """
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return ()
    known = list(processes())  # none where there is no /proc
    runs = any(each.group == number and each.state not in ENDED for each in known)
    return (-number,) if runs or not known else ()


def processes() -> Iterator[Process]:
    """Yield all processes that /proc shows."""
    for entry in os.scandir(PROC) if PROC.is_dir() else ():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                # The name of the program stands in brackets, and may hold anything.
                text = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                state, *numbers = text.rpartition(")")[2].split()[:4]
                yield Process(int(entry.name), state, *map(int, numbers))


class Child:
    """A program that runs."""

    def __init__(
        self, words: Sequence[str], variables: Mapping[str, str], folder: Path, stdin: int, stdout: Any, stderr: Any
    ) -> None:
        self.most_kib = 0
        """The kernel's count of its memory (ru_maxrss), once it has ended."""
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            list(words),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=dict(variables),
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Return the program's process, whose group has the same number."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Return how long ago the program was started."""
        return time.monotonic() - self._began

    @property
    def exit_code(self) -> int:
        """Return the exit code of a program that has ended, as the shell has it."""
        code: int = self._process.returncode
        return code if code >= 0 else 128 - code

    def wait(self, seconds: float, look: Callable[[], None], stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the program's end, and look now and then; return whether it came in time and before a stop."""
        while True:
            look()
            if self._has_ended():
                return True
            if self.seconds >= seconds or stopped():
                return False
            time.sleep(min(POLL_SECONDS, max(0.005, self.seconds / 4)))  # what is short is looked at more often

    def end(self, left: Callable[[int], Iterable[int]] = group) -> None:
        """Stop a program and all that it started: SIGTERM, and SIGKILL for what is left after a grace.

        `left` says of the program's group what there still is of it, as `os.kill` takes it.
        """
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + GRACE_SECONDS
            told: Set[int] = set()
            while time.monotonic() < deadline:
                self._has_ended()
                found = set(left(self.pid))
                if not found:
                    self._has_ended()  # it may have, since it was asked above
                    return
                for each in found - told:
                    told.add(each)
                    with suppress(ProcessLookupError):
                        os.kill(each, number)
                time.sleep(POLL_SECONDS / 5)

    def _has_ended(self) -> bool:
        if self._process.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                killed = os.WIFSIGNALED(status)
                self._process.returncode = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
                self.most_kib = usage.ru_maxrss
        return self._process.returncode is not None

    def close(self) -> None:
        """Close the program's stdin, if that is a pipe."""
        if self._process.stdin:
            self._process.stdin.close()


class Pace:
    """When something that costs a little is to be looked at next: often at first, later every `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = self._due = time.monotonic()

    def is_due(self) -> bool:
        """Say whether it is to be looked at now; whoever asks does so."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + min(self._seconds, (now - self._began) / 4)
        return True

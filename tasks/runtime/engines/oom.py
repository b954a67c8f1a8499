"""Whether a child process ended because the kernel killed it, or one of its own, for want of memory."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from pathlib import Path

from stagekit import memory
from stagekit.program import EXIT_CRASH

RECENT_SECONDS = 30.0
"""So long a program may take to end after one of its own was killed."""
KILLED = 137
SAYS_KILLED = re.compile(
    r"SIGKILL|\bKilled\b|\bkilled\b|exit code -9\b|signal 9\b|terminated abruptly|BrokenProcessPool"
)


class Kills:
    """The kernel's count of what it killed for want of memory, looked at while a child runs.

    Whom it killed the kernel does not say, and others of this machine are counted too. So a kill is taken for the
    child's only if the child ended as one does that was killed, or that lost a process of its own, soon after.
    """

    def __init__(self) -> None:
        self._count, self._last = _count(), -math.inf

    def look(self) -> None:
        """Note the time if there was a kill since the last look."""
        now = _count()
        if now > self._count:
            self._count, self._last = now, time.monotonic()

    def explain(self, exit_code: int, words: Iterable[str]) -> bool:
        """Say whether a kill is why a child has just ended badly, with these last words."""
        self.look()
        if exit_code == 0 or time.monotonic() - self._last > RECENT_SECONDS:
            return False
        return exit_code in (KILLED, EXIT_CRASH) or any(SAYS_KILLED.search(line) for line in words)


def _count() -> int:
    """Return how many processes were killed of our own control group; where that does not tell, of the machine."""
    tables = (told for name in ("memory.events", "memory.oom_control") for told in memory.tables(name))
    own = next((told["oom_kill"] for told in tables if "oom_kill" in told), None)
    return _of_the_machine() if own is None else own


def _of_the_machine() -> int:
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

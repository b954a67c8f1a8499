"""The memory that a child process needs at most, and the children that it waited for: that of the largest one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

HIGH_WATER = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


class Peak:
    """What the kernel counts of a process at its end, or the largest sample where that count says nothing.

    The count (ru_maxrss) begins with the most that *we* had held when the process was started (setmax_mm_hiwater_rss
    in the kernel's fs/exec.c), and so a small program of a large process would seem as large. What is above that is
    the program's own; what is not, is sampled: the kernel keeps a high-water mark of a process while it lives.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._sampled = pid, 0
        self._inherited = _high_water_kib(os.getpid())  # after the start: it can only have grown since

    def look(self) -> None:
        """Take a sample."""
        self._sampled = max(self._sampled, *map(_high_water_kib, _family(self._pid)))

    def gb(self, counted_kib: int) -> float:
        """Return the peak (GB) of a process that has ended with this count."""
        # The kernel's counts are approximate: a little above what it began with is not above it.
        own = counted_kib > 1.1 * self._inherited or not self._sampled
        return round((counted_kib if own else self._sampled) / 2**20, 3)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all below it, as far as the kernel tells."""
    yield pid
    with suppress(OSError):  # it has just ended, or this is no Linux
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in _text(thread / "children").split():
                yield from _family(int(child))


def _high_water_kib(pid: int) -> int:
    found = HIGH_WATER.search(_text(Path(f"/proc/{pid}/status")))
    return int(found[1]) if found else 0


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""

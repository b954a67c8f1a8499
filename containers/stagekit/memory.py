"""What the kernel's control group tells of the memory of the container that this process runs in."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Mapping, Optional

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def needed_bytes(stat: Mapping[str, int]) -> Optional[int]:
    """Return what cannot be given back of a group's memory, by its memory.stat; None if that does not tell.

    The kernel's own peak (memory.peak, memory.max_usage_in_bytes) counts the cache of all files that were read, and so
    says the limit for any program that reads much. What a program needs are its own pages and the files of its tmpfs,
    which both versions of cgroups keep on their lists of anonymous pages.
    """
    for prefix in ("total_", ""):  # version 1 tells of all groups below as total_; version 2 always does
        if f"{prefix}active_anon" in stat:
            return int(stat[f"{prefix}active_anon"]) + int(stat[f"{prefix}inactive_anon"])
    return None


def killed() -> int:
    """Return how many processes of this container the kernel has killed for want of memory; 0 where it tells not."""
    for name in ("memory.events", "memory.oom_control"):  # version 2, version 1
        for told in tables(name):
            if "oom_kill" in told:
                return told["oom_kill"]
    return 0


class Peak:
    """The largest sample of what this container needs: kept by who looks now and then."""

    def __init__(self) -> None:
        self._bytes = 0

    def look(self) -> None:
        """Take a sample."""
        now = next((needed_bytes(told) for told in tables("memory.stat")), None)
        self._bytes = max(self._bytes, now or 0)

    @property
    def gb(self) -> Optional[float]:
        """Return the largest sample (GB); None where the kernel does not tell."""
        return round(self._bytes / 2**30, 3) if self._bytes else None


def tables(name: str) -> Iterator[Mapping[str, int]]:
    """Yield what a file of this group's tells: of the group itself, or of what the container sees as the root."""
    for folder in _folders():
        try:
            lines = (folder / name).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        yield {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 2 and words[1].isdigit()}


def _folders() -> Iterator[Path]:
    try:
        lines = OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):  # version 2 has one group for all
            yield GROUPS / controllers / path.lstrip("/")
    yield from (GROUPS / "memory", GROUPS)

"""The memory that a container needs at most, sampled while it runs: stagekit.memory says what of it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.models.containers import Container
from stagekit import memory
from stagekit.child import Pace

SAMPLE_SECONDS = 1.0


class Peak:
    """The largest sample of a container's memory."""

    def __init__(self) -> None:
        self._bytes, self._pace = 0, Pace(SAMPLE_SECONDS)

    @property
    def gb(self) -> float | None:
        """Return the largest sample (GB); None if there is none, for it ended before the first."""
        return round(self._bytes / 2**30, 3) if self._bytes else None

    def look(self, container: Container) -> None:
        """Take a sample, if the last one is old enough."""
        if self._pace.is_due():
            told: Any = container.stats(stream=False, one_shot=True)
            self._bytes = max(self._bytes, needed_bytes(told.get("memory_stats") or {}))


def needed_bytes(told: Mapping[str, Any]) -> int:
    """Return what cannot be given back of the memory that the daemon tells of; all of it, if it tells no parts."""
    needed = memory.needed_bytes(told.get("stats") or {})
    return int(told.get("usage") or 0) if needed is None else needed

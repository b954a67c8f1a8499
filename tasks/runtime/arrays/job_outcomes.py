"""How the jobs of an array ended: as their elements wrote; where they wrote nothing, as the scheduler says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.runtime.arrays.array_folder import Array, End
from tasks.runtime.arrays.queue import CANCELLED, LOST, OUT_OF_MEMORY, TIMED_OUT, UNDER_WAY, ElementState, Snapshot
from tasks.runtime.core.job import Outcome

KILLED, TERMINATED = 137, 143
GONE = ElementState(0, 0, LOST, "it is in the queue no more")


@dataclass
class JobOutcomes:
    """What is still to be known of an array's jobs."""

    array: Array
    judged: Callable[[ElementState, Path], ElementState]
    grace_seconds: float
    """How long what an element wrote may take to be seen here, once the element is over."""
    since: float
    """When the queue must have been asked at the earliest for its silence to mean something."""
    pending: set[str] = field(init=False)
    _over: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pending = set(self.array.unsettled())

    def given(self, snapshot: Snapshot) -> Iterator[tuple[str, Outcome]]:
        """Yield the jobs that have ended since the last time, each with its outcome."""
        if not self.pending:
            return
        ended = self.array.ended()
        for index, names in enumerate(self.array.elements):
            waiting = [name for name in names if name in self.pending]
            if waiting:
                for name, outcome in self._of_element(index, waiting, ended, snapshot):
                    self.pending.discard(name)
                    yield name, outcome

    def _of_element(
        self, index: int, waiting: list[str], ended: set[str], snapshot: Snapshot
    ) -> Iterator[tuple[str, Outcome]]:
        last = self._last_word(index, snapshot)
        silent = []
        for name in waiting:
            if name not in ended:
                silent.append(name)
                continue
            end = self.array.end(name)
            # A signal may be the scheduler's: then it says why, once the element is over.
            if end.exit_code not in (KILLED, TERMINATED) or end.timed_out or end.out_of_memory or last:
                yield name, of_end(end, last)
        if silent and last and self._has_waited(index):
            where = f"{self.array.id}_{index}"
            yield silent[0], of_silence(last, where)
            # The element runs its jobs in order: the others never began.
            yield from ((name, of_silence(ElementState(0, 0, LOST, "it never began"), where)) for name in silent[1:])

    def _last_word(self, index: int, snapshot: Snapshot) -> ElementState | None:
        """Return what the scheduler says of an element that is over; None while it is not, or nobody knows."""
        seen = snapshot.element(self.array.id, index)
        if seen is None and self.array.id and snapshot.asked <= self.since:
            return None
        if seen and seen.how in UNDER_WAY:
            self._over.pop(index, None)
            return None
        self._over.setdefault(index, time.monotonic())
        return self.judged(seen, self.array.log(index)) if seen else GONE

    def _has_waited(self, index: int) -> bool:
        return time.monotonic() - self._over[index] >= self.grace_seconds


def of_end(end: End, last: ElementState | None) -> Outcome:
    """Return the outcome of a job that its element told of; the scheduler may know whose signal it was."""
    asked = last if last is not GONE and end.exit_code in (KILLED, TERMINATED) else None
    how = asked.how if asked else ""
    return Outcome(
        end.exit_code,
        end.seconds,
        out_of_memory=end.out_of_memory or how == OUT_OF_MEMORY,
        timed_out=end.timed_out or how == TIMED_OUT,
        peak_memory_gb=end.peak_memory_gb,
        cancelled=how == CANCELLED,
        lost=f"{end.id}: {asked.said}" if asked and how in (LOST, CANCELLED) else "",
        where=f"{end.where}, {end.id}",
    )


def of_silence(last: ElementState, where: str) -> Outcome:
    """Return the outcome of a job of which nothing is known but how its element ended."""
    how = last.how
    told = how in (OUT_OF_MEMORY, TIMED_OUT)
    return Outcome(
        KILLED,
        0.0,
        out_of_memory=how == OUT_OF_MEMORY,
        timed_out=how == TIMED_OUT,
        cancelled=how == CANCELLED,
        lost="" if told else f"{where}: {last.said}; it left no word of how it ended",
        where=where,
    )

"""How many jobs run on this machine at once, over all processes that share a data root."""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.definitions.stages import Resources
from tasks.errors import EngineError

POLL_SECONDS = 0.1


def machine_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def machine_memory_gb() -> float:
    """Return the memory that is there, less a tenth for everything else."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 * 0.9


@dataclass(frozen=True)
class Slots:
    """A machine's budget: `cores` slots, each of which stands for its share of the memory.

    A slot is a lock on a file, so that the kernel gives it back when its holder dies, and so that
    several Luigi workers and several runs keep to one budget.
    """

    folder: Path
    cores: int
    memory_gb: float
    patience_seconds: float = 30
    """How long a job that finds too few free slots lets smaller ones pass."""

    def needed(self, resources: Resources) -> int:
        """Return the slots that a job takes; raise EngineError if the machine is too small for it."""
        share = self.memory_gb / self.cores
        slots = max(resources.cpus, math.ceil(resources.memory_gb / share - 1e-9))
        if slots > self.cores:
            message = (
                f"a job needs {resources.cpus} cores and {resources.memory_gb:g} GB; [runtime] gives {self.cores} "
                f"cores and {self.memory_gb:.1f} GB: raise [runtime] memory_gb or cores, or lower the stage's own"
            )
            raise EngineError(message)
        return slots

    @contextmanager
    def taken(self, resources: Resources, cancelled: threading.Event) -> Iterator[bool]:
        """Wait for a job's slots and hold them; gives False if cancelled while waiting."""
        wanted = self.needed(resources)
        self.folder.mkdir(parents=True, exist_ok=True)
        held: list[int] = []
        try:
            patient_until = time.monotonic() + self.patience_seconds
            while len(held) < wanted and not cancelled.is_set():
                self._collect(held, wanted, patient_until, cancelled)
                if len(held) < wanted:
                    cancelled.wait(POLL_SECONDS * (1 + os.getpid() % 5 / 10))
            yield len(held) == wanted
        finally:
            _release(held)

    def _collect(self, held: list[int], wanted: int, patient_until: float, cancelled: threading.Event) -> None:
        """Take the slots if it is this job's turn and they are free; after a long wait, keep the turn until they are.

        Only who has the turn takes slots: so two jobs never wait for each other's, and small jobs do not pass one that
        needs many cores for ever. Before that they may, for a core that is kept for another job does nothing.
        """
        turn = _lock(self.folder / "turn")
        if turn is None:
            return
        try:
            held += self._lock_free(wanted)
            while len(held) < wanted and time.monotonic() >= patient_until and not cancelled.wait(POLL_SECONDS):
                held += self._lock_free(wanted - len(held))
            if len(held) < wanted:
                _release(held)
        finally:
            _release([turn])

    def _lock_free(self, wanted: int) -> list[int]:
        held: list[int] = []
        for number in range(self.cores):
            if len(held) == wanted:
                break
            handle = _lock(self.folder / f"slot-{number}")
            if handle is not None:
                held.append(handle)
        return held


def _lock(file: Path) -> int | None:
    """Return the open file, locked; None if another holds the lock."""
    handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    with suppress(PermissionError):  # another user's file: it has its mode already
        os.fchmod(handle, 0o666)  # whatever the umask: a data root may be shared
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _release(held: list[int]) -> None:
    while held:
        with suppress(OSError):
            os.close(held.pop())

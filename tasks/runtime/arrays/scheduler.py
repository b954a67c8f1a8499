"""What a scheduler of arrays does for us: Slurm (tasks/runtime/slurm/slurm.py), AWS Batch (aws_batch.py).

docs/extend.md says how to add one, and how to add a container engine.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.queue import Arrays, ElementState


class Scheduler(Protocol):
    """Runs arrays. Whatever it is asked raises NoAnswerError while it does not answer."""

    name: str
    remedy: str
    """What to look at when it refuses an array."""

    def submit(self, array: Array) -> str:
        """Submit an array under its name; return its id."""

    def find(self, name: str) -> str:
        """Return the id of what was submitted under a name; empty if there is nothing."""

    def adopt(self, array: Array) -> None:
        """Take note that an array, which it has, is waited for: from now on the queue tells of it."""

    def ask(self) -> Arrays:
        """Return the state of all arrays that are waited for; of those that ended a short while ago too."""

    def judged(self, seen: ElementState, log: Path) -> ElementState:
        """Return how an element really ended, if its log says more than its state."""

    def cancel(self, array_id: str, indices: Collection[int] = ()) -> None:
        """Cancel an array, or some of its elements."""

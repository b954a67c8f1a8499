"""How the folders of arrays and jobs come to where their elements see them, and what elements write comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.core.job import Job


class Shared(Protocol):
    """Between this machine and those that run elements."""

    def prepare(self, job: Job) -> None:
        """Add to a job's folder what its element has to know."""

    def tell(self, array: Array, jobs: Iterable[str] = ()) -> None:
        """Let it be seen what was written of an array, and of jobs that ended."""

    def bring(self, array: Array) -> None:
        """Let it be seen here which jobs of an array have ended."""

    def lay(self, jobs: Sequence[Job]) -> bool:
        """As Place.lay."""


class Addressed(Shared, Protocol):
    """The same where elements are told by a URL, or by a path that they see, where a folder is."""

    def address(self, folder: Path) -> str:
        """Return where elements find a folder of the data root."""

    def hand_over(self, array: Array) -> str:
        """Let all be there that an array's elements read; return the address of the array's folder."""


class OneFileSystem:
    """All machines see one file system: there is nothing to do."""

    def prepare(self, job: Job) -> None:
        pass

    def tell(self, array: Array, jobs: Iterable[str] = ()) -> None:
        pass

    def bring(self, array: Array) -> None:
        pass

    def lay(self, jobs: Sequence[Job]) -> bool:
        return True

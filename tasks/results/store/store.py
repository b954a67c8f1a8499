"""Store: what is asked of the data root, wherever it lies; LocalStore: where it is a folder that all jobs see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks.results import fingerprint
from tasks.results.fingerprint import Artifact
from tasks.results.store import trash
from tasks.results.store.links import Linked
from tasks.runtime.arrays.shared import Addressed
from tasks.runtime.core import locks


class Store(Protocol):
    """The data root. Paths are those of tasks/dataset/layout.py; where they lead, is a store's own business."""

    @property
    def url(self) -> str:
        """Return where it lies, s3://bucket/prefix; empty for a folder."""

    def refresh(self, *, now: bool = False) -> None:
        """Let manifests, ledgers and metadata be here as they are: unless `now`, as they were some seconds ago."""

    def look(self, *paths: Path) -> None:
        """Let it be seen here whether something lies at a path, how large it is, and what its folder holds."""

    def pull(self, folder: Path) -> None:
        """Let a run's folder be here as it is, but for what its jobs made."""

    def push(self, *paths: Path) -> None:
        """Let small files that were written here be seen by all."""

    def ensure_local(self, path: Path) -> Path:
        """Let the content of a file or folder be here; return the path."""

    def lies_there(self, made: Artifact) -> bool:
        """Say whether a published output is there, and a file as long as it was."""

    def linked(self, path: Path) -> Linked | None:
        """Return what a link says of a folder that lies elsewhere; None if it lies in the data root."""

    def examine(self) -> str:
        """Return, for doctor, where it lies and whether anything does; StoreError if one may not look."""

    def size(self, path: Path) -> int | None:
        """Return the bytes of a file, or of all files of a folder; None if nothing lies there."""

    def artifact(self, path: Path, memory: Path | None = None) -> Artifact:
        """Return what a person laid."""

    def elements(self, given: Path) -> Addressed | None:
        """Return how the elements of arrays reach it by URLs; None if they must see its folder.

        `given` is the folder of files that lie outside of the data root and that jobs read, by their content.
        """

    def hashes(self, run: Path) -> Mapping[str, str]:
        """Return the SHA-256 of what a run's jobs made, by path, as far as it is known without reading."""

    def remove(self, path: Path) -> None:
        """Remove a file or folder; a crash leaves it whole in its place or in none."""

    def move(self, source: Path, target: Path) -> None:
        """Move a file or folder that a run made to its place; what lies there goes."""

    def tidy(self, run: Path) -> None:
        """Delete what a run's jobs made, which was published."""

    def alone(self, lock: Path, what: str) -> AbstractContextManager[bool]:
        """Hold a lock over all processes of the data root; gives whether another held it first."""

    def at_once(self, lock: Path) -> AbstractContextManager[bool]:
        """Hold a lock if nobody else does; gives whether it is held."""

    def is_held(self, lock: Path) -> bool:
        """Say whether somebody holds a lock."""

    def assert_held(self, lock: Path) -> None:
        """Raise StoreError if a lock that was held has gone to another."""


@dataclass(frozen=True)
class LocalStore:
    """A folder of this machine, or of a file system that all machines share: what is written is seen."""

    trash: Path

    @property
    def url(self) -> str:
        return ""

    def refresh(self, *, now: bool = False) -> None:
        pass

    def look(self, *paths: Path) -> None:
        pass

    def pull(self, folder: Path) -> None:
        pass

    def push(self, *paths: Path) -> None:
        pass

    def ensure_local(self, path: Path) -> Path:
        return path

    def lies_there(self, made: Artifact) -> bool:
        return made.path.is_dir() or (made.path.is_file() and made.path.stat().st_size == made.bytes)

    def linked(self, path: Path) -> Linked | None:
        return None

    def examine(self) -> str:
        return ""

    def size(self, path: Path) -> int | None:
        files = (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else (path,)
        return sum(each.stat().st_size for each in files) if path.exists() else None

    def artifact(self, path: Path, memory: Path | None = None) -> Artifact:
        return fingerprint.artifact(path, memory)

    def elements(self, given: Path) -> Addressed | None:
        return None

    def hashes(self, run: Path) -> Mapping[str, str]:
        return {}

    def remove(self, path: Path) -> None:
        trash.remove(path, self.trash) if path.is_dir() else path.unlink(missing_ok=True)

    def move(self, source: Path, target: Path) -> None:
        """Rename; a folder that is there is moved away first, for a rename wants it empty."""
        target.parent.mkdir(parents=True, exist_ok=True)
        old = trash.set_aside(target, self.trash) if target.is_dir() else None
        os.replace(source, target)
        if old:
            shutil.rmtree(old, ignore_errors=True)

    def tidy(self, run: Path) -> None:
        pass

    def alone(self, lock: Path, what: str) -> AbstractContextManager[bool]:
        return locks.alone(lock, what)

    def at_once(self, lock: Path) -> AbstractContextManager[bool]:
        return locks.at_once(lock)

    def is_held(self, lock: Path) -> bool:
        return locks.is_held(lock)

    def assert_held(self, lock: Path) -> None:
        pass  # the kernel takes no lock away

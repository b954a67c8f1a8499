"""What the mirror of a bucket knows of its files: which object each is a copy of, or only stands for (a hole)."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_WAIT = 60.0


@dataclass(frozen=True)
class Entry:
    """A file of the mirror, when it was last the same as its object."""

    etag: str
    hole: bool
    """It has its object's size and nothing of its content."""
    bytes: int
    changed_ns: int

    def is_still(self, status: os.stat_result) -> bool:
        """Say whether nobody has written to the file since."""
        return (status.st_size, status.st_mtime_ns) == (self.bytes, self.changed_ns)


class Index:
    """A table that all processes of a machine share; a mirror whose index is lost is fetched once more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: dict[int, tuple[sqlite3.Connection, threading.Lock]] = {}

    def of(self, file: Path) -> Entry | None:
        """Return what is known of a file, as long as it is the file that it is known of."""
        table, lock = self._table
        with lock:
            asked = "SELECT etag, hole, bytes, changed_ns FROM files WHERE path = ?"
            found = table.execute(asked, (str(file),)).fetchone()
        entry = Entry(found[0], bool(found[1]), found[2], found[3]) if found else None
        try:
            return entry if entry and entry.is_still(file.stat()) else None
        except FileNotFoundError:
            return None

    def note(self, file: Path, etag: str, status: os.stat_result, *, hole: bool = False) -> None:
        """Say that a file was the same as an object when it had this status, or that it stands for it."""
        self.note_all([(file, etag, status)], hole=hole)

    def note_all(self, files: Iterable[tuple[Path, str, os.stat_result]], *, hole: bool = False) -> None:
        rows = [(str(file), etag, hole, status.st_size, status.st_mtime_ns) for file, etag, status in files]
        table, lock = self._table
        with lock, table:
            table.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)

    @property
    def _table(self) -> tuple[sqlite3.Connection, threading.Lock]:
        """Return this process's connection, for one thread at a time: a fork shares none."""
        if os.getpid() not in self._open:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            table = sqlite3.connect(self.path, timeout=SECONDS_TO_WAIT, check_same_thread=False)
            with table:
                table.execute(
                    "CREATE TABLE IF NOT EXISTS files "
                    "(path TEXT PRIMARY KEY, etag TEXT, hole INTEGER, bytes INTEGER, changed_ns INTEGER)"
                )
            self._open = {os.getpid(): (table, threading.Lock())}
        return self._open[os.getpid()]

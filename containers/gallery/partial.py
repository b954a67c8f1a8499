"""A file on its way: its bytes under another name, a journal of its finished parts, and its sums as far as it goes."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import List, Optional, Set, Tuple

from bucket import Remote
from etags import Sums

PART_BYTES = 64 * 2**20
CHUNK_BYTES = 2**18


class Partial:
    """The parts of one object that are there, and those that are not.

    A part counts once its line stands whole in the journal, so a process that was killed goes on
    from there. A journal of another ETag, size or part size is not gone on from.
    """

    def __init__(self, folder: Path, remote: Remote) -> None:
        self.remote = remote
        name = hashlib.sha256(remote.path.encode()).hexdigest()[:32]
        self.data, self.journal = folder / name, folder / f"{name}.parts"
        self.sums: Optional[Sums] = None  # once the file is whole
        self.encrypted = False
        """Whether the ETag is no MD5, because the object is encrypted with a key of its owner's."""
        self.failure = ""
        self.changed = False
        self.again = 0
        self.began = 0.0
        self._lock = threading.Lock()
        self._left = 0
        self._arrived: Set[int] = set()  # the first bytes of parts
        self._summing = threading.Lock()
        self._so_far: Optional[Sums] = None
        self._summed = 0  # bytes
        self._handle = -1

    def parts(self) -> List[Tuple[int, int]]:
        """Return (first byte, length) of every part; an empty file has one that is empty."""
        size = self.remote.bytes
        return [(first, min(PART_BYTES, size - first)) for first in range(0, max(size, 1), PART_BYTES)]

    def missing(self) -> List[Tuple[int, int]]:
        """Return the parts that are not there."""
        done = self._done()
        return [part for part in self.parts() if part[0] not in done]

    def missing_bytes(self) -> int:
        return sum(length for _, length in self.missing())

    def open(self) -> List[Tuple[int, int]]:
        """Make ready for writing; return the parts that are to come."""
        self.began = time.monotonic()
        done, todo = sorted(self._done()), self.missing()
        if not done:  # nothing is there, or nothing that can be used
            self.data.unlink(missing_ok=True)
        if self._has_parts:  # written anew, because a crash may have left half a line
            self.journal.write_text("".join(f"{line}\n" for line in [self._head(), *done]), encoding="ascii")
        self._left, self._arrived = max(len(todo), 1), set(done)
        self._handle = os.open(self.data, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        return todo

    def write(self, chunk: bytes, offset: int) -> None:
        os.pwrite(self._handle, chunk, offset)

    def part_is_done(self, first: int) -> None:
        if self._has_parts:
            with self._lock, open(self.journal, "a", encoding="ascii") as journal:
                journal.write(f"{first}\n")
                self._arrived.add(first)

    def sum_up(self) -> None:
        """Take the parts that lie there in order into the sums, while others come; one thread does, the rest go on."""
        if not self._has_parts or not self._summing.acquire(blocking=False):
            return
        try:
            while self._summed in self._arrived:
                end = min(self._summed + PART_BYTES, self.remote.bytes)
                self._sum_to(end)
                if self._summed < end:  # the file is shorter than its journal says: its sums will be wrong
                    break
        finally:
            self._summing.release()

    def _sum_to(self, end: int) -> None:
        self._so_far = self._so_far or Sums(self.remote.etag, self.remote.bytes)
        with open(self.data, "rb", buffering=0) as handle:
            handle.seek(self._summed)
            while self._summed < end and (chunk := handle.read(min(CHUNK_BYTES, end - self._summed))):
                self._so_far.update(chunk)
                self._summed += len(chunk)

    def part_ended(self) -> bool:
        """Count a part's end, good or bad; say whether it was the last one, after which the file is closed."""
        with self._lock:
            self._left -= 1
            if self._left:
                return False
        self.close()
        return True

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def read_sums(self, part_bytes: Tuple[int, ...] = ()) -> Sums:
        """Return the file's sums: those computed on the way, and what is missing of them by reading it."""
        if self.sums is None or part_bytes:
            with self._summing:
                if part_bytes:  # from the first byte again
                    self._so_far, self._summed = Sums(self.remote.etag, self.remote.bytes, part_bytes), 0
                self._sum_to(self.data.stat().st_size)
                self.sums = self._so_far
        return self.sums

    def move(self, target: Path) -> None:
        """Give the file a name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.data, target)
        self.journal.unlink(missing_ok=True)

    def discard(self) -> None:
        self.data.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)
        self.sums, self._so_far, self._summed = None, None, 0

    @property
    def _has_parts(self) -> bool:
        """Say whether there is something to note: a file of one part gets its name as soon as it is there."""
        return self.remote.bytes > PART_BYTES

    def _head(self) -> str:
        return f"{self.remote.etag} {self.remote.bytes} {PART_BYTES}"

    def _done(self) -> Set[int]:
        if not self._has_parts or not self.journal.exists() or not self.data.exists():
            return set()
        head, *lines = self.journal.read_text(encoding="ascii").split("\n")
        # What follows the last line's end is a line that a crash cut short.
        return {int(line) for line in lines[:-1]} if head == self._head() else set()

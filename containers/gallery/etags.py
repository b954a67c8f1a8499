"""Recompute what S3 says of an object: its ETag is the MD5 of its bytes, or of the MD5s of the parts it came in."""

from __future__ import annotations

import hashlib
from typing import Iterable, List

MIB, MB = 2**20, 10**6
# The part sizes of the AWS CLI and boto3 (8), the console (16, 17), s5cmd (50), rclone (5) and what people set.
COMMON_PART_BYTES = tuple(
    size * unit
    for size in (5, 8, 10, 15, 16, 17, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1024)
    for unit in (MIB, MB)
)


class Sums:
    """The sums of a file whose bytes come in order: SHA-256, and the ETags that its uploads could have given it."""

    def __init__(self, etag: str, size: int, more_part_bytes: Iterable[int] = ()) -> None:
        self.etag = etag
        self._sha256 = hashlib.sha256()
        self._trials = [_Trial(part) for part in candidates(etag, size, more_part_bytes)]

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        for trial in self._trials:
            trial.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def match(self) -> bool:
        """Say whether one way of uploading these bytes gives this ETag."""
        return any(trial.etag() == self.etag for trial in self._trials)


def part_count(etag: str) -> int:
    """Return in how many parts an object was uploaded; 0 if it came whole."""
    _, dash, count = etag.partition("-")
    return int(count) if dash and count.isdigit() else 0


def candidates(etag: str, size: int, more_part_bytes: Iterable[int] = ()) -> List[int]:
    """Return the part sizes that give this many parts; 0 stands for a whole upload."""
    count = part_count(etag)
    if not count:
        return [0]
    sizes = {*COMMON_PART_BYTES, *more_part_bytes} | ({size} if count == 1 else set())
    return sorted(part for part in sizes if part > 0 and max(-(-size // part), 1) == count)


class _Trial:
    """The ETag of bytes uploaded in parts of one size."""

    def __init__(self, part_bytes: int) -> None:
        self.part_bytes = part_bytes
        self.part, self.room = hashlib.md5(usedforsecurity=False), part_bytes
        self.done: List[bytes] = []

    def update(self, chunk: bytes) -> None:
        if not self.part_bytes:
            self.part.update(chunk)
            return
        view = memoryview(chunk)
        while view:
            if not self.room:  # the next part begins only when there is something in it
                self.done.append(self.part.digest())
                self.part, self.room = hashlib.md5(usedforsecurity=False), self.part_bytes
            piece = view[: self.room]
            self.part.update(piece)
            self.room -= len(piece)
            view = view[len(piece) :]

    def etag(self) -> str:
        if not self.part_bytes:
            return self.part.hexdigest()
        digests = [*self.done, self.part.digest()]
        return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"

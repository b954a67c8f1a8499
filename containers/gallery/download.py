"""Download many objects at once: in parts, tried again after faults, checked, and only then named."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from bucket import Bucket, Remote
from etags import part_count
from part_stream import Changed, PartStream
from partial import Partial
from stagekit.program import ServiceError

ROUNDS = 3  # of a file: a wrong one is fetched again from nothing, an unfinished one from what is there

Part = Tuple[int, int]


@dataclass(frozen=True)
class Fetched:
    """A file that came and was checked."""

    remote: Remote
    sha256: str
    again: int
    """How many of its parts had to be asked for again."""
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A file that could not be had in this round, and what to ask for in the next."""

    reason: str
    next: Optional[Remote]


class Download:
    """Downloads into `target`, which holds only whole and checked files; `partial/` and `quarantine/` hold others.

    `came` is told of bytes as they come, `done` of every good file, `sha256` gives the sum of a path if one is known.
    """

    def __init__(
        self,
        bucket: Bucket,
        folder: Path,
        target: Path,
        connections: int,
        stall_seconds: float,
        came: Callable[[int], None],
        done: Callable[[Fetched], None],
        sha256: Callable[[str], Optional[str]],
    ) -> None:
        self.bucket, self.target, self.connections = bucket, target, connections
        self.partials, self.quarantine = folder / "partial", folder / "quarantine"
        self.came, self.done, self.sha256 = came, done, sha256
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._stream = PartStream(bucket, stall_seconds, came, self._stop)
        self._failed: Dict[str, Failed] = {}
        self._failed_in_a_row = 0

    def missing_bytes(self, remotes: List[Remote]) -> int:
        """Return how many bytes are to come: less than all, if an earlier run left good parts."""
        return sum(Partial(self.partials, remote).missing_bytes() for remote in remotes)

    def run(self, remotes: List[Remote]) -> Mapping[str, str]:
        """Download all; return why for the path of each that could not be had."""
        self.partials.mkdir(parents=True, exist_ok=True)
        reasons: Dict[str, str] = {}
        for number in range(1, ROUNDS + 1):
            self._failed = {}
            self._run_round(remotes, last=number == ROUNDS)
            reasons.update({path: failed.reason for path, failed in self._failed.items() if not failed.next})
            remotes = [failed.next for failed in self._failed.values() if failed.next]
        return {**reasons, **{path: failed.reason for path, failed in self._failed.items()}}

    def _run_round(self, remotes: List[Remote], last: bool) -> None:
        pieces = self._pieces(remotes)
        with ThreadPoolExecutor(self.connections) as pool:
            workers = [pool.submit(self._work, pieces, last) for _ in range(self.connections)]
            try:
                for worker in workers:
                    worker.result()
            except BaseException:
                self._stop.set()
                raise

    def _pieces(self, remotes: List[Remote]) -> Iterator[Tuple[Partial, Optional[Part]]]:
        """Yield the parts to come, one file after the other: few files are open at once."""
        for remote in remotes:
            partial = Partial(self.partials, remote)
            todo = partial.open()
            for part in todo or [None]:  # an earlier run fetched all parts and had not checked them
                yield partial, part

    def _work(self, pieces: Iterator[Tuple[Partial, Optional[Part]]], last: bool) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    partial, part = next(pieces, (None, None))
                if partial is None:
                    return
                if part:
                    self._fetch(partial, part)
                    partial.sum_up()
                if partial.part_ended():
                    self._finish(partial, last)
        except BaseException:  # a full disk, a dead service or our bug: the other workers need not go on
            self._stop.set()
            raise

    def _fetch(self, partial: Partial, part: Part) -> None:
        """Fetch a part; end the run if one part after the other fails, for then it is not the part's fault."""
        try:
            reason = self._stream.fetch(partial, *part)
        except Changed as error:
            partial.failure, partial.changed = str(error), True
            return
        with self._lock:
            partial.failure = reason or partial.failure
            self._failed_in_a_row = self._failed_in_a_row + 1 if reason else 0
        if self._failed_in_a_row > 2 * self.connections:
            message = f"s3://{self.bucket.name}/{partial.remote.key}: {reason}, and the requests before it failed too"
            raise ServiceError(f"{message}; what came is kept: run again when the service answers")

    def _finish(self, partial: Partial, last: bool) -> None:
        """Check a file all of whose parts have ended; name it, or see to it that it is asked for again."""
        remote = partial.remote
        wrong = "" if partial.failure else self._wrong(partial)
        if not partial.failure and not wrong:
            sums = partial.read_sums()
            partial.move(self.target / remote.path)
            (self.quarantine / remote.path).unlink(missing_ok=True)
            self.done(Fetched(remote, sums.sha256, partial.again, time.monotonic() - partial.began))
            return
        following: Optional[Remote] = remote
        if partial.changed:
            following = self.bucket.one(remote.path)
            partial.discard()
        elif wrong and last:
            partial.move(self.quarantine / remote.path)
        elif wrong:
            self.came(-remote.bytes)
            partial.discard()
        self._failed[remote.path] = Failed(partial.failure or wrong, following)

    def _wrong(self, partial: Partial) -> str:
        """Return in what a file's sums differ from those that it should have; nothing if all is well."""
        remote, sums = partial.remote, partial.read_sums()
        listed = self.sha256(remote.path)
        if listed and listed != sums.sha256:
            return f"its SHA-256 is {sums.sha256}, the checksum list says {listed}"
        if partial.encrypted or sums.match():
            return ""
        parts = part_count(remote.etag)
        told = self.bucket.first_part_bytes(remote) if parts else None
        if told and partial.read_sums((told,)).match():
            return ""
        how = f"in {parts} parts of any usual size, or of {told}" if parts else "their MD5 is another"
        return f"its {remote.bytes} bytes do not give the gallery's ETag {remote.etag} ({how})"

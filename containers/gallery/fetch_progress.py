"""How far a fetch is: files, bytes, rate and the time that is left."""

from __future__ import annotations

import threading
import time

from stagekit import program

GB = 10**9
SAY_SECONDS = 2.0


class Progress:
    """Says how far the fetch is: files, bytes, rate and the time that is left."""

    def __init__(self, report: program.Report, files: int, total_bytes: int) -> None:
        self.report, self.files, self.total_bytes = report, files, total_bytes
        self._done = self._bytes = self._there = 0
        self._began = self._said = time.monotonic()
        self._lock = threading.Lock()

    def start(self, done: int, there: int) -> None:
        """Begin with what an earlier run left."""
        self._done, self._bytes, self._there = done, there, there
        self.say()

    def file(self) -> None:
        self._done += 1

    def came(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            due = time.monotonic() - self._said > SAY_SECONDS
            self._said = time.monotonic() if due else self._said
        if due:
            self.say()

    def say(self) -> None:
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = (self._bytes - self._there) / seconds
        text = f"{self._done} of {self.files} files, {self._bytes / GB:.3f} of {self.total_bytes / GB:.3f} GB"
        if rate > 0:
            left = (self.total_bytes - self._bytes) / rate
            text += f", {rate / 1e6:.1f} MB/s, " + (f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left")
        self.report.say(text)

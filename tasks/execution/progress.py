"""A bar for long work: units done, failed and left, and the time that is left."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tasks.results import ledger
from tasks.runtime.core import events
from tasks.runtime.core.events import StageAdvanced
from tasks.runtime.core.job import Job

logger = logging.getLogger(__name__)

LINE_SECONDS = 15.0
Tell = Callable[[int, str], None]
_shown_elsewhere = False


@contextmanager
def without_bars() -> Iterator[None]:
    """Let no bar move on the terminal: a command shows by the log's events how stages go."""
    global _shown_elsewhere
    before, _shown_elsewhere = _shown_elsewhere, True
    try:
        yield
    finally:
        _shown_elsewhere = before


class Bar:
    """Shows how a stage goes: a moving bar on a terminal, else a line of the log now and then."""

    def __init__(self, title: str, unit: str, total: int, tell: Tell) -> None:
        self.title, self.unit, self.total, self.tell = title, unit, total, tell
        self.started = self.printed = time.monotonic()
        self.said = ""
        self.bar = _terminal_bar() if sys.stderr.isatty() and total > 1 and not _shown_elsewhere else None
        self.row: TaskID | None = None

    def __enter__(self) -> Bar:
        if self.bar:
            self.bar.start()
            self.row = self.bar.add_task(self.title, total=self.total, said="")
        return self

    def show(self, jobs: Sequence[Job]) -> None:
        """Show how far jobs are: by what their programs say, else by the units that they report."""
        folders = [job.folder for job in jobs]
        said = ledger.said(folders)
        if said:
            self.say(said)
            return
        counts = ledger.counts(ledger.units(folders))
        self.update(counts.get("ok", 0), counts.get("failed", 0))

    def update(self, done: int, failed: int) -> None:
        """Show the state: units that ended well, and that did not."""
        said = self.describe(done, failed)
        if said != self.said:
            self._tell(100 * (done + failed) // max(self.total, 1), said, worth_showing=self.total > 1)
        if self.bar and self.row is not None:
            self.bar.update(self.row, completed=done + failed, said=said)
        elif self.total > 1 and time.monotonic() - self.printed > LINE_SECONDS:
            self.printed = time.monotonic()
            logger.info("%s: %s", self.title, said)

    def say(self, said: str) -> None:
        """Show the program's own words."""
        if said == self.said:
            return
        self._tell(0, said, worth_showing=True)
        if self.bar and self.row is not None:
            self.bar.update(self.row, said=said)
        elif time.monotonic() - self.printed > LINE_SECONDS:
            self.printed = time.monotonic()
            logger.info("%s: %s", self.title, said)

    def _tell(self, percent: int, said: str, *, worth_showing: bool) -> None:
        self.tell(percent, said)
        self.said = said
        if worth_showing:
            logger.debug("%s: %s", self.title, said, extra=events.extra(StageAdvanced(self.title, said)))

    def describe(self, done: int, failed: int) -> str:
        """Return '12 of 24 sites, 1 failed, 11 left, about 2 min'."""
        ended = done + failed
        left = self.total - ended
        units = f"{self.unit}es" if self.unit.endswith("ch") else f"{self.unit}s"
        text = f"{done} of {self.total} {units}, {failed} failed, {left} left"
        if not ended or not left:
            return text
        seconds = (time.monotonic() - self.started) / ended * left
        return text + (f", about {seconds / 60:.0f} min" if seconds > 90 else f", about {seconds:.0f} s")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()


def _terminal_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)

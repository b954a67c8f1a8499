"""Show a run in short: environments, the engine and why, a line a stage with its plates, and each kind of warning once.

On a terminal the lines that are not over yet move; elsewhere only whole lines are written, without control characters.
Workers that Luigi forks show nothing themselves: what they log comes to this process by a pipe.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tasks.commands.folding import duration, folded, in_short
from tasks.runtime.core import events
from tasks.runtime.core.events import (
    EngineChosen,
    EnvironmentMade,
    EnvironmentStarted,
    Event,
    StageAdvanced,
    StageEnded,
    StageFailed,
    StageStarted,
)

logger = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
"""Where nothing moves, a long stage says after so many quiet seconds how far it is; then after twice as many, ..."""
NAME_WIDTH = 30
LISTEN_SECONDS = 10.0
"""So long is waited for what workers said last: one that was killed may have said half of it."""


@dataclass(frozen=True)
class Told:
    """What of a log record matters here: its event, or its text if it is a warning or an error."""

    event: Event | None
    bad_news: str


class Display(logging.Handler):
    """Shows the events that log records bear, and whole what is a warning or an error; the rest is in the log file."""

    def __init__(self, plates: Sequence[str], *, console: Console | None = None) -> None:
        """Show a run on these plates."""
        super().__init__()
        self.plates = plates
        self.console = console or Console(stderr=True, highlight=False)
        self.moves = self.console.is_terminal
        self.process = os.getpid()
        self.from_workers = multiprocessing.get_context("fork").SimpleQueue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.ended: dict[str, dict[str, str]] = {}
        """What each stage took on the plates that it is done with, until it is done with all."""
        self.environments: list[str] = []
        self.engines: set[str] = set()
        self.warnings: list[tuple[str, str]] = []
        self.working: dict[str, tuple[str, float]] = {}
        """What is under way -> how far it is, and since when."""
        self.printed = time.monotonic()
        self.quiet = QUIET_SECONDS
        self.live = Live(console=self.console, get_renderable=self._moving, transient=True, redirect_stdout=False)

    def __enter__(self) -> Display:
        self.listener.start()
        if self.moves:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.from_workers.put(None)
        self.listener.join(LISTEN_SECONDS)
        self.working.clear()
        self.live.stop()
        self._end_environments()
        self._end_stages()
        self._warn(self.warnings)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record; logging calls this with the handler's lock held."""
        try:
            bad_news = f"{record.levelname}: {self.format(record)}" if record.levelno >= logging.WARNING else ""
            told = Told(events.of(record), bad_news)
            if os.getpid() == self.process:
                self._take(told)
            elif told.event or told.bad_news:
                self.from_workers.put(told)
        except Exception:  # as logging's own handlers do: a fault in what is shown stops no run
            self.handleError(record)

    def _listen(self) -> None:
        """Show what forked workers log, until there is no more: workers wait where nobody reads the pipe."""
        while (told := self.from_workers.get()) is not None:
            self.acquire()
            try:
                self._take(told)
            except Exception:  # as in emit: a closed terminal stops no run
                logger.debug("what a worker did could not be shown", exc_info=True)
            finally:
                self.release()

    def _take(self, told: Told) -> None:
        if told.event:
            self._show(told.event)
        elif told.bad_news:
            self._print(told.bad_news)

    def _show(self, event: Event) -> None:
        match event:
            case EnvironmentStarted(image):
                if not self.environments and not self.moves:
                    self._print("making Python environments for the programs (once, some minutes) ...")
                self._work(f"environment of {image}")
            case EnvironmentMade(image, seconds):
                self.working.pop(f"environment of {image}", None)
                self.environments.append(f"{image} {duration(seconds)}")
            case EngineChosen():
                self._choose(event)
            case StageStarted(title):
                self._end_environments()
                self._work(_named(title))
            case StageAdvanced(title, said):
                self._advance(_named(title), said)
            case StageFailed(title):
                self.working.pop(_named(title), None)
            case StageEnded():
                self._end(event)

    def _choose(self, chosen: EngineChosen) -> None:
        """Say which engine is used: the first with the reasons, another only if it is another."""
        self._end_environments()
        if chosen.engine in self.engines:
            return
        of_image = f" for the image {chosen.image}" if self.engines else ""
        self.engines.add(chosen.engine)
        refused = "; ".join(f"not {name}: {in_short(why)}" for name, why in chosen.refused.items())
        self._print(f"engine{of_image}: {chosen.engine}" + (f" ({refused})" if refused else ""))

    def _advance(self, name: str, said: str) -> None:
        since = self.working[name][1] if name in self.working else time.monotonic()
        self.working[name] = f": {said}", since
        if not self.moves and time.monotonic() - self.printed > self.quiet:
            self.quiet *= 2
            self._print(f"  ... {name}: {said}")

    def _end(self, ended: StageEnded) -> None:
        stage, _, subject = ended.title.partition("/")
        self.working.pop(_named(ended.title), None)
        self.warnings += [(stage, warning) for warning in ended.warnings]
        self.ended.setdefault(stage, {})[subject] = duration(ended.seconds)
        if subject not in self.plates or len(self.ended[stage]) == len(self.plates):
            self._print(_line(stage, self._by_plate(self.ended.pop(stage))))

    def _by_plate(self, took: dict[str, str]) -> dict[str, str]:
        """Return what a stage took in the order of the plates, whichever was done first."""
        return {subject: took[subject] for subject in (*self.plates, *took) if subject in took}

    def _warn(self, warnings: list[tuple[str, str]]) -> None:
        for line in folded(warnings):
            self._print(f"warning: {line}")

    def _end_stages(self) -> None:
        """Print what is done with some of the plates only."""
        for stage in list(self.ended):
            self._print(_line(stage, self._by_plate(self.ended.pop(stage))))

    def _end_environments(self) -> None:
        if self.environments:
            self._print(f"environments made: {', '.join(self.environments)}")
            self.environments = []

    def _work(self, what: str) -> None:
        self.working[what] = "", time.monotonic()

    def _print(self, line: str) -> None:
        self.printed = time.monotonic()
        self.console.print(Text(line), soft_wrap=True)  # a long path is not cut in two

    def _moving(self) -> Text:
        """Return what is not over yet; Live asks for it some times a second, from a thread of its own."""
        lines = [_line(stage, dict(took)) for stage, took in list(self.ended.items())]
        working = list(self.working.items())
        now = [f"  {name}{said} ({duration(time.monotonic() - since)})" for name, (said, since) in working]
        return Text("\n".join(lines + now), no_wrap=True, overflow="ellipsis")


def _named(title: str) -> str:
    return title.replace("/", " ", 1)


def _line(stage: str, took: dict[str, str]) -> str:
    return f"  {stage:<{NAME_WIDTH}}" + "   ".join(f"{subject} {time:>10}" for subject, time in took.items())

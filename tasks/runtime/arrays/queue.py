"""What a scheduler says of all our arrays: asked once for all processes of a data root, ever more seldom while nothing
changes, and never given up while it does not answer."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stagekit import whole

from tasks.runtime.core import locks

logger = logging.getLogger(__name__)

QUEUED, RUNS, DONE, FAILED, LOST = "queued", "runs", "done", "failed", "lost"
OUT_OF_MEMORY, TIMED_OUT, CANCELLED = "out of memory", "timed out", "cancelled"
REFUSED = "refused"
"""It waits for what will never be."""
UNDER_WAY = (QUEUED, RUNS)

LEAST_SECONDS, MOST_SECONDS = 2.0, 60.0
PATIENCE = 10
"""A state that has not changed for so long is asked for again after a tenth of that."""


class NoAnswerError(Exception):
    """The scheduler does not answer: nothing is known, and it is asked again later."""


@dataclass(frozen=True)
class ElementState:
    """What the scheduler says of an array's elements from the first to the last index."""

    first: int
    last: int
    how: str
    said: str
    """Its own words."""


Arrays = Mapping[str, Sequence[ElementState]]
"""The elements that a scheduler knows of, by the array's id."""


@dataclass(frozen=True)
class Snapshot:
    """What the scheduler said, when it was asked, and since when it has said the same."""

    asked: float = 0.0
    changed: float = 0.0
    arrays: Arrays = field(default_factory=dict)
    said: str = ""
    """Why it did not answer the last time; the rest is then what it said before."""
    tried: float = 0.0

    def element(self, array_id: str, index: int) -> ElementState | None:
        return next((seen for seen in self.arrays.get(array_id, ()) if seen.first <= index <= seen.last), None)

    def states(self, array_id: str) -> dict[str, int]:
        """Return how many elements of an array are in each state, in the scheduler's words."""
        count: Counter[str] = Counter()
        for seen in self.arrays.get(array_id, ()):
            count[seen.said] += 1 + seen.last - seen.first
        return dict(count)

    def due(self, wanted_since: float, least_seconds: float = 0.0) -> float:
        """Return when to ask again, for somebody who submitted something at a time."""
        quiet = self.tried - max(self.changed, wanted_since)
        return self.tried + min(MOST_SECONDS, max(LEAST_SECONDS, least_seconds, quiet / PATIENCE))


@dataclass(frozen=True)
class Queue:
    """The scheduler's answer, kept in a file that all processes of a data root share."""

    path: Path
    ask: Callable[[], Arrays]
    """Raises NoAnswerError."""
    least_seconds: float = 0.0
    """How often a scheduler may be asked at most, if more seldom than by default."""

    def look(self, wanted_since: float) -> Snapshot:
        """Return the last answer; ask anew if it is time, and nobody else is asking."""
        kept = self.kept()
        if time.time() < kept.due(wanted_since, self.least_seconds):
            return kept
        with locks.at_once(self.path.with_suffix(".lock")) as held:
            kept = self.kept() if held else kept
            if not held or time.time() < kept.due(wanted_since, self.least_seconds):
                return kept
            return self._keep(self._asked(kept))

    def kept(self) -> Snapshot:
        """Return the last answer that anybody had; the scheduler is left alone."""
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return Snapshot()
        arrays = {name: [ElementState(**seen) for seen in elements] for name, elements in told.pop("arrays").items()}
        return Snapshot(**told, arrays=arrays)

    def _asked(self, before: Snapshot) -> Snapshot:
        now = time.time()
        try:
            arrays = self.ask()
        except NoAnswerError as error:
            if not before.said:
                logger.warning("%s; jobs go on meanwhile, and it is asked again", error)
            return Snapshot(before.asked, before.changed, before.arrays, str(error), now)
        if before.said:
            logger.info("the scheduler answers again")
        same = _under_way(arrays) == _under_way(before.arrays)
        return Snapshot(now, before.changed if same else now, arrays, "", now)

    def _keep(self, snapshot: Snapshot) -> Snapshot:
        whole.write(self.path, json.dumps(asdict(snapshot)), sync=False)
        return snapshot


def _under_way(arrays: Arrays) -> dict[str, list[ElementState]]:
    """Return what waits or runs: that the scheduler forgets what has ended is no change."""
    found = {name: [seen for seen in elements if seen.how in UNDER_WAY] for name, elements in arrays.items()}
    return {name: elements for name, elements in found.items() if elements}

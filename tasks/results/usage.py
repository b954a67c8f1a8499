"""What the jobs of results used, from the manifests: their number, core-hours, the largest one's memory, dollars.

Of a job that was tried several times the try that ended well counts, as of a run whose results were made anew the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.results import manifest


@dataclass(frozen=True)
class Usage:
    """What the jobs of a result used, or those of several together."""

    stage: str
    batch: str
    subject: str
    jobs: int
    core_hours: float
    peak_memory_gb: float | None

    def dollars(self, per_core_hour: float) -> float:
        return self.core_hours * per_core_hour


def look(layout: Layout, batch: str = "", subject: str = "", stage: str = "") -> list[Usage]:
    """Return what each result used, in the order in which they were made."""
    paths = sorted(layout.manifests.glob(f"{stage or '*'}/{batch or '*'}/{subject or '*'}.json"))
    found = [each for each in map(manifest.read, paths) if each and each.stage in stages.load()]
    kept = [each for each in found if not each.superseded_by]
    return [_of(each) for each in sorted(kept, key=lambda each: each.started)]


def _of(made: manifest.Manifest) -> Usage:
    used = made.used
    seconds = used.get("core_seconds", used.get("seconds", 0.0))  # an older manifest: one core a job
    jobs = int(used.get("jobs", 0))
    return Usage(made.stage, made.batch, made.plate, jobs, seconds / 3600, used.get("peak_memory_gb"))


def together(usages: Iterable[Usage], by: Callable[[Usage], str]) -> dict[str, Usage]:
    """Return the sums of those of one kind, in the order in which the kinds came."""
    found: dict[str, Usage] = {}
    for each in usages:
        found[by(each)] = _sum(found[by(each)], each) if by(each) in found else each
    return found


def _sum(one: Usage, other: Usage) -> Usage:
    peaks = [peak for peak in (one.peak_memory_gb, other.peak_memory_gb) if peak is not None]
    hours = one.core_hours + other.core_hours
    return Usage(one.stage, one.batch, one.subject, one.jobs + other.jobs, hours, max(peaks, default=None))


def decimals(whole: float) -> int:
    """Return how many decimals a column needs whose sum is to be read: two, or more where the sum is small."""
    return min(6, max(2, 2 - math.floor(math.log10(whole)))) if whole > 0 else 2

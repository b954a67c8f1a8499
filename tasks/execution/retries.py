"""What is tried again, and how, after a job ended badly: the same policy wherever jobs run.

A shard of many units is cut until the bad one stands alone. What may pass (a service, a lost node) is tried again
after a while, what needs more memory or time with more of it, what somebody cancelled not at all. Nothing here waits or
runs: a job comes in, jobs come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stagekit.program import EXIT_CHECK, EXIT_CRASH

from tasks.definitions.stages import Resources
from tasks.execution import reasons
from tasks.results.ledger import Unit
from tasks.runtime.core.job import Job, Outcome
from tasks.settings.retry_policy import Policy

TRANSIENT = (reasons.SERVICE, reasons.NODE_LOST)
OF_THE_WHOLE = (*TRANSIENT, reasons.OUT_OF_MEMORY, reasons.TIMEOUT)
"""What may be no fault of a piece: of a service, a node, or of so many units at once."""
SIGNALLED = 128  # exit codes above it are a signal's
MEMORY_FACTOR = 2
TIME_FACTOR = 2

Cut = Callable[[Job, Sequence[str], int, int], Job]
"""Make of a job the one that works on some of its units, as piece `number` of `count`."""


@dataclass(frozen=True)
class Attempt:
    """How a job ended: its outcome, the class of the reason, and what its program told of its units."""

    job: Job
    outcome: Outcome
    reason: str
    told: Mapping[str, Unit]
    said: str = ""
    """The program's last line."""

    def why(self, unit: str) -> str:
        """Return the program's words on a unit, or else its last line."""
        return self.told[unit].reason if unit in self.told and self.told[unit].reason else self.said

    @property
    def blames_no_unit(self) -> bool:
        """Say whether the reason lies with no unit: with what the program needs from outside, or with itself."""
        return self.reason in (*TRANSIENT, reasons.CANCELLED) or self.outcome.exit_code == EXIT_CHECK

    @property
    def names_units(self) -> bool:
        """Say whether it tells one unit from another: else the reason may lie with all of them."""
        return any(unit.state in ("ok", "failed") for unit in self.told.values())


def again(ended: Attempt, policy: Policy, cut: Cut) -> list[Job]:
    """Return what to run in the place of a job that ended badly; nothing if it is given up."""
    job, reason = ended.job, ended.reason
    before = job.causes.count(reason)
    if reason in TRANSIENT:
        return [_next(job, reason)] if before + 1 < policy.tries else []
    if reason == reasons.OUT_OF_MEMORY and job.resources.memory_gb < policy.most_memory_gb:
        return [_next(job, reason, _more_memory(job.resources, policy.most_memory_gb))]
    if ended.outcome.exit_code == EXIT_CHECK or reason == reasons.CANCELLED:
        return []
    if len(job.units) > 1:
        parts = pieces(job.units, ended.told)
        return [_piece(cut(job, part, number, len(parts)), reason) for number, part in enumerate(parts, start=1)]
    if before:
        return []
    if reason == reasons.TIMEOUT:
        return [_next(job, reason, _more_time(job.resources, policy.most_minutes))]
    crashed = ended.outcome.exit_code > SIGNALLED or ended.outcome.exit_code == EXIT_CRASH
    return [_next(job, reason)] if reason == reasons.PROGRAM_ERROR and crashed else []


def delay_seconds(jobs: Sequence[tuple[Job, str]], policy: Policy) -> float:
    """Return how long to wait before jobs (with the reason why each is run again) are tried."""
    failed = [job.causes.count(reason) for job, reason in jobs if reason in TRANSIENT]
    waits = [policy.backoff_seconds * 2 ** (count - 1) for count in failed]
    return max(waits, default=0.0)


def pieces(units: Sequence[str], told: Mapping[str, Unit]) -> list[list[str]]:
    """Cut units so that what is likely to be bad stands alone; every piece is smaller than the whole.

    Bad is what the program named; or the first that it said nothing of after others had ended well; or one half.
    """
    failed = [name for name in units if name in told and told[name].state == "failed"]
    good = [name for name in units if name in told and told[name].state == "ok"]
    unsaid = [name for name in units if name not in told]
    if failed:
        parts = [*([name] for name in failed), [name for name in units if name not in failed]]
    elif good and unsaid:
        parts = [good, unsaid[:1], [name for name in units if name not in (*good, unsaid[0])]]
    else:
        middle = len(units) // 2
        parts = [list(units[:middle]), list(units[middle:])]
    return [part for part in parts if part]


def _next(job: Job, cause: str, resources: Resources | None = None) -> Job:
    causes = (*job.causes, cause)
    return replace(job, attempt=job.attempt + 1, causes=causes, resources=resources or job.resources)


def _piece(piece: Job, cause: str) -> Job:
    """Return a piece of a job as its first try: of the job's causes those are its own that may lie with its units."""
    causes = tuple(each for each in (*piece.causes, cause) if each not in OF_THE_WHOLE)
    return replace(piece, attempt=piece.attempt + 1, causes=causes)


def _more_time(now: Resources, most_minutes: float) -> Resources:
    return replace(now, minutes=max(now.minutes, min(most_minutes, now.minutes * TIME_FACTOR)))


def _more_memory(now: Resources, most_gb: float) -> Resources:
    return replace(now, memory_gb=min(most_gb, now.memory_gb * MEMORY_FACTOR))

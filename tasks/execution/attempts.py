"""Carry out a run: wave after wave of jobs, until every unit has ended well or is given up."""

from __future__ import annotations

import functools
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tasks.errors import FalseSuccessError, StageError
from tasks.execution import reasons, retries
from tasks.execution.collect import RunSummary, gather
from tasks.execution.retries import Attempt
from tasks.execution.stage_run import Run, failure, last_words
from tasks.results import ledger
from tasks.results.ledger import Ledger
from tasks.runtime.arrays.places import Place, finished, forget
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import log_end
from tasks.settings.retry_policy import Policy

logger = logging.getLogger(__name__)

SYSTEMIC_FAILURES = 4
"""So many units that fail alone, and none that ends well, are no fault of single units: the rest is not tried."""
POLL_SECONDS = 0.5
Show = Callable[[Sequence[Job]], None]


@dataclass
class RunResult:
    """What became of a run's jobs: those that ended well, and those that were given up."""

    good: list[Job] = field(default_factory=list)
    bad: list[Attempt] = field(default_factory=list)

    @property
    def alone(self) -> list[Attempt]:
        """Return what failed alone, for a reason of its own: what may be left out."""
        return [ended for ended in self.bad if len(ended.job.units) == 1 and not ended.blames_no_unit]

    @property
    def quarantined(self) -> dict[str, str]:
        """Return the units that are to be left out, each with its reason."""
        alone = ((ended.job.units[0], ended) for ended in self.alone)
        return {unit: f"{ended.reason}: {ended.why(unit)}".removesuffix(": ") for unit, ended in alone}


def make(run: Run, place: Place, policy: Policy, book: Ledger, show: Show, allowed: float) -> RunSummary:
    """Carry out a run and bring together what it made; raise StageError if more than `allowed` of its units failed.

    `book` has begun. Whatever happens but a kill, its last line says how it ended.
    """
    end, said = ledger.STOPPED, ""
    try:
        carried = carry_out(run, place, policy, book, show)
        left_out = carried.quarantined
        book.append(ledger.QUARANTINE, quarantined=left_out)
        others = len(carried.bad) > len(carried.alone)
        if others or not carried.good or len(left_out) > allowed * len(run.units):
            raise failure(run, carried.bad, allowed)
        findings = gather(run, carried.good, left_out, whole=place.lay(carried.good))
        end = ledger.MADE
    except StageError as error:
        end, said = ledger.GIVEN_UP, str(error).splitlines()[0]
        if isinstance(error, FalseSuccessError):
            forget(run.folder / "shards")
        raise
    finally:
        book.append(ledger.END, state=end, said=said)
    return findings


def carry_out(run: Run, place: Place, policy: Policy, book: Ledger, show: Show) -> RunResult:
    """Run what is left of a run; the finished jobs of an earlier try, in whatever shards, are not run again."""
    shards = run.folder / "shards"
    carried = RunResult(good=run.taken_up(finished(shards)))
    left = _beside(carried.good, run.taken_up(place.left(shards)))
    held = {unit for job in [*carried.good, *left] for unit in job.units}
    wave = [*left, *(run.jobs(held) if run.units or not (carried.good or left) else [])]
    if wave:
        shutil.rmtree(run.files, ignore_errors=True)  # brought together from another sharding
    while wave:
        ended = _run(wave, place, book, functools.partial(show, [*carried.good, *wave]))
        carried.good += [each.job for each in ended if each.outcome.ok]
        wave = _next_wave(run, carried, [each for each in ended if not each.outcome.ok], policy, show)
    return carried


def _beside(good: Sequence[Job], left: Sequence[Job]) -> list[Job]:
    """Return the jobs that outlived an earlier process, but for those whose units are made, or that another makes."""
    taken = {unit for job in good for unit in _whole(job)}
    apart: list[Job] = []
    for job in left:
        if taken.isdisjoint(_whole(job)):
            taken |= _whole(job)
            apart.append(job)
    return apart


def _whole(job: Job) -> set[str]:
    """Return a job's units, or a name for the whole plate."""
    return set(job.units) or {"the plate"}


def _run(wave: Sequence[Job], place: Place, book: Ledger, watch: Callable[[], None]) -> list[Attempt]:
    seen: dict[str, Attempt] = {}

    def note(job: Job, outcome: Outcome) -> None:
        seen[job.name] = ended(job, outcome)
        book.append(ledger.ATTEMPT, **_record(seen[job.name], book.run))

    place.run(wave, watch, note)
    return [seen[job.name] for job in wave]


def ended(job: Job, outcome: Outcome) -> Attempt:
    """Return how a job ended, with what its program told of it."""
    log = job.folder / "stderr.log"
    words = last_words(log)
    reason = "" if outcome.cancelled and not outcome.lost else reasons.of(outcome, log_end.telling(log), job.folder)
    told = {unit.name: unit for unit in ledger.units([job.folder])}
    return Attempt(job, outcome, reason, told, outcome.lost or (words[-1] if words and reason else ""))


def _next_wave(run: Run, carried: RunResult, failed: Sequence[Attempt], policy: Policy, show: Show) -> list[Job]:
    """Return what to run after jobs that ended badly, and wait as long as that needs."""
    more: list[tuple[Job, str]] = []
    given_up: list[Attempt] = []
    for each in failed:
        jobs = retries.again(each, policy, run.cut)
        more += [(job, each.reason) for job in jobs]
        given_up += [] if jobs else [each]
    carried.bad += given_up
    if more and _is_systemic_failure(carried, failed):
        carried.bad += [each for each in failed if each not in given_up]
        return []
    for job, reason in more:
        units = f" ({len(job.units)} {run.stage.unit}s, from {job.units[0]} on)" if job.units else ""
        logger.info("%s: try %d after %s%s", run.title, job.attempt, reason, units)
    until = time.monotonic() + retries.delay_seconds(more, policy)
    while time.monotonic() < until:
        show(carried.good)
        time.sleep(POLL_SECONDS)
    return [job for job, _ in more]


def _is_systemic_failure(carried: RunResult, failed: Sequence[Attempt]) -> bool:
    """Say whether the reason lies with no single unit: nothing ended well, and nothing tells one from another."""
    if carried.good:
        return False
    own = [each for each in failed if each.reason not in (*retries.TRANSIENT, reasons.OUT_OF_MEMORY)]
    alike = len(own) > 1 and not any(each.names_units for each in own)
    return alike or len(carried.alone) >= SYSTEMIC_FAILURES


def _record(ended: Attempt, run: str) -> dict[str, object]:
    """Return what the ledger keeps of a job's end."""
    job, outcome = ended.job, ended.outcome
    return {
        "job": job.folder.name,
        "attempt": job.attempt,
        "exit_code": outcome.exit_code,
        "reason": ended.reason,
        "said": ended.said,
        "log": f"{run}/shards/{job.folder.name}/{_kept_log(job, outcome)}",
        "seconds": round(outcome.seconds, 3),
        "memory_gb": job.resources.memory_gb,
        "peak_memory_gb": outcome.peak_memory_gb,
        "where": outcome.where,
        "units": _units(ended),
    }


def _units(ended: Attempt) -> dict[str, tuple[str, float, str]]:
    """Return how each unit ended; of a job that ended badly none is kept, whatever its program said before.

    A program that goes on with what an earlier try left in its folder (a fetch) keeps what ended well.
    """
    told = ended.told
    if ended.outcome.ok or ended.job.resumes:
        return {name: (unit.state, unit.seconds, unit.reason) for name, unit in told.items()}
    named = {name for name, unit in told.items() if unit.state == ledger.FAILED} or set(ended.job.units)
    return {
        name: (ledger.FAILED, told[name].seconds, told[name].reason or ended.said)
        if name in named and name in told
        else (ledger.FAILED if name in named else "skipped", 0.0, ended.said)
        for name in ended.job.units
    }


def _kept_log(job: Job, outcome: Outcome) -> str:
    """Return the log's name; that of a failed try is kept under a name of its own, for the next one writes anew."""
    log = job.folder / "stderr.log"
    if outcome.ok or not log.exists():
        return log.name
    number = 1 + len(list(job.folder.glob("failed-*.log")))
    shutil.copyfile(log, job.folder / f"failed-{number}.log")
    return f"failed-{number}.log"

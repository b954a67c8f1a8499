"""Measure some sites of a plate with both engines of [measure], as a run does, and compare; nothing is published."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luigi.task import flatten
from stagekit import equality

from tasks.dataset.layout import BOTH_ENGINES
from tasks.errors import MissingInputError
from tasks.execution import attempts, backends
from tasks.execution import stage_run as runs
from tasks.execution.collect import RunSummary, gather
from tasks.execution.progress import Bar
from tasks.execution.stage_run import Run
from tasks.results import ledger
from tasks.runtime.core.job import words_of
from tasks.runtime.engines import engines
from tasks.settings import settings
from tasks.workflow import pipeline

logger = logging.getLogger(__name__)

ENGINES = ("fast", "stock")


@dataclass(frozen=True)
class Measured:
    """How the values of some sites of a plate compare, and what the fast engine said of itself."""

    plate: str
    sites: Sequence[str]
    comparison: equality.Comparison
    fast: RunSummary
    folder: Path
    """Where both measurements lie, unless they agree."""


def measure(batch: str, plate: str, count: int, seed: int) -> Measured:
    """Measure sites that chance chooses with both engines; MissingInputError if the plate is not ready for it."""
    kind: Any = pipeline.Measure
    task = kind(batch_id=batch, plate=plate)
    if not all(required.complete() for required in flatten(task.requires())):
        again = f"luigi --module tasks Illumination --batch-id {batch} --plate {plate}"
        raise MissingInputError(f"{plate}: its images are not listed, or have no illumination functions; type: {again}")
    layout = settings.load().layout
    folder = layout.run(task.stage, batch, plate, BOTH_ENGINES)
    with settings.load().store.alone(layout.lock(task.stage, batch, plate), f"{task.stage}/{plate}"):
        shutil.rmtree(folder, ignore_errors=True)
        whole = task.describe({})
        sites = equality.choose(plate, whole.units, count, seed)
        logger.info("%s: %s by both engines", plate, ", ".join(sites))
        found = _carry_out({engine: _part(task, whole, sites, engine, folder) for engine in ENGINES})
        compared = equality.compare(*(folder / engine / "files" for engine in ENGINES))
        if not compared.all.bad:
            shutil.rmtree(folder)
    return Measured(plate, sites, compared, found["fast"], folder)


def _part(task: Any, whole: Run, sites: Sequence[str], engine: str, folder: Path) -> Run:
    """Return the run of an engine on some sites of a plate."""
    how = task.job_spec()
    flags = {**task.spec().parameters, **how.flags, "engine": engine, "audit_sites": "0", "tables": "csv"}
    return replace(
        whole,
        folder=folder / engine,
        flags=words_of(flags),
        shards=backends.job_count(len(sites), how),
        units=tuple(sites),
    )


def _carry_out(each: Mapping[str, Run]) -> dict[str, RunSummary]:
    """Run all jobs of both engines side by side, and check them."""
    (stage,) = {run.stage for run in each.values()}
    place = backends.of(stage, engines.choose(settings.load().engine, stage.image))
    jobs = {name: run.jobs() for name, run in each.items()}
    both = [job for own in jobs.values() for job in own]
    with Bar("both engines", "site", sum(len(run.units) for run in each.values()), lambda percent, said: None) as bar:

        def show() -> None:
            done = sum(ledger.counts(ledger.units(job.folder for job in own)).get("ok", 0) for own in jobs.values())
            bar.update(done, 0)

        outcomes = dict(zip(both, place.run(both, show), strict=True))
    for name, run in each.items():
        bad = [attempts.ended(job, outcomes[job]) for job in jobs[name] if not outcomes[job].ok]
        if bad:
            raise runs.failure(run, bad, 0.0)
    return {name: gather(run, jobs[name]) for name, run in each.items()}

"""A place that hands its jobs to a scheduler of arrays, and outlives its own process: what was submitted is on disk.

What a scheduler is, scheduler.py beside this says; there are Slurm (slurm.py) and AWS Batch (aws_batch.py).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from tasks.errors import EngineError
from tasks.runtime.arrays import array_folder, packing
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.job_outcomes import JobOutcomes
from tasks.runtime.arrays.places import Note, Watcher, prepare_folder, record
from tasks.runtime.arrays.queue import REFUSED, UNDER_WAY, NoAnswerError, Queue, Snapshot
from tasks.runtime.arrays.scheduler import Scheduler
from tasks.runtime.arrays.shared import OneFileSystem, Shared
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines.engines import Engine

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

LEAST_SECONDS, MOST_SECONDS = 1.0, 10.0
"""How often the jobs' ends are looked for: the more seldom the longer they take."""
STOP_SECONDS = 90.0
"""How long a cancelled element may take to end, before others work in its folders."""


@dataclass(frozen=True)
class Arrays:
    """Runs jobs as arrays of a scheduler: what another process has submitted of them is adopted, not run twice."""

    engine: Engine
    scheduler: Scheduler
    queue: Queue
    packing: packing.Packing = field(default_factory=packing.Packing)
    grace_seconds: float = 60.0
    leaves: bool = False
    """Whether what was submitted goes on when the run is interrupted."""
    shared: Shared = field(default_factory=OneFileSystem)

    def left(self, shards: Path) -> list[Path]:
        """Return the folders of the jobs that were submitted, and whose end nobody took note of."""
        return [array.job_folder(job) for array in array_folder.of_run(shards) for job in array.unsettled()]

    def lay(self, jobs: Sequence[Job]) -> bool:
        return self.shared.lay(jobs)

    def run(self, jobs: Sequence[Job], watch: Watcher, note: Note | None = None) -> list[Outcome]:
        """Run all jobs, or wait for those that were submitted already."""
        arrays: list[Array] = []
        outcomes: dict[str, Outcome] = {}
        try:
            arrays += self._adopted(jobs, watch)
            adopted = {array.job_folder(job) for array in arrays for job in array.unsettled()}
            self._submit([job for job in jobs if job.folder not in adopted], arrays, watch)
            self._wait(jobs, arrays, watch, lambda job, outcome: _keep(outcomes, job, outcome, note))
        except BaseException as error:
            if self.leaves and isinstance(error, (KeyboardInterrupt, SystemExit)):
                logger.info("left with %s: the same command takes it up again", self.scheduler.name)
            else:
                self._cancel(arrays)
            raise
        return [outcomes[job.name] for job in jobs]

    def _submit(self, jobs: Sequence[Job], arrays: list[Array], watch: Watcher) -> None:
        """Submit jobs, those with equal needs of one run as one array; each joins `arrays` before it is submitted."""
        alike = sorted(jobs, key=_needs)
        for _, group in groupby(alike, _needs):
            elements = packing.pack(list(group), self.packing)
            for job in (job for element in elements for job in element):
                prepare_folder(job, self.engine)
                self.shared.prepare(job)
            first = elements[0][0]
            name = f"{first.name.removesuffix(f'-{first.folder.name}')}-{uuid.uuid4().hex[:8]}"
            arrays.append(array_folder.write(name, elements))
            self._hand_over(arrays[-1], watch)

    def _hand_over(self, array: Array, watch: Watcher) -> None:
        """Submit an array that is on disk, unless the queue has it: an answer may have been lost on its way."""
        array_id = ""
        asked_before = False
        while not array_id:
            try:
                array_id = (asked_before and self.scheduler.find(array.name)) or self.scheduler.submit(array)
            except NoAnswerError as error:
                asked_before = _say_once(asked_before, "%s; it is submitted when there is an answer", error)
                watch()
                time.sleep(MOST_SECONDS)
            except EngineError as error:
                raise _refusal(self.scheduler, array, str(error)) from error
        self._take_on(array, array_id)
        logger.info("%s job %s: %s, %d elements", self.scheduler.name, array_id, array.name, len(array.elements))

    def _take_on(self, array: Array, array_id: str) -> None:
        """Write down what the scheduler calls an array, and let it be told of."""
        array.submitted_as(array_id)
        self.shared.tell(array)
        self.scheduler.adopt(array)

    def _adopted(self, jobs: Sequence[Job], watch: Watcher) -> list[Array]:
        """Return the arrays that work on these jobs; what else their runs have under way is cancelled."""
        wanted = {job.folder for job in jobs}
        found = []
        for shards in sorted({folder.parent for folder in wanted}):
            for array in array_folder.of_run(shards):
                self.shared.bring(array)
                if array.id and (array.abandoned() or array.unsettled()):
                    self.scheduler.adopt(array)
                if array.abandoned():
                    self._see_out(array, range(len(array.elements)), watch)
                    array.settle(array.abandoned())
                left = array.unsettled()
                if left and self._is_known(array, watch):
                    self._stop(array, [job for job in left if array.job_folder(job) not in wanted], watch)
                    found.append(array)
                self.shared.tell(array)
        for array in (array for array in found if array.unsettled()):
            logger.info("%s job %s: adopted, %s", self.scheduler.name, array.id or "(over)", array.name)
        return [array for array in found if array.unsettled()]

    def _is_known(self, array: Array, watch: Watcher) -> bool:
        """Say whether an array was submitted; if that was not written down, the queue or its elements know."""
        if array.id or array.is_cancelled:
            return True
        array_id = self._patiently(lambda: self.scheduler.find(array.name), watch)
        if array_id:
            self._take_on(array, array_id)
        elif not array.ended():
            array.cancel()  # whatever comes late begins nothing
        return bool(array_id or array.ended())

    def _stop(self, array: Array, jobs: Sequence[str], watch: Watcher) -> None:
        """Cancel what is not wanted any more of an array, and wait until nothing of it works in its folders."""
        indices = [index for index, names in enumerate(array.elements) if names and set(names) <= set(jobs)]
        if array.id and indices and not array.is_cancelled:
            self._patiently(lambda: self.scheduler.cancel(array.id, indices), watch)
            self._see_out(array, indices, watch)
        array.settle(jobs)

    def _see_out(self, array: Array, indices: Sequence[int], watch: Watcher) -> None:
        """Wait until none of the elements, which were cancelled, works in a job's folder any more."""
        until, since = time.monotonic() + STOP_SECONDS, time.time()
        while array.id and time.monotonic() < until and self._runs_any(array, indices, since):
            watch()
            time.sleep(LEAST_SECONDS)

    def _runs_any(self, array: Array, indices: Sequence[int], since: float) -> bool:
        snapshot = self.queue.look(since)
        seen = [snapshot.element(array.id, index) for index in indices]
        return snapshot.asked < since or any(each and each.how in UNDER_WAY for each in seen)

    def _patiently(self, ask: Callable[[], Answer], watch: Watcher) -> Answer:
        """Ask the scheduler until it answers."""
        said = False
        while True:
            try:
                return ask()
            except NoAnswerError as error:
                said = _say_once(said, "%s; it is asked again", error)
                watch()
                time.sleep(MOST_SECONDS)

    def _wait(self, jobs: Sequence[Job], arrays: Sequence[Array], watch: Watcher, keep: Note) -> None:
        by_folder = {job.folder: job for job in jobs}
        since = time.time()
        judges = [JobOutcomes(array, self.scheduler.judged, self.grace_seconds, since) for array in arrays]
        while any(judge.pending for judge in judges):
            snapshot = self.queue.look(since)
            for judge in judges:
                _check_that_it_may_start(self.scheduler, judge.array, snapshot)
                self._take_note(judge, snapshot, by_folder, keep)
            watch()
            if any(judge.pending for judge in judges):
                time.sleep(min(MOST_SECONDS, max(LEAST_SECONDS, (time.time() - since) / 60)))

    def _take_note(self, judge: JobOutcomes, snapshot: Snapshot, jobs: Mapping[Path, Job], keep: Note) -> None:
        """Keep how jobs of an array ended since the last time."""
        self.shared.bring(judge.array)
        settled = []
        for name, outcome in judge.given(snapshot):
            job = jobs.get(judge.array.job_folder(name))
            if job:
                record(job, outcome)
                keep(job, outcome)
            judge.array.settle([name])
            settled.append(name)
        if settled:
            self.shared.tell(judge.array, settled)

    def _cancel(self, arrays: Sequence[Array]) -> None:
        """Cancel what has not ended, as far as the scheduler answers: no element begins anything any more anyway."""
        for array in arrays:
            array.cancel()
        for array in arrays:
            try:
                self.shared.tell(array)
                array_id = array.id or self.scheduler.find(array.name)
                if array_id:
                    self.scheduler.cancel(array_id)
            except Exception as error:
                logger.warning("%s: %s; what runs of it goes on to the end of its job", array.name, error)


def _check_that_it_may_start(scheduler: Scheduler, array: Array, snapshot: Snapshot) -> None:
    refused = next((seen for seen in snapshot.arrays.get(array.id, ()) if seen.how == REFUSED), None)
    if refused:
        raise _refusal(scheduler, array, f"{scheduler.name} will never start job {array.id}: {refused.said}")


def _refusal(scheduler: Scheduler, array: Array, why: str) -> EngineError:
    asked = array.resources
    needs = f"{asked.cpus} cores, {asked.memory_gb:g} GB and {asked.minutes:g} minutes"
    return EngineError(f"{array.name}: {why}\n  an element needs {needs}: {scheduler.remedy}")


def _needs(job: Job) -> tuple[str, str]:
    return str(job.folder.parent), repr(job.resources)


def _keep(outcomes: dict[str, Outcome], job: Job, outcome: Outcome, note: Note | None) -> None:
    outcomes[job.name] = outcome
    if note:
        note(job, outcome)


def _say_once(said: bool, text: str, error: NoAnswerError) -> bool:
    if not said:
        logger.warning(text, error)
    return True

"""Where jobs run. `local`: on this machine, as many at once as its cores and memory allow."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from tasks.runtime.engines import Engine
from tasks.runtime.job import Job, Outcome
from tasks.runtime.slots import Slots

POLL_SECONDS = 0.5
Watcher = Callable[[], None]


@dataclass(frozen=True)
class Local:
    """Runs jobs on this machine."""

    engine: Engine
    slots: Slots

    def run(self, jobs: Sequence[Job], watch: Watcher) -> list[Outcome]:
        """Run all jobs, whatever becomes of single ones; `watch` is called about twice a second meanwhile.

        Raises what the engine raised, and passes on Ctrl-C, after every job was stopped.
        """
        if not jobs:
            return []
        cancelled = threading.Event()
        for job in jobs:
            self.slots.needed(job.resources)
            prepare_folder(job, self.engine)
        with ThreadPoolExecutor(max_workers=min(len(jobs), self.slots.cores)) as pool:
            futures = [pool.submit(self._run_one, job, cancelled) for job in jobs]
            try:
                _watch_until_done(futures, watch)
            except BaseException:
                cancelled.set()
                raise
        return [future.result() for future in futures]

    def _run_one(self, job: Job, cancelled: threading.Event) -> Outcome:
        with self.slots.taken(job.resources, cancelled) as granted:
            if not granted:
                return Outcome(143, 0.0, cancelled=True)
            outcome = self.engine.run(job, cancelled)
        _record(job, outcome)
        return outcome


def unfinished(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs that have not yet ended well; those of an interrupted run need not run again.

    If there is one, the folders beside those of the finished jobs are emptied (another sharding's, or half done),
    unless the job goes on from what is there.
    """
    todo = [job for job in jobs if not _is_done(job)]
    if todo:
        keep = {job.folder for job in jobs if job.resumes or job not in todo}
        parent = jobs[0].folder.parent
        for folder in parent.iterdir() if parent.exists() else ():
            if folder not in keep:
                shutil.rmtree(folder)
    return todo


def _is_done(job: Job) -> bool:
    """Say whether this very job has ended well: one with other flags has been another."""
    described = job.folder / "job.json"
    if not _outcome_file(job).exists() or not described.exists():
        return False
    try:
        return bool(json.loads(described.read_text(encoding="utf-8"))["flags"] == list(job.flags))
    except (json.JSONDecodeError, KeyError):
        return False


def forget(jobs: Sequence[Job]) -> None:
    """Let jobs count as not run: their files went to their place, or were not what they should be."""
    for job in jobs:
        _outcome_file(job).unlink(missing_ok=True)


def used(jobs: Sequence[Job]) -> dict[str, float]:
    """Return what the jobs that ended well took: their number, seconds, and the largest peak of memory if told."""
    files = [path for job in jobs if (path := _outcome_file(job)).exists()]
    ended = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    peaks = [each["peak_memory_gb"] for each in ended if each["peak_memory_gb"] is not None]
    taken = {"jobs": len(ended), "seconds": round(sum(each["seconds"] for each in ended), 3)}
    return taken | ({"peak_memory_gb": max(peaks)} if peaks else {})


def _record(job: Job, outcome: Outcome) -> None:
    if outcome.ok and (job.folder / "out" / "result.json").exists():
        partial = _outcome_file(job).with_suffix(".partial")
        partial.write_text(json.dumps({"seconds": outcome.seconds, "peak_memory_gb": outcome.peak_memory_gb}))
        os.replace(partial, _outcome_file(job))


def _outcome_file(job: Job) -> Path:
    return job.folder / "outcome.json"


def prepare_folder(job: Job, engine: Engine) -> None:
    """Make a job's folder with what is needed to understand and repeat it."""
    (job.folder / "out" / "files").mkdir(parents=True, exist_ok=True)
    (job.folder / "job.json").write_text(job.as_json(), encoding="utf-8")
    (job.folder / "command").write_text(shlex.join(engine.command(job)) + "\n", encoding="utf-8")


def _watch_until_done(futures: Sequence[Future[Outcome]], watch: Watcher) -> None:
    pending = set(futures)
    while pending:
        _, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        watch()
        for future in futures:
            if future.done():
                future.result()  # raises what the engine raised: the other jobs are then stopped

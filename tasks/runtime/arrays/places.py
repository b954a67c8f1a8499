"""Where jobs run. `local`: on this machine, as many at once as its cores and memory allow.

Others: on a cluster, as arrays of a scheduler (tasks/runtime/arrays/arrays.py).
"""

from __future__ import annotations

import json
import shlex
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stagekit import whole

from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.core.slots import Slots
from tasks.runtime.engines.engines import Engine

LOCAL, SLURM, AWS_BATCH = NAMES = ("local", "slurm", "aws_batch")
POLL_SECONDS = 0.5
Watcher = Callable[[], None]
Note = Callable[[Job, Outcome], None]


class Place(Protocol):
    """Somewhere that jobs run: what is run again after a failure is decided elsewhere (tasks/execution/retries.py)."""

    def left(self, shards: Path) -> list[Path]:
        """Return the folders below a run's `shards` whose jobs outlived the process that handed them over.

        Jobs in these folders, run again, are waited for and not run twice.
        """

    def lay(self, jobs: Sequence[Job]) -> bool:
        """Let what jobs made stand in their folders; say whether with its content, or only its names and sizes.

        Without it, the jobs themselves have checked their tables' contracts.
        """

    def run(self, jobs: Sequence[Job], watch: Watcher, note: Note | None = None) -> list[Outcome]:
        """Run all jobs, whatever becomes of single ones.

        `watch` is called every now and then meanwhile, `note` once for each job when it has ended; both from the
        thread that called. Raises what the engine raised, and passes on Ctrl-C, after every job was stopped (or, if
        the place is told so, left running).
        """


@dataclass(frozen=True)
class Local:
    """Runs jobs on this machine."""

    engine: Engine
    slots: Slots

    def left(self, shards: Path) -> list[Path]:
        """Return nothing: a program of this machine ends with the process that watches it."""
        return []

    def lay(self, jobs: Sequence[Job]) -> bool:
        """Do nothing: it lies there."""
        return True

    def run(self, jobs: Sequence[Job], watch: Watcher, note: Note | None = None) -> list[Outcome]:
        """Run all jobs, as many at once as the slots allow."""
        if not jobs:
            return []
        cancelled = threading.Event()
        for job in jobs:
            self.slots.needed(job.resources)
            prepare_folder(job, self.engine)
        with ThreadPoolExecutor(max_workers=min(len(jobs), self.slots.cores)) as pool:
            futures = [pool.submit(self._run_one, job, cancelled) for job in jobs]
            try:
                _watch_until_done(jobs, futures, watch, note)
            except BaseException:
                cancelled.set()
                raise
        return [future.result() for future in futures]

    def _run_one(self, job: Job, cancelled: threading.Event) -> Outcome:
        with self.slots.taken(job.resources, cancelled) as granted:
            if not granted:
                return Outcome(143, 0.0, cancelled=True)
            outcome = self.engine.run(job, cancelled)
        record(job, outcome)
        return outcome


def finished(parent: Path) -> list[Path]:
    """Return the folders of the jobs that ended well: they need not run again."""
    return sorted(path.parent for path in parent.glob("*/outcome.json"))


def forget(parent: Path) -> None:
    """Let all jobs below a folder count as not run: their files are in their place, or not what they should be."""
    for folder in finished(parent):
        (folder / "outcome.json").unlink(missing_ok=True)


def used(parent: Path) -> dict[str, float]:
    """Return what the jobs that ended well took: number, seconds, core-seconds, the largest peak of memory if told."""
    ended = [json.loads((folder / "outcome.json").read_text(encoding="utf-8")) for folder in finished(parent)]
    peaks = [each["peak_memory_gb"] for each in ended if each["peak_memory_gb"] is not None]
    cores = [each["seconds"] * each.get("cpus", 1) for each in ended]
    seconds = sum(each["seconds"] for each in ended)
    taken = {"jobs": len(ended), "seconds": round(seconds, 3), "core_seconds": round(sum(cores), 3)}
    return taken | ({"peak_memory_gb": max(peaks)} if peaks else {})


def record(job: Job, outcome: Outcome) -> None:
    """Write down that a job ended well, so that it is not run again."""
    if outcome.ok and (job.folder / "out" / "result.json").exists():
        told = {"seconds": outcome.seconds, "cpus": job.resources.cpus, "peak_memory_gb": outcome.peak_memory_gb}
        whole.write(_outcome_file(job), json.dumps(told))


def _outcome_file(job: Job) -> Path:
    return job.folder / "outcome.json"


def prepare_folder(job: Job, engine: Engine) -> None:
    """Make a job's folder with what is needed to understand and repeat it; what a failed try made goes."""
    if not job.resumes and (job.folder / "out").exists():
        shutil.rmtree(job.folder / "out")
    (job.folder / "out" / "files").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(job.temporary, ignore_errors=True)
    job.temporary.mkdir()
    (job.folder / "job.json").write_text(job.as_json(), encoding="utf-8")
    (job.folder / "command").write_text(shlex.join(engine.command(job)) + "\n", encoding="utf-8")


def _watch_until_done(
    jobs: Sequence[Job], futures: Sequence[Future[Outcome]], watch: Watcher, note: Note | None
) -> None:
    pending, noted = set(futures), set[str]()
    while pending:
        _, pending = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        watch()
        for job, future in zip(jobs, futures, strict=True):
            if future.done() and job.name not in noted:
                noted.add(job.name)
                outcome = future.result()  # raises what the engine raised: the other jobs are then stopped
                if note:
                    note(job, outcome)

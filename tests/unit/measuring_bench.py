"""A plate of four sites whose measurement fails on those that a test names."""

from __future__ import annotations

import threading

from tasks.results import manifest
from tasks.results.manifest import Manifest
from tasks.runtime.core.job import Job, Outcome
from tasks.stage_tasks.stage import Staged
from tasks.workflow import pipeline
from tests.unit.fakes import make_task, write_outputs, write_result, write_units

SITES = ["A01-1", "A01-2", "A02-1", "A02-2"]
QUICK = "[retries]\nbackoff_seconds = 0\n"
ALLOWED = QUICK + "[runtime]\nmax_failed_fraction = 0.25\n"


class Bench:
    """An engine whose measurement fails on some sites, and whose other stages end well."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.measured: list[str] = []
        self.cells: int | None = None
        """How many cells every job says that it found, if it says so."""

    def __call__(self, job: Job, cancelled: threading.Event) -> Outcome:
        if self.bad & set(job.units):
            write_units(job, *sorted(self.bad & set(job.units)), state="failed", reason="a crash")
            return Outcome(70, 0.0)
        write_outputs(job)
        if job.program == "load_data.py":
            write_result(job, site=SITES, channel=["DNA"])
        if job.units:
            write_units(job, *job.units)
        if job.program == "measure.py":
            self.measured += job.units
            if self.cells is not None:
                write_result(job, cells=self.cells)
        return Outcome(0, 0.0)


def make(stage: str) -> Staged:
    task = make_task(pipeline.stage_tasks()[stage])
    task.set_progress_percentage = task.set_status_message = lambda said: None
    return task


def run(*names: str) -> Manifest:
    """Run stages one after the other; return the last one's manifest."""
    for name in names:
        make(name).run()
    found = manifest.read(make(names[-1]).manifest_path())
    assert found is not None
    return found

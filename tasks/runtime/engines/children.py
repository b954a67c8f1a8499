"""A job as a child process of this one, that never outlives it: for the engines that no daemon serves."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stagekit.child import Child

from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import log_end
from tasks.runtime.engines.oom import Kills
from tasks.runtime.engines.process_memory import Peak

STOPPED = 143


def run(words: Sequence[str], job: Job, variables: Mapping[str, str], cancelled: threading.Event) -> Outcome:
    """Run the words of a job to their end, in its temporary folder; the program finds its guard in its variables."""
    job.temporary.mkdir(parents=True, exist_ok=True)
    with open(job.folder / "stdout.log", "wb") as stdout, open(job.folder / "stderr.log", "wb") as stderr:
        kills = Kills()
        # stdin is a pipe that nothing is written to: it closes when we die, however we die, and
        # stagekit's guard then ends the program and its children.
        child = Child(words, variables, job.temporary, subprocess.PIPE, stdout, stderr)
        try:
            outcome = _wait(child, job, cancelled, kills)
            ended_alone = not outcome.cancelled and not outcome.timed_out
            short = ended_alone and kills.explain(outcome.exit_code, log_end.telling(job.folder / "stderr.log"))
            return replace(outcome, out_of_memory=short)
        finally:
            child.end()
            child.close()
            shutil.rmtree(job.temporary, ignore_errors=True)
            job.temporary.mkdir(exist_ok=True)  # the command that repeats the job names it


def _wait(child: Child, job: Job, cancelled: threading.Event, kills: Kills) -> Outcome:
    peak, limit = Peak(child.pid), job.resources.minutes * 60

    def look() -> None:
        peak.look()
        kills.look()

    ended = child.wait(limit, look, cancelled.is_set)
    seconds = child.seconds
    if ended:
        return Outcome(child.exit_code, seconds, peak_memory_gb=peak.gb(child.most_kib))
    child.end()
    return Outcome(STOPPED, seconds, timed_out=seconds >= limit, cancelled=cancelled.is_set())

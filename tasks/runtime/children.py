"""A job as a child process of this one, that never outlives it: for the engines that no daemon serves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tasks.runtime.job import Job, Outcome
from tasks.runtime.process_memory import Peak

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1


def run(words: Sequence[str], job: Job, variables: Mapping[str, str], cancelled: threading.Event) -> Outcome:
    """Run the words of a job to their end, in its temporary folder; the program finds its guard in its variables."""
    job.temporary.mkdir(parents=True, exist_ok=True)
    with open(job.folder / "stdout.log", "wb") as stdout, open(job.folder / "stderr.log", "wb") as stderr:
        started, killed = time.monotonic(), _killed_for_memory()
        # stdin is a pipe that nothing is written to: it closes when we die, however we die, and
        # stagekit's guard then ends the program and its children.
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            cwd=job.temporary,
            env=dict(variables),
            start_new_session=True,
        )
        try:
            outcome = _wait(process, job, cancelled, started)
            # Whom the kernel killed it does not say; that it killed, while this failed, is near enough.
            short = not outcome.ok and not outcome.cancelled and _killed_for_memory() > killed
            return replace(outcome, out_of_memory=short)
        finally:
            _end_group(process)
            shutil.rmtree(job.temporary, ignore_errors=True)
            job.temporary.mkdir(exist_ok=True)  # the command that repeats the job names it


def _wait(process: subprocess.Popen[bytes], job: Job, cancelled: threading.Event, started: float) -> Outcome:
    peak = Peak(process.pid)
    while True:
        peak.look()
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.monotonic() - started
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            code = process.returncode if process.returncode >= 0 else 128 - process.returncode
            return Outcome(code, seconds, peak_memory_gb=peak.gb(usage.ru_maxrss))
        timed_out = seconds > job.resources.minutes * 60
        if cancelled.is_set() or timed_out:
            _end_group(process)
            return Outcome(143, seconds, timed_out=timed_out, cancelled=cancelled.is_set())
        time.sleep(min(POLL_SECONDS, max(0.005, seconds / 4)))  # what is short is looked at more often


def _killed_for_memory() -> int:
    """Return how many processes of this machine the kernel has killed for want of memory; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Stop a program and its children: SIGTERM, and SIGKILL for what is left after a grace."""
    for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        deadline = time.monotonic() + seconds
        try:
            os.killpg(process.pid, number)
            while time.monotonic() < deadline:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(POLL_SECONDS / 2)
        except ProcessLookupError:
            break
    if process.stdin:
        process.stdin.close()

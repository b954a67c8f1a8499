"""The embedded engine: a virtual environment an image, for machines without a container engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

from tasks import layout, recipes
from tasks.runtime import environments, passing
from tasks.runtime.job import Job, Outcome

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1


class ProcessEngine:
    """Runs a program as a child process in the image's own virtual environment.

    The same words as in a container, with the container's paths turned into the host's. Memory is
    measured, not limited: a limit on address space would stop a Java virtual machine at once.
    """

    name = "process"

    def unusable(self, image: str) -> str | None:
        return environments.unmakeable(image)

    def prepare(self, image: str) -> None:
        environments.make(image)

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name, "environment": recipes.environment_hash(image)}

    def command(self, job: Job) -> list[str]:
        settings = [f"{name}={value}" for name, value in self._variables(job).items() if name != "STAGE_GUARD"]
        settings += [f"{name}={path}" for name, path in passing.files(job.passed).items()]
        own_only = [] if job.passed else ["-i"]  # what is passed is taken from the shell, and so not written here
        return ["env", *own_only, *settings, *self._words(job)]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        temporary = self._temporary(job)
        temporary.mkdir(parents=True, exist_ok=True)
        with open(job.folder / "stdout.log", "wb") as stdout, open(job.folder / "stderr.log", "wb") as stderr:
            started, killed = time.monotonic(), _killed_for_memory()
            # stdin is a pipe that nothing is written to: it closes when we die, however we die, and
            # stagekit's guard then ends the program and its children.
            process = subprocess.Popen(
                self._words(job),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                cwd=temporary,
                env={**passing.values(job.passed), **self._variables(job)},
                start_new_session=True,
            )
            try:
                outcome = self._wait(process, job, cancelled, started)
                # Whom the kernel killed it does not say; that it killed, while this failed, is near enough.
                short = not outcome.ok and not outcome.cancelled and _killed_for_memory() > killed
                return replace(outcome, out_of_memory=short)
            finally:
                _end_group(process)
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir(exist_ok=True)  # the command that repeats the job names it

    def _wait(self, process: subprocess.Popen[bytes], job: Job, cancelled: threading.Event, started: float) -> Outcome:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.monotonic() - started
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                code = process.returncode if process.returncode >= 0 else 128 - process.returncode
                # ru_maxrss is in KiB on Linux, and covers the children that the program waited for.
                return Outcome(code, seconds, peak_memory_gb=round(usage.ru_maxrss / 2**20, 3))
            timed_out = seconds > job.resources.minutes * 60
            if cancelled.is_set() or timed_out:
                _end_group(process)
                return Outcome(143, seconds, timed_out=timed_out, cancelled=cancelled.is_set())
            time.sleep(POLL_SECONDS)

    def _words(self, job: Job) -> list[str]:
        python = environments.python(job.image)
        program = layout.CONTAINERS / job.image / job.program
        return [str(python), str(program), *(self._localised(job, word) for word in job.words[2:])]

    def _localised(self, job: Job, word: str) -> str:
        """Return the host's path for a word that is a path of the container."""
        for mount in job.mounts:
            if word == mount.target or word.startswith(f"{mount.target}/"):
                return str(mount.source) + word[len(mount.target) :]
        return word

    def _variables(self, job: Job) -> dict[str, str]:
        temporary = str(self._temporary(job))
        threads = str(job.resources.cpus)
        return {
            **environments.variables(job.image),
            "PYTHONPATH": str(layout.CONTAINERS),
            "PYTHONUNBUFFERED": "1",
            "PYTHONHASHSEED": "0",
            "LANG": "C.UTF-8",
            "STAGE_GUARD": "stdin",
            **dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), temporary),
            **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        }

    def _temporary(self, job: Job) -> Path:
        return job.folder / "tmp"


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

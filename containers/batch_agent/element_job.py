"""One job of an element: what the host wrote of it, and how it is run between its inputs and its results."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional, Tuple

from stagekit.program import CheckError, Report, ServiceError
from stagekit.transfer import BRIEF, Transfer

from batch_agent import results, staging, watched
from batch_agent.staging import Input, MissingError, Shelf
from batch_agent.watched import Ended

NOT_STARTED = 127  # as the shell has it
NOT_WANTED = 66  # an element's array is not there, or was cancelled
TELL_SECONDS = 60.0
"""How often the host is told how far a job is."""
OF_THE_IMAGE = ("PATH", "LANG", "JAVA_HOME", "LD_LIBRARY_PATH", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
OF_THE_IMAGE_BY_PREFIX = ("PYTHON", "LC_", "NVIDIA_", "CUDA_")


@dataclass(frozen=True)
class Job:
    """A job as the host wrote it down."""

    words: Tuple[str, ...]
    variables: Mapping[str, str]
    passed: Tuple[str, ...]
    """Names of this element's variables that the program sees too: a program that fetches may need credentials."""
    output: Path
    temporary: Path
    inputs: Tuple[Input, ...]
    contracts: Mapping[str, str]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Job:
        """Return the job that element.json tells of."""
        return cls(
            tuple(told["words"]),
            told["variables"],
            tuple(told.get("passed", ())),
            Path(told["output"]),
            Path(told["temporary"]),
            tuple(Input.of(each) for each in told["inputs"]),
            told.get("contracts", {}),
        )

    def environment(self, own: Mapping[str, str]) -> Dict[str, str]:
        """Return the variables that the program sees, where `own` are the element's: its image's, and the host's."""
        image = {
            name: value
            for name, value in own.items()
            if name in OF_THE_IMAGE or name.startswith(OF_THE_IMAGE_BY_PREFIX)
        }
        return {**image, **{name: own[name] for name in self.passed if name in own}, **self.variables}


def fetch(job: Job, shelf: Shelf) -> List[Transfer]:
    """Make room for a job, and fetch its inputs; its units that lack a file are told as failed."""
    job.output.mkdir(parents=True, exist_ok=True)
    for entry in list(job.output.iterdir()):
        staging.remove(entry)
    (job.output / "files").mkdir()
    job.temporary.mkdir(parents=True, exist_ok=True)
    try:
        return shelf.fill(job.inputs)
    except MissingError as error:
        for unit, reason in sorted(error.units.items()):
            Report(job.output).unit(unit, "failed", reason=reason)
        raise


def run(job: Job, seconds: float, stdout: Optional[IO[bytes]], stderr: Optional[IO[bytes]]) -> Ended:
    """Run a job's program, into the given logs; what it left in its temporary folder goes."""
    before = {entry.name for entry in os.scandir(job.temporary)}
    try:
        return watched.run(job.words, job.environment(os.environ), job.temporary, seconds, stdout, stderr)
    except (FileNotFoundError, PermissionError) as error:
        message = f"error: the program could not be started: {error}; is it in the image that the job runs in?\n"
        os.write(stderr.fileno() if stderr else 2, message.encode())
        return Ended(NOT_STARTED, 0.0)
    finally:
        for entry in list(os.scandir(job.temporary)):
            if entry.name not in before:
                staging.remove(Path(entry.path))


def check(job: Job, ended: Ended, stderr: Optional[IO[bytes]]) -> Tuple[Ended, results.Digests]:
    """Check what a program made that exited 0: how the job ended, and the digests of what is to be put."""
    if ended.exit_code:
        return ended, {}
    try:
        return ended, results.check(job.output / "files", job.contracts)
    except CheckError as error:
        os.write(stderr.fileno() if stderr else 2, f"error: {error}\n".encode("utf-8", "backslashreplace"))
        return replace(ended, exit_code=error.exit_code), {}


def end(ended: Ended) -> str:
    """Return what the host is told of how a job ended."""
    told = {
        "exit_code": ended.exit_code,
        "seconds": round(ended.seconds),
        "timed_out": ended.timed_out,
        "where": socket.gethostname(),
        "id": os.environ.get("AWS_BATCH_JOB_ID", ""),
        "out_of_memory": ended.out_of_memory,
        "peak_memory_gb": ended.peak_memory_gb,
    }
    return json.dumps(told) + "\n"


def say(text: str) -> None:
    """Tell whoever reads the element's own log."""
    print(f"element: {text}", file=sys.stderr, flush=True)


@contextmanager
def told(url: str, output: Path, folder: Path) -> Iterator[None]:
    """Put how far a job is, every now and then while the block runs; `folder` is for copies that do not change."""
    over = threading.Event()
    thread = threading.Thread(target=_tell, args=(url, output, folder, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # what it puts must not come later than what is put at the end


def _tell(url: str, output: Path, folder: Path, over: threading.Event) -> None:
    last: List[Tuple[int, int]] = []
    while not over.wait(TELL_SECONDS):
        there = results.told(output)
        now = [(path.stat().st_mtime_ns, path.stat().st_size) for path in there]
        if now == last:
            continue
        folder.mkdir(exist_ok=True)
        for path in there:
            shutil.copyfile(path, folder / path.name)
        with suppress(ServiceError):  # it is told again in a while, and at the end
            results.put_words(url, folder, (), BRIEF)
            last = now

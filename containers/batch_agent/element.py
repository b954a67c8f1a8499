"""Run the jobs of one element of an array on AWS Batch: fetch inputs, run the program, put what it made.

    python -m batch_agent.element s3://bucket/.../arrays/<name>            the element that AWS_BATCH_JOB_ID names
    python -m batch_agent.element --again s3://bucket/.../shards/<job>     one job once more, by hand: it puts nothing

A folder in the place of s3://... is one that the machine has mounted (mounted.py): nothing is fetched or put.

The host wrote both (tasks/runtime/array_folder.py). A job that has an end is not run again, and none is begun once the
array is cancelled: so a late or repeated start of an element does no harm. The end of a job is put last of all; where
it cannot be put, or the element is terminated, there is none, and the scheduler must tell.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Optional, Sequence

from stagekit import transfer
from stagekit.program import EXIT_BUG, EXIT_SERVICE, CheckError, DataError, ServiceError
from stagekit.transfer import BRIEF, Service, Transfer

from batch_agent import element_job, mounted, results
from batch_agent.element_job import NOT_WANTED, Job, say
from batch_agent.staging import Shelf
from batch_agent.watched import Ended

TERMINATED = 143


class TerminatedError(BaseException):
    """Somebody wants this element to end: Batch, or the machine that is taken away."""


class Element:
    """An element at work: with a folder for what it reads and for the logs, and the inputs that lie ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf()
        self.logs = (folder / "stdout.log", folder / "stderr.log")
        self.job: Optional[Job] = None

    def run_array(self, array: str, index: int) -> int:
        """Run the jobs of an element one after the other; return the exit code."""
        if f"{array}/elements" not in transfer.there(Service(), [f"{array}/elements"]):
            say(f"{array} is not there")
            return NOT_WANTED
        for line in self._read(f"{array}/elements").splitlines():
            own, seconds, folder = line.split("\t")
            if int(own) != index:
                continue
            name = folder.rpartition("/")[2]
            cancelled, end = f"{array}/cancelled", f"{array}/ended/{name}"
            state = transfer.there(Service(), [cancelled, end])
            if cancelled in state:
                say(f"{array} was cancelled")
                return NOT_WANTED
            if end not in state:
                url = f"{array.rpartition('/arrays/')[0]}/shards/{name}"
                self._put_end(end, self.run_job(url, float(seconds)))
        return 0

    def run_job(self, url: str, seconds: float) -> Ended:
        """Run a job and put all but its end; raise ServiceError if that fails, or TerminatedError."""
        say(f"begins {url}")
        began, self.job = time.monotonic(), None
        for log in self.logs:
            log.write_bytes(b"")
        try:
            ended = self._tried(url, seconds)
            self._put_words(url)
        except TerminatedError:
            with suppress(ServiceError):
                self._put_words(url, BRIEF)
            raise
        took = time.monotonic() - began
        say(f"ended with exit code {ended.exit_code} after {took:.0f} s: {url}")
        return replace(ended, seconds=took)

    def again(self, url: str) -> int:
        """Run a job once more with its output on the terminal; put nothing; return its exit code."""
        job = Job.of(json.loads(self._read(f"{url}/element.json")))
        element_job.fetch(job, self.shelf)
        ended, digests = element_job.check(job, element_job.run(job, math.inf, None, None), None)
        say(f"exit code {ended.exit_code}; {len(digests)} files lie in {job.output / 'files'}, nothing was put")
        return ended.exit_code

    def _tried(self, url: str, seconds: float) -> Ended:
        """Run a job, and put its outputs if it ended well; an error becomes the log's last line."""
        ended = Ended(EXIT_BUG, 0.0)
        try:
            self.job = job = Job.of(json.loads(self._read(f"{url}/element.json")))
            self._say_size("fetched", element_job.fetch(job, self.shelf))
            with open(self.logs[0], "ab") as stdout, open(self.logs[1], "ab") as stderr:
                with element_job.told(url, job.output, self.folder / "told"):
                    ended = element_job.run(job, seconds, stdout, stderr)
                ended, digests = element_job.check(job, ended, stderr)
        except (DataError, ServiceError, CheckError) as error:
            return self._failed(ended, error.exit_code, f"error: {error}")
        except OSError as error:
            return self._failed(ended, EXIT_SERVICE, f"error: {error}; see to the disk of the machine")
        except Exception:
            return self._failed(ended, EXIT_BUG, traceback.format_exc().strip())
        if not ended.exit_code:
            self._put(url, job, digests)
        return ended

    def _put(self, url: str, job: Job, digests: results.Digests) -> None:
        try:
            self._say_size("put", results.put(url, job.output, digests))
        except ServiceError as error:
            self._failed(Ended(0, 0.0), error.exit_code, f"error: {error}")
            with suppress(ServiceError):
                self._put_words(url, BRIEF)
            raise

    def _failed(self, ended: Ended, exit_code: int, text: str) -> Ended:
        with open(self.logs[1], "a", encoding="utf-8", errors="backslashreplace") as stderr:
            stderr.write(f"{text}\n")
        say(text.splitlines()[-1])
        return replace(ended, exit_code=exit_code)

    def _put_words(self, url: str, patience: transfer.Patience = transfer.PATIENT) -> None:
        results.put_words(url, self.job.output if self.job else self.folder, self.logs, patience)

    def _put_end(self, url: str, ended: Ended) -> None:
        path = self.folder / "ended"
        path.write_text(element_job.end(ended), encoding="utf-8")
        transfer.copy(Service(), [Transfer(str(path), url)])

    def _read(self, url: str) -> str:
        path = self.folder / "read"
        transfer.copy(Service(), [Transfer(url, str(path))])
        return path.read_text(encoding="utf-8")

    @staticmethod
    def _say_size(what: str, moved: Sequence[Transfer]) -> None:
        paths = (each.source if each.act == "put" else each.target for each in moved)
        size = sum(Path(path).stat().st_size for path in paths)
        say(f"{what} {len(moved)} files, {size / 1e9:.3f} GB")


def main() -> None:
    """Run an element, or one job again, as the command line says."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--again", action="store_true", help="the folder is that of one job: run it, and put nothing")
    flags.add_argument("folder", help="the folder of an array, or of a job: s3://bucket/..., or mounted")
    args = flags.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _terminated)
    url = args.folder.rstrip("/")
    index = int(os.environ.get("AWS_BATCH_JOB_ID", "").partition(":")[2] or 0)
    with tempfile.TemporaryDirectory(prefix="element-") as folder:
        try:
            if not url.startswith("s3://"):
                code = mounted.again(Path(url), Path(folder)) if args.again else mounted.run_array(Path(url), index)
            else:
                element = Element(Path(folder))
                code = element.again(url) if args.again else element.run_array(url, index)
        except (DataError, ServiceError, CheckError) as error:
            say(f"error: {error}")
            code = error.exit_code
        except TerminatedError:
            say("was terminated")
            code = TERMINATED
    sys.exit(code)


def _terminated(number: int, frame: Optional[FrameType]) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what follows is not to be interrupted
    raise TerminatedError


if __name__ == "__main__":
    main()

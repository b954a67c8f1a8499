"""One element of an array whose data root is a mounted folder: jobs read and write there, nothing is fetched or put.

The words of such jobs are paths of that folder. As on S3, the end of a job is written last of all; an element that is
terminated, or can not write, leaves none, and the scheduler must tell.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from stagekit import whole

from batch_agent import element_job
from batch_agent.element_job import NOT_WANTED, Job, say
from batch_agent.watched import Ended


def run_array(array: Path, index: int) -> int:
    """Run the jobs of an element one after the other; return the exit code."""
    if not (array / "elements").exists():
        say(f"{array} is not there")
        return NOT_WANTED
    for line in (array / "elements").read_text(encoding="utf-8").splitlines():
        own, seconds, folder = line.split("\t")
        end = array / "ended" / Path(folder).name
        if int(own) != index or end.exists():
            continue
        if (array / "cancelled").exists():
            say(f"{array} was cancelled")
            return NOT_WANTED
        whole.write(end, element_job.end(_run_job(Path(folder), float(seconds))))
    return 0


def again(folder: Path, scratch: Path) -> int:
    """Run a job once more with its output on the terminal; what it makes goes with `scratch`; return its exit code."""
    job = _job(folder)
    output = scratch / "out"
    (output / "files").mkdir(parents=True)
    words = (str(output) + word[len(str(job.output)) :] if _is_below(word, job.output) else word for word in job.words)
    ended = element_job.run(replace(job, words=tuple(words), output=output), math.inf, None, None)
    made = sum(path.is_file() for path in (output / "files").rglob("*"))
    say(f"exit code {ended.exit_code}; it made {made} files, and none of them was kept")
    return ended.exit_code


def _run_job(folder: Path, seconds: float) -> Ended:
    say(f"begins {folder}")
    with open(folder / "stdout.log", "wb") as stdout, open(folder / "stderr.log", "wb") as stderr:
        ended = element_job.run(_job(folder), seconds, stdout, stderr)
    say(f"ended with exit code {ended.exit_code} after {ended.seconds:.0f} s: {folder}")
    return ended


def _job(folder: Path) -> Job:
    return Job.of(json.loads((folder / "element.json").read_text(encoding="utf-8")))


def _is_below(word: str, folder: Path) -> bool:
    return word == str(folder) or word.startswith(f"{folder}/")

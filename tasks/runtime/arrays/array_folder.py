"""What is on disk of an array of jobs, from before it is submitted: so that another process can take it up.

arrays/<name>/array.json    which jobs (by the names of their folders in shards/) each element runs, written first
              elements      the same, as the elements themselves read it
              id            the scheduler's own name of it, once it has been submitted
              ended/<job>   how a job ended, as its element says
              settled       the jobs whose end was taken note of, a line each
              cancelled     there if nothing of it is to begin any more
              element-<index>.log
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stagekit import whole

from tasks.definitions.stages import Resources
from tasks.runtime.core.job import Job

ELEMENT = Path(__file__).with_name("element.sh")
"""The program of an element, where all machines see one file system."""


@dataclass(frozen=True)
class End:
    """How a job ended, in its element's words."""

    exit_code: int
    seconds: float
    timed_out: bool
    where: str
    id: str
    out_of_memory: bool = False
    """As its element saw; of Slurm's the scheduler tells."""
    peak_memory_gb: float | None = None


@dataclass(frozen=True)
class Array:
    """Jobs of one run with equal resources, to be run by the elements of one array."""

    folder: Path
    elements: tuple[tuple[str, ...], ...]
    """The names of the jobs that each element runs, in its order."""
    resources: Resources
    """What one element may use: its minutes are those of all its jobs."""
    written: float
    """When it was written down, in seconds since 1970: before it was submitted."""

    @property
    def name(self) -> str:
        """Return the name that it is submitted under, which no other array has."""
        return self.folder.name

    @property
    def id(self) -> str:
        return _text(self.folder / "id").strip()

    @property
    def is_cancelled(self) -> bool:
        return (self.folder / "cancelled").exists()

    def job_folder(self, job: str) -> Path:
        return self.folder.parent.parent / "shards" / job

    def log(self, index: int) -> Path:
        return self.folder / f"element-{index}.log"

    def submitted_as(self, scheduler_id: str) -> None:
        whole.write(self.folder / "id", scheduler_id + "\n")

    def cancel(self) -> None:
        """Let nothing of it begin any more."""
        (self.folder / "cancelled").touch()

    def settle(self, jobs: Iterable[str]) -> None:
        """Say of jobs that their end was taken note of."""
        with open(self.folder / "settled", "a", encoding="utf-8") as handle:
            handle.write("".join(f"{job}\n" for job in jobs))

    def ended(self) -> set[str]:
        """Return the jobs that have ended: by the listing, which a shared file system keeps newer than what it knows
        of single files."""
        folder = self.folder / "ended"
        return {entry.name for entry in os.scandir(folder) if entry.name[0] != "."} if folder.is_dir() else set()

    def end(self, job: str) -> End:
        return End(**json.loads((self.folder / "ended" / job).read_text(encoding="utf-8")))

    def unsettled(self) -> list[str]:
        """Return the jobs whose end nobody took note of; of a cancelled array those that had ended well before."""
        left = self._not_settled()
        abandoned = self.abandoned()
        return [job for job in left if job not in abandoned]

    def abandoned(self) -> set[str]:
        """Return the jobs of a cancelled array that had not ended well, unless they were settled."""
        if not self.is_cancelled:
            return set()
        ended = self.ended()
        return {job for job in self._not_settled() if job not in ended or self.end(job).exit_code}

    def _not_settled(self) -> list[str]:
        settled = set(_text(self.folder / "settled").split("\n"))
        return [job for jobs in self.elements for job in jobs if job not in settled]


def write(name: str, elements: Sequence[Sequence[Job]]) -> Array:
    """Write down an array that is about to be submitted."""
    first = elements[0][0]
    minutes = max(sum(job.resources.minutes for job in jobs) for jobs in elements)
    resources = replace(first.resources, minutes=minutes)
    names = tuple(tuple(job.folder.name for job in jobs) for jobs in elements)
    array = Array(first.folder.parent.parent / "arrays" / name, names, resources, time.time())
    (array.folder / "ended").mkdir(parents=True)
    lines = (
        f"{index}\t{math.ceil(job.resources.minutes * 60)}\t{job.folder}\n"
        for index, jobs in enumerate(elements)
        for job in jobs
    )
    whole.write(array.folder / "elements", "".join(lines))
    told = {"elements": names, "resources": asdict(resources), "written": array.written}
    whole.write(array.folder / "array.json", json.dumps(told, indent=1))
    return array


def of_run(shards: Path) -> list[Array]:
    """Return the arrays of the run whose jobs have their folders in `shards`, the oldest first."""
    found = [_read(path) for path in shards.with_name("arrays").glob("*/array.json")]
    return sorted(found, key=lambda array: array.written)


def _read(path: Path) -> Array:
    told = json.loads(path.read_text(encoding="utf-8"))
    elements = tuple(tuple(jobs) for jobs in told["elements"])
    return Array(path.parent, elements, Resources(**told["resources"]), told["written"])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""

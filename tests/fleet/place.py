"""Jobs as arrays of the fleet, whose containers run a line of shell in place of the element."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

from tasks.definitions.stages import Resources
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.queue import Queue
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import AwsBatch
from tasks.runtime.aws.batch_options import Options
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.fleet_engine import FleetEngine
from tasks.runtime.aws.job_definitions import Definition
from tasks.runtime.core.job import Job, Outcome
from tests.engines.report import JOB_IMAGE
from tests.fleet.fleet import QUEUE, REGION, Fleet

SMALL = Resources(1, 0.125, 5, 0)


class Place:
    """Some jobs, what submits them, and what is known of them."""

    def __init__(self, fleet: Fleet, folder: Path, line: str, options: Options | None = None) -> None:
        self.fleet, self.folder = fleet, folder
        command = ("sh", "-c", line)
        definition = Definition(f"paint.{folder.name}"[:100], JOB_IMAGE, SMALL, command=command)
        watch = Watch(Account(REGION, fleet.url), folder / "watched")
        self.pushed: list[Array] = []
        self.scheduler = AwsBatch(watch, definition, self.put, options or Options(QUEUE), "ann")
        self.queue = Queue(folder / "queue.json", self.scheduler.ask)
        self.arrays = Arrays(
            Commands(lambda job: f"s3://b/{job.folder.name}"), self.scheduler, self.queue, grace_seconds=0.5
        )

    def put(self, array: Array) -> str:
        self.pushed.append(array)
        return f"s3://b/{array.name}"

    def jobs(self, count: int) -> list[Job]:
        shards = self.folder / "runs/paint/B1/P1/abc/shards"
        names = [f"paint-P1-{number}" for number in range(count)]
        return [Job(name, "paint", "paint.py", (), (), shards / name, SMALL) for name in names]

    def run(self, count: int, watch: Callable[[], None] = lambda: None) -> list[Outcome]:
        return self.arrays.run(self.jobs(count), watch)

    def seen(self) -> dict[int, str]:
        (elements,) = self.queue.kept().arrays.values()
        return {index: each.how for each in elements for index in range(each.first, each.last + 1)}

    def running(self) -> dict[str, object]:
        return self.fleet.containers(self.pushed[-1].id) if self.pushed and self.pushed[-1].id else {}


class Commands(FleetEngine):
    """The engine, for images that no registry has."""

    def command(self, job: Job) -> list[str]:
        return ["docker", "run", self.url(job)]


def tell(array: Array, job: str, **more: object) -> None:
    """Write a job's end, as its element does."""
    end = {"exit_code": 0, "seconds": 2, "timed_out": False, "where": "n1", "id": "x:0", **more}
    (array.folder / "ended" / job).write_text(json.dumps(end))


def in_background(act: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start something; return it, and the list that its result or error will stand in."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(act())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ended

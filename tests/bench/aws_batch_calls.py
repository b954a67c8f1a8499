"""How often AWS Batch is asked: calls an hour, by action, of many plates at once, and the most in a second.

    python tests/bench/aws_batch_calls.py [--plates 50] [--shards 40]

Everything on this side is real (arrays, queue, boto3); the service and time are not (tests/fleet/virtual.py): machines
come after two to five minutes, one element in twenty is reclaimed, and what ran on it is run again. Every stage of
a plate is submitted by a process of its own, as Luigi's workers do, which start a fifth of a second apart. Ends are
looked for every ten seconds, not after one to ten: that asks S3 less often, and Batch as often.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.definitions.stages import Resources
from tasks.runtime.arrays import array_folder, arrays, queue, verdicts
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.queue import Queue
from tasks.runtime.aws import aws, batch_queues, batch_watch, job_definitions
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import AwsBatch
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.fleet_engine import FleetEngine
from tasks.runtime.aws.job_definitions import Definition
from tasks.runtime.core.job import Job
from tests.fleet.virtual import MOST_CALLS_A_SECOND, Clock, Service

HOME = Account("us-east-1", "http://127.0.0.1:9")  # nothing is ever sent there
NEEDS = Resources(1, 2, 60, 0)
MINUTES = {"illumination": 20.0, "measure": 30.0}
"""CPJUMP1's plate took half an hour on its machines; what follows takes minutes."""
OTHERS = 12
"""Stages of a plate that are one job each: load_data, collate, aggregate, annotate, normalize, ..."""
APART_SECONDS = 0.2
RESTED_SECONDS = 3.0
"""Between a stage's end and the next one's submission: what is checked and published."""
TIMED = (array_folder, arrays, batch_watch, queue, verdicts)


class Processes:
    """Stands in the place of the module os for what is kept by process: a stage of a plate has its own."""

    def __init__(self) -> None:
        self.own = threading.local()

    def getpid(self) -> int:
        return int(self.own.number)


class Words(FleetEngine):
    def command(self, job: Job) -> list[str]:
        return ["again", self.url(job)]


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--plates", type=int, default=50)
    flags.add_argument("--shards", type=int, default=40)
    args = flags.parse_args()
    logging.disable(logging.WARNING)
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with tempfile.TemporaryDirectory() as folder:
        found = told(simulated(Path(folder), args.plates, args.shards), args.plates)
    print(json.dumps({"simulated": found, "on_paper": on_paper(found)}, indent=1))
    return 0


def simulated(folder: Path, plates: int, shards: int) -> Service:
    """Let plates be made at once; return the service that was asked."""
    clock, processes = Clock(plates), Processes()
    service = Service(clock, lambda name: MINUTES.get(name.partition("-")[0], 2.0))
    for module in TIMED:
        module.time = clock  # type: ignore[attr-defined]
    for module in (batch_queues, job_definitions):
        module.os = processes  # type: ignore[attr-defined]
    arrays.LEAST_SECONDS = arrays.MOST_SECONDS
    for once in (False, True):
        aws.client(HOME, "batch", once=once).meta.events.register("before-send.batch", service.answer)
    threads = [
        threading.Thread(target=plate, args=(folder, number, shards, clock, processes)) for number in range(plates)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"simulated in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return service


def plate(folder: Path, number: int, shards: int, clock: Clock, processes: Processes) -> None:
    """Make a plate, stage by stage; what was lost is run again."""
    clock.sleep(APART_SECONDS * number)
    stages = [("illumination", 8), ("measure", shards), *((f"stage{each}", 1) for each in range(OTHERS))]
    for place, (stage, count) in enumerate(stages):
        processes.own.number = 1_000 * number + place
        pending: Sequence[Job] = jobs(folder / f"runs/{stage}/B1/P{number}/abc/shards", stage, count)
        scheduler = AwsBatch(Watch(HOME, folder / "watched"), Definition(stage, "image", NEEDS), put, user="ann")
        shared = Queue(folder / "queue.json", scheduler.ask, batch_watch.LEAST_SECONDS)
        how = Arrays(Words(put_job), scheduler, shared, grace_seconds=30.0)
        while pending:
            outcomes = how.run(pending, lambda: None)
            ended = zip(pending, outcomes, strict=True)
            pending = [replace(job, attempt=job.attempt + 1) for job, outcome in ended if outcome.lost]
        clock.sleep(RESTED_SECONDS)
    clock.leave()


def put(array: array_folder.Array) -> str:
    return str(array.folder)


def put_job(job: Job) -> str:
    return str(job.folder)


def jobs(shards: Path, stage: str, count: int) -> list[Job]:
    names = [f"{stage}-{number}" for number in range(count)]
    return [Job(name, "image", "program.py", (), (), shards / name, NEEDS) for name in names]


def on_paper(found: Mapping[str, Any], plates: int = 1_000, hours: float = 24.0) -> dict[str, Any]:
    """Return what so many plates ask, all of them under way for so many hours.

    Submissions grow with the plates. There is one poll for all of them, of one call for a hundred arrays under way.
    """
    polls = 3600 / batch_watch.LEAST_SECONDS * math.ceil(plates / batch_watch.MOST_AT_ONCE)
    others = sum(count for action, count in found["calls"].items() if action != "DescribeJobs")
    an_hour = polls + others / found["plates"] * plates / hours
    allowed = 3600 * MOST_CALLS_A_SECOND
    by_hour = {"polls_an_hour": round(polls), "calls_an_hour": round(an_hour), "allowed_an_hour": allowed}
    at_the_start = (others / found["arrays"]) / APART_SECONDS
    return {"plates": plates, "hours": hours, **by_hour, "calls_a_second_while_all_start": round(at_the_start, 1)}


def told(service: Service, plates: int) -> dict[str, Any]:
    """Return what was asked: in all, an hour, in the busiest hour and second."""
    times = sorted(at for at, _ in service.calls)
    hours = (times[-1] - times[0]) / 3600
    by_action = Counter(action for _, action in service.calls)
    return {
        "plates": plates,
        "arrays": len(service.jobs),
        "elements": sum(len(job.starts) for job in service.jobs.values()),
        "reclaimed": sum(len(job.lost) for job in service.jobs.values()),
        "hours": round(hours, 2),
        "calls": dict(by_action.most_common()),
        "calls_an_hour": round(len(times) / hours),
        "polls_an_hour": round((by_action["DescribeJobs"] + by_action["ListJobs"]) / hours),
        "most_in_an_hour": most_within(times, 3600),
        "most_in_a_second": most_within(times, 1),
        "allowed_in_a_second": MOST_CALLS_A_SECOND,
        "refused": service.refused,
    }


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return how many calls at most began within some seconds."""
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    sys.exit(main())

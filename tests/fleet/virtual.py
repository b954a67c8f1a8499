"""Time that passes when everybody waits, and an AWS Batch that lives in it: hours of a fleet in seconds.

boto3 is asked as ever; its requests are answered before they leave. What is over the limit of calls a second is
refused, as AWS does.
"""

from __future__ import annotations

import heapq
import io
import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse

MOST_CALLS_A_SECOND = 50
"""AWS's limit for an account and region (SubmitJob: service quotas of the AWS Batch User Guide; all calls together:
repost.aws/knowledge-center/aws-batch-requests-error)."""
CALL_SECONDS = 0.1
RECLAIMED = "Host EC2 (instance i-0123456789abcdef0) terminated."


class Clock:
    """Stands in the place of the module time, for threads that all wait by it."""

    def __init__(self, threads: int) -> None:
        self.now, self.awake = 1_800_000_000.0, threads
        self.lock, self.order = threading.Lock(), itertools.count()
        self.waiting: list[tuple[float, int, threading.Event]] = []
        self.when_it_advances: Callable[[float], None] = lambda now: None

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        woken = threading.Event()
        with self.lock:
            heapq.heappush(self.waiting, (self.now + seconds, next(self.order), woken))
            self._rest()
        woken.wait()

    def leave(self) -> None:
        """Say that this thread waits no more."""
        with self.lock:
            self._rest()

    def _rest(self) -> None:
        self.awake -= 1
        if self.awake or not self.waiting:
            return
        self.now = self.waiting[0][0]
        self.when_it_advances(self.now)
        while self.waiting and self.waiting[0][0] <= self.now:
            self.awake += 1
            heapq.heappop(self.waiting)[2].set()


@dataclass
class FleetJob:
    """An array: when each element starts and ends, and which are reclaimed."""

    name: str
    created: float
    starts: list[float]
    ends: list[float]
    lost: set[int]

    def counts(self, now: float) -> dict[str, int]:
        """Return how many elements are in which state."""
        found = Counter(self.state(index, now) for index in range(len(self.starts)))
        return dict(found)

    def state(self, index: int, now: float) -> str:
        if now < self.starts[index]:
            return "RUNNABLE"
        if now < self.ends[index]:
            return "RUNNING"
        return "FAILED" if index in self.lost else "SUCCEEDED"


@dataclass
class Service:
    """AWS Batch: machines come after some minutes, jobs take their time, some machines are reclaimed."""

    clock: Clock
    minutes: Callable[[str], float]
    """How long an element of an array takes, by the array's name."""
    reclaimed: float = 0.05
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    jobs: dict[str, FleetJob] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0
    ends: list[tuple[float, int, Path, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.when_it_advances = self.write_ends
        self.lock = threading.Lock()

    def answer(self, request: Any, event_name: str, **how: Any) -> AWSResponse:
        """Answer a request of boto3: a handler of its event before-send."""
        self.clock.sleep(CALL_SECONDS)
        action = event_name.rpartition(".")[2]
        with self.lock:
            recent = sum(at > self.clock.now - 1 for at, _ in self.calls[-2 * MOST_CALLS_A_SECOND :])
            self.calls.append((self.clock.now, action))
            if recent >= MOST_CALLS_A_SECOND:
                self.refused += 1
                return _response(request.url, 429, {"message": "Too Many Requests"}, "TooManyRequestsException")
            told = getattr(self, action)(**json.loads(request.body or b"{}"))
        return _response(request.url, 200, told)

    def write_ends(self, now: float) -> None:
        """Write what elements that have ended by now would have written."""
        while self.ends and self.ends[0][0] <= now:
            at, _, path, element = heapq.heappop(self.ends)
            told = {"exit_code": 0, "seconds": 60, "timed_out": False, "where": "machine", "id": element}
            path.write_text(json.dumps(told))

    def DescribeJobQueues(self, **asked: Any) -> dict[str, Any]:
        order = [{"order": 1, "computeEnvironment": "machines"}]
        queue = {"jobQueueName": "platewright-spot", "jobQueueArn": "arn:queue", "priority": 1}
        return {"jobQueues": [{**queue, "state": "ENABLED", "status": "VALID", "computeEnvironmentOrder": order}]}

    def DescribeComputeEnvironments(self, **asked: Any) -> dict[str, Any]:
        named = {"computeEnvironmentName": "machines", "computeEnvironmentArn": "arn:machines"}
        return {"computeEnvironments": [{**named, "state": "ENABLED", "status": "VALID"}]}

    def DescribeJobDefinitions(self, jobDefinitionName: str, **asked: Any) -> dict[str, Any]:
        held = self.definitions.get(jobDefinitionName)
        return {"jobDefinitions": [held] if held else []}

    def RegisterJobDefinition(self, **asked: Any) -> dict[str, Any]:
        name = asked["jobDefinitionName"]
        self.definitions[name] = {**asked, "jobDefinitionArn": f"arn:{name}:1", "revision": 1}
        return self.definitions[name]

    def SubmitJob(self, **asked: Any) -> dict[str, Any]:
        job, size = f"job-{len(self.jobs)}", asked.get("arrayProperties", {}).get("size", 1)
        starts = [self.clock.now + 60 * self.chance.uniform(2, 5) for _ in range(size)]
        ends = [start + 60 * self.minutes(asked["jobName"]) * self.chance.uniform(0.8, 1.2) for start in starts]
        lost = {index for index in range(size) if self.chance.random() < self.reclaimed}
        self.jobs[job] = FleetJob(asked["jobName"], self.clock.now, starts, ends, lost)
        folder = Path(asked["containerOverrides"]["command"][-1])
        for index, names in enumerate(json.loads((folder / "array.json").read_text())["elements"]):
            for name in names if index not in lost else ():
                end = (ends[index], len(self.ends), folder / "ended" / name, f"{job}:{index}")
                heapq.heappush(self.ends, end)
        return {"jobId": job, "jobName": asked["jobName"], "jobArn": f"arn:{job}"}

    def DescribeJobs(self, jobs: list[str]) -> dict[str, Any]:
        return {"jobs": [self._told(job) for job in jobs]}

    def ListJobs(self, arrayJobId: str, jobStatus: str, **asked: Any) -> dict[str, Any]:
        return {"jobSummaryList": list(self._children(arrayJobId, jobStatus))}

    def _children(self, array: str, status: str) -> Iterator[dict[str, Any]]:
        job = self.jobs[array]
        for index in range(len(job.starts)):
            if job.state(index, self.clock.now) == status:
                reason = {"statusReason": RECLAIMED} if status == "FAILED" else {}
                yield {"jobId": f"{array}:{index}", "jobName": job.name, "status": status, **reason}

    def _told(self, array: str) -> dict[str, Any]:
        job = self.jobs[array]
        counts = job.counts(self.clock.now)
        status = next((name for name in ("RUNNABLE", "RUNNING", "FAILED") if counts.get(name)), "SUCCEEDED")
        told = {
            "jobId": array,
            "jobName": job.name,
            "jobQueue": "arn:queue",
            "jobDefinition": "arn:definition",
            "createdAt": int(job.created * 1000),
            "startedAt": int(job.starts[0] * 1000),
            "status": status,
        }
        if status == "FAILED":
            told["statusReason"] = RECLAIMED
        if len(job.starts) > 1:
            told["arrayProperties"] = {"size": len(job.starts), "statusSummary": counts}
        return told


def _response(url: str, status: int, told: dict[str, Any], error: str = "") -> AWSResponse:
    headers = {"x-amzn-errortype": error} if error else {}
    return AWSResponse(url, status, headers, _Raw(json.dumps(told).encode()))


class _Raw(io.BytesIO):
    def stream(self, *how: object, **more: object) -> Iterator[bytes]:
        yield self.read()

"""A fake of AWS Batch: it answers by what it holds, and keeps what it was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.definitions.stages import Resources
from tasks.runtime.arrays import array_folder
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.places import prepare_folder
from tasks.runtime.aws import aws, batch_queues, batch_watch, job_definitions
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import AwsBatch
from tasks.runtime.aws.batch_options import Options
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.job_definitions import Definition
from tests.unit.fakes import BATCH, PLATE, FakeEngine, good, make_run, make_stage

HOME = Account("us-east-1")
IMAGE = "ghcr.io/lab/cellprofiler@sha256:0123"
NEEDS = Resources(2, 1.5, 10, 0)
QUEUE = {"jobQueueName": "platewright-spot", "jobQueueArn": "arn:queue", "state": "ENABLED", "status": "VALID"}
MACHINES = {"computeEnvironmentName": "machines", "state": "ENABLED", "status": "VALID"}
LISTS = {
    "list_jobs": "jobSummaryList",
    "describe_job_queues": "jobQueues",
    "describe_compute_environments": "computeEnvironments",
    "describe_job_definitions": "jobDefinitions",
}


class Batch:
    """A fake of the service: answers by what it holds, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.queue: dict[str, Any] = {
            **QUEUE,
            "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "machines"}],
        }
        self.machines = dict(MACHINES)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.children: dict[str, list[dict[str, Any]]] = {}
        self.definitions: list[dict[str, Any]] = []

    def ask(self, account: Account, service: str, action: str, *, once: bool = False, **what: Any) -> dict[str, Any]:
        self.asked.append((action, what))
        answer: dict[str, Any] = getattr(self, action)(**what)
        return answer

    def all_of(self, account: Account, service: str, action: str, **what: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(account, service, action, **what)[LISTS[action]]
        return found

    def calls(self, action: str) -> list[dict[str, Any]]:
        return [what for name, what in self.asked if name == action]

    def describe_job_queues(self, jobQueues: Any = ()) -> dict[str, Any]:
        known = [self.queue] if self.queue else []
        return {
            "jobQueues": [q for q in known if not jobQueues or {q["jobQueueName"], q["jobQueueArn"]} & set(jobQueues)]
        }

    def describe_compute_environments(self, computeEnvironments: Any) -> dict[str, Any]:
        return {"computeEnvironments": [self.machines]}

    def describe_job_definitions(self, jobDefinitionName: str, status: str) -> dict[str, Any]:
        return {"jobDefinitions": [each for each in self.definitions if each["jobDefinitionName"] == jobDefinitionName]}

    def register_job_definition(self, **what: Any) -> dict[str, Any]:
        number = 1 + len(self.definitions)
        arn = f"arn:{what['jobDefinitionName']}:{number}"
        self.definitions.append({**json.loads(json.dumps(what)), "revision": number, "jobDefinitionArn": arn})
        return self.definitions[-1]

    def submit_job(self, **what: Any) -> dict[str, Any]:
        return {"jobId": "job-1"}

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        assert len(jobs) <= 100
        return {"jobs": [self.jobs[job] for job in jobs if job in self.jobs]}

    def list_jobs(self, arrayJobId: str = "", jobStatus: str = "", **what: Any) -> dict[str, Any]:
        found = self.children.get(arrayJobId, []) if arrayJobId else list(self.jobs.values())
        return {"jobSummaryList": [each for each in found if not jobStatus or each["status"] == jobStatus]}

    def terminate_job(self, jobId: str, reason: str) -> dict[str, Any]:
        return {}


def use(monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Put a fake in the place of AWS Batch."""
    made = Batch()
    monkeypatch.setattr(aws, "ask", made.ask)
    monkeypatch.setattr(aws, "all_of", made.all_of)
    monkeypatch.setattr(aws, "region", lambda account: account.region)
    forget()
    return made


def forget() -> None:
    batch_queues._check.cache_clear()
    job_definitions._registered.cache_clear()


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(batch_watch, "time", self)

    def time(self) -> float:
        return self.now


def make_array(folder: Path, count: int = 3, resources: Resources = NEEDS, name: str = "an-array") -> Array:
    stage = make_stage("site", resources=resources)
    jobs = make_run(
        folder / f"runs/paint/{BATCH}/{PLATE}", stage, shards=count, units=[f"A0{index}-1" for index in range(count)]
    ).jobs()
    for job in jobs:
        prepare_folder(job, FakeEngine(good))
    return array_folder.write(name, [[job] for job in jobs])


def scheduler(folder: Path, options: Options | None = None, **how: Any) -> AwsBatch:
    definition = Definition("paint", IMAGE, NEEDS)
    watch = Watch(how.pop("account", HOME), folder / "watched")
    return AwsBatch(watch, definition, lambda array: f"s3://b/{array.name}", options or Options(), "ann", **how)

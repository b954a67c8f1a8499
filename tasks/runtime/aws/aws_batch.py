"""AWS Batch: how an array is submitted, found again, looked at and cancelled; by its API, as boto3 speaks it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.dataset import layout
from tasks.errors import EngineError
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.queue import Arrays, ElementState
from tasks.runtime.aws import aws, batch_queues, job_definitions
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.batch_options import NOT_IN_A_TAG, OWN_TAGS, Options
from tasks.runtime.aws.batch_states import OUR_REASON
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.job_definitions import Definition

SPARE_MINUTES = 60
"""What an element has beyond its jobs' minutes, which are the programs' own: it fetches and puts gigabytes besides."""
MOST_ELEMENTS = 10_000
LONGEST_NAME = 128
SIGNS_OF_THE_END = ("not found", "does not exist", "already")


@dataclass(frozen=True)
class AwsBatch:
    """AWS Batch as a scheduler of arrays of one stage."""

    watch: Watch
    definition: Definition
    put: Callable[[Array], str]
    """Puts the files of an array where its elements find them; returns the URL or path of its folder."""
    options: Options = Options()
    user: str = ""
    """Who runs this, for the bill."""
    name = "AWS Batch"
    remedy = "docs/aws.md says how large the machines of a queue may be, and what to change in luigi.cfg"

    def submit(self, array: Array) -> str:
        """Submit an array and return its id; NoAnswerError leaves open whether it was submitted."""
        batch_queues.check(self.watch.account, self.options.queue_for(array.resources))
        revision = job_definitions.registered(self.watch.account, self.definition)
        request = self.request(array, revision, self.put(array))
        answer = aws.ask(self.watch.account, "batch", "submit_job", once=True, **request)
        self.watch.add(str(answer["jobId"]), len(array.elements))
        return str(answer["jobId"])

    def request(self, array: Array, revision: str, url: str) -> dict[str, Any]:
        """Return what SubmitJob is given for an array: what it needs, if that is not what the definition says."""
        asked, seen_there = array.resources, variables(self.watch.account, self.options)
        overrides: dict[str, Any] = {
            "command": [*self.definition.command, url],
            "environment": [{"name": name, "value": value} for name, value in seen_there.items()],
        }
        if job_definitions.requirements(asked) != job_definitions.requirements(self.definition.resources):
            overrides["resourceRequirements"] = job_definitions.requirements(asked)
        many = len(array.elements) > 1  # Batch has no array of one
        return {
            "jobName": job_name(array.name),
            "jobQueue": self.options.queue_for(asked),
            "jobDefinition": revision,
            "containerOverrides": overrides,
            "timeout": {"attemptDurationSeconds": math.ceil((asked.minutes + SPARE_MINUTES) * 60)},
            "propagateTags": True,
            "tags": {**dict(self.options.tags), **self._own_tags(array)},
            **({"arrayProperties": {"size": len(array.elements)}} if many else {}),
        }

    def find(self, name: str) -> str:
        """Return the id of the newest job that was submitted under a name; empty if there is none."""
        wanted = job_name(name)
        for queue in dict.fromkeys((self.options.queue, self.options.gpu_queue or self.options.queue)):
            by_name = [{"name": "JOB_NAME", "values": [wanted]}]
            jobs = aws.all_of(self.watch.account, "batch", "list_jobs", jobQueue=queue, filters=by_name)
            for job in sorted(jobs, key=lambda each: -each.get("createdAt", 0)):
                if job["jobName"] == wanted:
                    return str(job["jobId"]).partition(":")[0]
        return ""

    def adopt(self, array: Array) -> None:
        """Let an array that another process has submitted be asked about."""
        self.watch.add(array.id, len(array.elements))

    def ask(self) -> Arrays:
        """Return what is known of all arrays that somebody waits for."""
        return self.watch.ask()

    def judged(self, seen: ElementState, log: Path) -> ElementState:
        """Return what was seen: Batch has said all that it knows."""
        return seen

    def cancel(self, array_id: str, indices: Collection[int] = ()) -> None:
        """Cancel an array, or some of its elements; those that have ended are no error."""
        for job in self._children(array_id, indices) if indices else [array_id]:
            try:
                aws.ask(self.watch.account, "batch", "terminate_job", jobId=job, reason=OUR_REASON)
            except EngineError as error:
                if not any(sign in str(error) for sign in SIGNS_OF_THE_END):
                    raise

    def _children(self, array_id: str, indices: Collection[int]) -> list[str]:
        """Return the names of an array's elements; of all of them, or of a job that is no array, its own."""
        jobs = aws.ask(self.watch.account, "batch", "describe_jobs", jobs=[array_id])["jobs"]
        size = jobs[0].get("arrayProperties", {}).get("size", 1) if jobs else 1
        return [array_id] if len(set(indices)) >= size else [f"{array_id}:{index}" for index in sorted(indices)]

    def _own_tags(self, array: Array) -> dict[str, str]:
        """Return what a bill can be split by."""
        values = (*layout.of_run(array.folder.parent.parent), self.user)
        given = {key: NOT_IN_A_TAG.sub("_", value)[:256] for key, value in zip(OWN_TAGS, values, strict=True)}
        return {key: value for key, value in given.items() if value}


def variables(account: Account, options: Options) -> dict[str, str]:
    """Return the variables of an element beside its job's: Batch itself tells a container no region."""
    endpoint = {"S3_ENDPOINT_URL": account.endpoint_url} if account.endpoint_url else {}
    return {"AWS_REGION": aws.region(account), **endpoint, **dict(options.environment)}


def job_name(name: str) -> str:
    """Return the name of an array as Batch takes it, which no other array has."""
    clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if clean == name and name[:1].isalnum() and len(name) <= LONGEST_NAME:
        return name
    return f"{(clean.lstrip('_-') or 'array')[: LONGEST_NAME - 13]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"

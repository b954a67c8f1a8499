"""Moto's server with what its AWS Batch lacks of Amazon's, as far as a run can tell the difference.

    python -m tests.fleet.server PORT

As on AWS, and not in moto 5.2.5: a container has the memory of its job and no more; an element's index is in
AWS_BATCH_JOB_ARRAY_INDEX; what killed a container is said; whoever ends an array ends its elements; a disabled queue
takes no jobs; an array of which an element failed has failed; elements do not share one list of variables; a container
runs as the user of its definition; a file system of EFS can be mounted (it is the folder that FLEET_EFS names).
"""

from __future__ import annotations

import copy
import os
import sys
from typing import Any

from moto.batch import models
from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, Job
from moto.batch.utils import JobStatus
from moto.server import main

STATED, DESCRIBED, SHORT = Job.__init__, Job.describe, Job.describe_short
ENDED, TERMINATED, SUBMITTED = Job._mark_stopped, Job.terminate, BatchBackend.submit_job
CONTAINER_DETAILS, PROPERTY = Job._container_details, Job._get_container_property


def state(job: Job, *args: Any, **how: Any) -> None:
    how["container_overrides"] = overrides = copy.deepcopy(how.get("container_overrides") or {})
    index = (how.get("array_properties") or {}).get("index")
    if index is not None:
        variable = {"name": "AWS_BATCH_JOB_ARRAY_INDEX", "value": str(index)}
        overrides["environment"] = [*overrides.get("environment", []), variable]
    STATED(job, *args, **how)


def memory_mb(job: Job) -> int:
    """Return what a job may use, by its own requirements or by those of its definition."""
    own = {each["type"]: each["value"] for each in job.container_overrides.get("resourceRequirements", [])}
    return int(own.get("MEMORY") or job.job_definition._get_resource_requirement("memory"))


class Containers:
    """Docker's containers, each with its job's memory."""

    def __init__(self, job: Job, containers: Any) -> None:
        self.job, self.containers = job, containers

    def run(self, **how: Any) -> Any:
        limit = f"{memory_mb(self.job)}m"
        labels = {"platewright.fleet": self.job.job_id, "platewright.fleet.server": sys.argv[1]}
        how["user"] = self.job.job_definition.container_properties.get("user")
        self.job.container = self.containers.run(mem_limit=limit, memswap_limit=limit, labels=labels, **how)
        return self.job.container


class Client:
    def __init__(self, job: Job, client: Any) -> None:
        self.containers = Containers(job, client.containers)


def container_property(job: Job, name: str, default: Any) -> Any:
    """Return a property of a job's container, with a volume of EFS as a folder of this machine."""
    found = PROPERTY(job, name, default)
    return [_of_this_machine(volume) for volume in found] if name == "volumes" else found


def _of_this_machine(volume: dict[str, Any]) -> dict[str, Any]:
    efs = volume.get("efsVolumeConfiguration")
    if not efs:
        return volume
    folder = os.environ["FLEET_EFS"] + efs.get("rootDirectory", "/").rstrip("/")
    return {"name": volume["name"], "host": {"sourcePath": folder}}


def end(job: Job, success: bool = True) -> None:
    """Say, before anybody can see that the job has failed, what its container died of."""
    if not success and not job.job_stopped:
        job.reason = "OutOfMemoryError: Container killed due to memory usage" if _out_of_memory(job) else ""
        job.job_stopped_reason = job.job_stopped_reason or "Essential container in task exited"
    ENDED(job, success)


def _out_of_memory(job: Job) -> bool:
    container = getattr(job, "container", None)
    if container is None:
        return False
    container.reload()
    return bool(container.attrs["State"]["OOMKilled"])


def short(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = SHORT(job)
    if getattr(job, "by_hand", False):
        told["isTerminated"] = True
    if getattr(job, "reason", ""):
        told.setdefault("container", {})["reason"] = job.reason
    return told


def describe(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = DESCRIBED(job)
    counts = told.get("arrayProperties", {}).get("statusSummary", {})
    if counts and counts["FAILED"] and counts["FAILED"] + counts["SUCCEEDED"] == told["arrayProperties"]["size"]:
        told["status"] = job.status = JobStatus.FAILED
    return told


def container_details(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = CONTAINER_DETAILS(job)
    code = {"exitCode": job.exit_code} if job.exit_code is not None else {}
    reason = {"reason": job.reason} if getattr(job, "reason", "") else {}
    return {**told, **code, **reason}


def terminate(job: Job, reason: str) -> None:
    for each in [job, *(job._child_jobs or [])]:
        if not each.job_stopped:
            each.by_hand = True
            TERMINATED(each, reason)


def submit(backend: BatchBackend, job_name: str, job_def_id: str, job_queue: str, **how: Any) -> Any:
    queue = backend.get_job_queue(job_queue)
    if queue is not None and queue.state != "ENABLED":
        raise ClientException(f"Job Queue {queue.name} is disabled: it accepts no jobs")
    return SUBMITTED(backend, job_name, job_def_id, job_queue, **how)


def amend() -> None:
    """Give moto's jobs what they lack."""
    plain = models.DockerModel.docker_client
    Job.docker_client = property(lambda job: Client(job, plain.fget(job)))
    Job.__init__, Job._mark_stopped, Job.terminate = state, end, terminate
    Job.describe, Job.describe_short, Job._container_details = describe, short, container_details
    Job._get_container_property = container_property
    BatchBackend.submit_job = submit


if __name__ == "__main__":
    amend()
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])

"""The job queues of AWS Batch: whether what is submitted to one can ever start."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Mapping
from typing import Any

from tasks.errors import EngineError, unknown
from tasks.runtime.aws import aws
from tasks.runtime.aws.aws import Account

ENABLED, DISABLED, INVALID = "ENABLED", "DISABLED", "INVALID"
HOW_TO_MAKE_ONE = "docs/aws.md says how the queues are made; luigi.cfg [aws_batch] queue names the one that is used"


def check(account: Account, name: str) -> None:
    """Raise EngineError if a queue is not there, or takes no jobs; a good one is looked at once a process."""
    _check(account, name, os.getpid())


@functools.cache
def _check(account: Account, name: str, process: int) -> None:
    found = described(account, [name])
    if not found:
        known = [str(each["jobQueueName"]) for each in aws.all_of(account, "batch", "describe_job_queues")]
        where = f"AWS Batch, region {aws.region(account)}"
        raise EngineError(f"{unknown('job queue', name, known, where)}; {HOW_TO_MAKE_ONE}")
    queue = found[0]
    enable = f"aws batch update-job-queue --job-queue {name} --state ENABLED"
    if queue["state"] != ENABLED:
        raise EngineError(f"the job queue {name} is {queue['state']}{_reason(queue)}: it takes no jobs; {enable}")
    why = never(account, queue)
    if why:
        raise EngineError(f"{why}; {HOW_TO_MAKE_ONE}")


def described(account: Account, names: Collection[str]) -> list[dict[str, Any]]:
    """Return what Batch says of queues, by their names or ARNs; of those that are not there nothing."""
    return aws.all_of(account, "batch", "describe_job_queues", jobQueues=sorted(names)) if names else []


def never(account: Account, queue: Mapping[str, Any]) -> str:
    """Return why nothing that waits in a queue will start as long as nobody mends it; empty if it may."""
    name = queue["jobQueueName"]
    if queue["status"] == INVALID:
        return f"the job queue {name} is {INVALID}{_reason(queue)}"
    order = [str(each["computeEnvironment"]) for each in queue.get("computeEnvironmentOrder", ())]
    asked = {"computeEnvironments": order}
    found = aws.all_of(account, "batch", "describe_compute_environments", **asked) if order else []
    bad = [each for each in found if each["status"] == INVALID or each["state"] == DISABLED]
    if len(bad) < len(found):
        return ""
    states = ", ".join(
        f"{each['computeEnvironmentName']} is {INVALID if each['status'] == INVALID else DISABLED}{_reason(each)}"
        for each in bad
    )
    return f"the job queue {name} has no compute environment that takes jobs ({states or 'none at all'})"


def _reason(entry: Mapping[str, Any]) -> str:
    return f" ({entry['statusReason']})" if entry.get("statusReason") else ""

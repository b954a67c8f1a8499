"""What AWS Batch is to know of a stage before its arrays: a job definition, registered when it changes and not else."""

from __future__ import annotations

import functools
import logging
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.definitions.stages import Resources
from tasks.runtime.aws import aws
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.volumes import Mounted

logger = logging.getLogger(__name__)

ELEMENT = ("python", "-m", "batch_agent.element")
"""What a container runs, in every image (containers/batch_agent/element.py); the array's URL follows."""
NAME_PREFIX = "platewright-"
REQUIREMENTS = ("VCPU", "MEMORY", "GPU")
MUST_BE_EMPTY = {
    "accessPointId",
    "environment",
    "executionRoleArn",
    "jobRoleArn",
    "mountPoints",
    "parameters",
    "privileged",
    "readonlyRootFilesystem",
    "secrets",
    "timeout",
    "ulimits",
    "user",
    "volumes",
}


@dataclass(frozen=True)
class Definition:
    """What all arrays of a stage have in common."""

    stage: str
    image: str
    """By digest, in the user's registry."""
    resources: Resources
    job_role: str = ""
    """The role that the container has; empty: that of the machine."""
    tags: tuple[tuple[str, str], ...] = ()
    mounted: Mounted | None = None
    """The file system that holds the data root; None: it is on S3."""
    command: tuple[str, ...] = ELEMENT

    @property
    def name(self) -> str:
        return NAME_PREFIX + re.sub(r"[^A-Za-z0-9_-]", "_", self.stage)

    def request(self) -> dict[str, Any]:
        """Return what RegisterJobDefinition is given."""
        role = {"jobRoleArn": self.job_role} if self.job_role else {}
        mounted = self.mounted.properties(self.job_role) if self.mounted else {}
        return {
            "jobDefinitionName": self.name,
            "type": "container",
            "platformCapabilities": ["EC2"],
            # A try is a try: what is run again, and how often, tasks/execution/retries.py says, and the ledger holds.
            "retryStrategy": {"attempts": 1},
            "propagateTags": True,
            "tags": {"stage": self.stage, **dict(self.tags)},
            "containerProperties": {
                "image": self.image,
                "command": list(self.command),  # each array gives its own
                "resourceRequirements": requirements(self.resources),
                "linuxParameters": {"initProcessEnabled": True},  # else nobody passes SIGTERM on, or buries children
                **role,
                **mounted,
            },
        }


def requirements(resources: Resources) -> list[dict[str, str]]:
    """Return resources as Batch reads them; memory in MiB, as the other places count a GB."""
    values = (resources.cpus, math.ceil(resources.memory_gb * 1024), resources.gpus)
    given = zip(REQUIREMENTS, values, strict=True)
    return [{"type": name, "value": str(value)} for name, value in given if value]


def registered(account: Account, definition: Definition) -> str:
    """Return the ARN of the newest active revision that says the same; without one a new revision is registered.

    Batch is asked once a process.
    """
    return _registered(account, definition, os.getpid())


@functools.cache
def _registered(account: Account, definition: Definition, process: int) -> str:
    wanted = definition.request()
    asked = {"jobDefinitionName": definition.name, "status": "ACTIVE"}
    active = aws.all_of(account, "batch", "describe_job_definitions", **asked)
    for revision in sorted(active, key=lambda each: int(each["revision"]), reverse=True):
        if is_same(revision, wanted):
            return str(revision["jobDefinitionArn"])
    made = aws.ask(account, "batch", "register_job_definition", **wanted)
    logger.info("registered the job definition %s:%s", made["jobDefinitionName"], made["revision"])
    return str(made["jobDefinitionArn"])


def is_same(revision: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether a revision is what would be registered; AWS has tags of its own."""
    tags = {key: value for key, value in revision.get("tags", {}).items() if not key.startswith("aws:")}
    return tags == wanted["tags"] and says(revision, wanted)


def says(found: object, wanted: object) -> bool:
    """Say whether what AWS tells of a definition is what is wanted: it adds defaults, and keeps no order of lists.

    What nobody asked for must be empty: somebody may have given a revision of this name a volume, or privileges.
    """
    if isinstance(wanted, Mapping):
        return (
            isinstance(found, Mapping)
            and all(name in found and says(found[name], value) for name, value in wanted.items())
            and not any(found[name] for name in MUST_BE_EMPTY & (set(found) - set(wanted)))
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        pairs = zip(_in_order(found), _in_order(wanted), strict=False)
        return isinstance(found, list) and len(found) == len(wanted) and all(says(*pair) for pair in pairs)
    return found == wanted


def _in_order(values: object) -> list[Any]:
    """Return a list as it is (a command), or a list of named things by their names."""
    entries = list(values) if isinstance(values, Sequence) else []
    named = all(isinstance(each, Mapping) and "type" in each for each in entries)
    return sorted(entries, key=lambda each: str(each["type"])) if named else entries

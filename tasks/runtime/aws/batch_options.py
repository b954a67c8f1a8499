"""What luigi.cfg says of AWS Batch, as plain values; what AWS would refuse is refused before anything starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.definitions.stages import Resources
from tasks.errors import SettingsError
from tasks.runtime.aws import volumes

OWNED_VARIABLES = re.compile("AWS_BATCH_.*|ECS_.*|STAGE_GUARD")
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}|arn:aws[a-z-]*:batch:[a-z0-9-]+:\d{12}:job-queue/[\w-]+")
ROLE_NAME = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
REGION_NAME = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
ENDPOINT = re.compile(r"https?://[\w.-]+(:\d+)?/?")
TAG_KEY = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}", re.IGNORECASE)
NOT_IN_A_TAG = re.compile(r"[^\w .:/=+@-]")
OWN_TAGS = ("stage", "batch", "plate", "user")
"""What a bill can be split by, which every array bears."""


@dataclass(frozen=True)
class Options:
    """What luigi.cfg says of how a stage's arrays are submitted."""

    queue: str = "platewright-spot"
    gpu_queue: str = ""
    """For what needs GPUs; empty: the same."""
    job_role: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    """Further variables that an element sees."""
    tags: tuple[tuple[str, str], ...] = ()

    def queue_for(self, resources: Resources) -> str:
        return (self.gpu_queue if resources.gpus else "") or self.queue


def pairs(text: str, separator: str | None, where: str) -> tuple[tuple[str, str], ...]:
    """Return name=value, ... as pairs; raise SettingsError for what is none, or is there twice."""
    found: dict[str, str] = {}
    for word in filter(None, (part.strip() for part in text.split(separator))):
        name, equals, value = (each.strip() for each in word.partition("="))
        if not name or not equals or name in found:
            raise SettingsError(f"{where}: {word!r} {'is there twice' if name in found else 'is not name=value'}")
        found[name] = value
    return tuple(found.items())


def variables(text: str, where: str) -> tuple[tuple[str, str], ...]:
    """Return further variables for elements; raise SettingsError for one that is ours or no name."""
    found = pairs(text, None, where)
    for name, _ in found:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise SettingsError(f"{where}: {name!r} is no name of a variable: letters, digits and '_'")
        if OWNED_VARIABLES.fullmatch(name):
            raise SettingsError(f"{where}: {name} is not to be given here: AWS Batch or the toolkit sets it")
    return found


def tags(text: str, where: str) -> tuple[tuple[str, str], ...]:
    """Return further tags for cost allocation; raise SettingsError for one that is ours, or that AWS does not take."""
    found = pairs(text, ",", where)
    for key, value in found:
        if key in OWN_TAGS:
            raise SettingsError(f"{where}: the tag {key} is not to be given here: the toolkit sets it")
        if not TAG_KEY.fullmatch(key) or NOT_IN_A_TAG.search(value) or len(value) > 256:
            rule = "letters, digits, spaces and . : / = + - @ _, not aws: at the beginning, at most 128 and 256 of them"
            raise SettingsError(f"{where}: {key}={value} is no tag: AWS takes {rule}")
    return found


def _of_a_form(pattern: re.Pattern[str], what: str, *, optional: bool = True) -> Callable[[str, str], str]:
    def checked(value: str, where: str) -> str:
        if (value or not optional) and not pattern.fullmatch(value):
            raise SettingsError(f"{where}: {value!r} is no {what}")
        return value

    return checked


QUEUE = "name or ARN of a job queue: 1 to 128 letters, digits, '-' and '_'"
CHECKS: Mapping[str, Callable[[str, str], object]] = {
    "aws_batch_queue": _of_a_form(
        QUEUE_NAME, "name or ARN of a job queue: 1 to 128 letters, digits, '-' and '_'", optional=False
    ),
    "aws_batch_gpu_queue": _of_a_form(QUEUE_NAME, QUEUE),
    "aws_batch_job_role": _of_a_form(ROLE_NAME, "ARN of a role: arn:aws:iam::<account>:role/<name>"),
    "aws_batch_region": _of_a_form(REGION_NAME, "region, such as us-east-1"),
    "aws_batch_endpoint_url": _of_a_form(ENDPOINT, "URL of a service: http(s)://host:port"),
    "aws_batch_environment": variables,
    "aws_batch_tags": tags,
    "aws_batch_volume": volumes.parsed,
}
"""By the key of [aws_batch], or of a stage's section, what raises SettingsError for a value that cannot be used."""

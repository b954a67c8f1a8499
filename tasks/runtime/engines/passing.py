"""What a job with a network sees of its caller's environment: variables that are named, and whose values stay there.

The names go into job.json and the command that repeats a job; a value is written nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tasks.runtime.core.job import Job, Mount

FOLDER = "/in/.caller"
"""Where a program in a container sees the files that the caller's variables name."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "AWS_CA_BUNDLE")
# boto3's own chain, where it is not a program or a service of the machine that it asks.
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
# Where boto3 looks if the variable is not set; HOME is another one in a job.
HOME_FILES = {"AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials", "AWS_CONFIG_FILE": ".aws/config"}
FILES = {"AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", *HOME_FILES}


def values(names: Iterable[str]) -> dict[str, str]:
    """Return those of the variables that have a value here."""
    found = {name: os.environ.get(name) or _home_file(name) for name in names}
    return {name: value for name, value in found.items() if value}


def files(names: Iterable[str]) -> dict[str, Path]:
    """Return the files that such variables name."""
    return {name: Path(value) for name, value in values(names).items() if name in FILES and Path(value).is_file()}


def by_value(names: Iterable[str]) -> list[str]:
    """Return those of the variables whose value a container is given as it is."""
    by_file = files(names)
    return [name for name in values(names) if name not in by_file]


def seen(names: Iterable[str]) -> dict[str, str]:
    """Return where a container sees the files that such variables name."""
    return {name: f"{FOLDER}/{name}" for name in files(names)}


def mounts(job: Job) -> list[Mount]:
    """Return all that a job's container sees of the host: its own mounts, and the files that its caller names."""
    return [*job.mounts, *(Mount(path, f"{FOLDER}/{name}") for name, path in files(job.passed).items())]


def _home_file(name: str) -> str:
    path = Path.home() / HOME_FILES[name] if name in HOME_FILES else None
    return str(path) if path and path.is_file() else ""

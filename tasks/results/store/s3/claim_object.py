"""A claim as an object on S3: who holds it, how long it holds, and whether that is over by S3's own clock."""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tasks.runtime.aws import answers
from tasks.runtime.aws.answers import Kind
from tasks.runtime.core.identity import user

COARSE_SECONDS = 1.0
"""What S3 rounds LastModified and Date to."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Mine:
    """A claim as this process writes it; no two writes are alike, so S3 gives each an ETag of its own."""

    key: str
    what: str
    seconds: float
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    since: str = field(default_factory=_now)
    writes: int = 0
    etag: str = ""

    def text(self, free: bool) -> bytes:
        """Return what the object is to say; `since` is for people to read and decides nothing."""
        said = {
            "state": "free" if free else "held",
            "host": platform.node(),
            "pid": os.getpid(),
            "user": user(),
            "since": self.since,
            "seconds": self.seconds,
            "token": self.token,
            "writes": self.writes,
        }
        return json.dumps(said).encode()


@dataclass(frozen=True)
class Found:
    """A claim as it lies on S3."""

    etag: str
    age_seconds: float
    """The least that it can be old, by S3's clock."""
    said: Mapping[str, Any]

    def is_free(self, seconds: float) -> bool:
        """Say whether anybody may take it: given back, or not renewed for as long as it says, else `seconds`."""
        return self.said.get("state") == "free" or self.age_seconds >= self.said.get("seconds", seconds)

    @property
    def holder(self) -> str:
        """Return who holds it, for a person."""
        if "host" not in self.said:
            return "somebody who did not say who"
        named = {key: self.said.get(key, "?") for key in ("user", "host", "pid", "since")}
        return "{user} on {host} (process {pid}, since {since})".format(**named)


def read(client: Any, bucket: str, key: str) -> Found | None:
    """Return the claim that lies at a key, or None if there is none."""
    try:
        answer = client.get_object(Bucket=bucket, Key=key)
    except answers.ERRORS as error:
        if answers.of(error).kind is Kind.GONE:
            return None
        raise
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).replace(tzinfo=UTC)
    age = (now - answer["LastModified"]).total_seconds() - COARSE_SECONDS
    return Found(answer["ETag"], age, _parsed(answer["Body"].read()))


def _parsed(text: bytes) -> Mapping[str, Any]:
    """Return what the object says; of what nobody here wrote, nothing."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}

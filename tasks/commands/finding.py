"""What doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `bad` ends a run sooner or later, a `note` may be meant."""

    subject: str
    state: str
    said: str
    remedy: str = ""

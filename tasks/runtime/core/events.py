"""What happens in a run, as values that log records bear: who shows a run need not read the log's sentences."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EnvironmentStarted:
    """An image's environment is being made."""

    image: str


@dataclass(frozen=True)
class EnvironmentMade:
    """An image's environment was made in so many seconds."""

    image: str
    seconds: float


@dataclass(frozen=True)
class EngineChosen:
    """An image runs on this engine; `refused` says why those before it were not taken."""

    image: str
    engine: str
    refused: Mapping[str, str]


@dataclass(frozen=True)
class StageStarted:
    """A stage has begun; a title is <stage>/<plate, batch or group>."""

    title: str


@dataclass(frozen=True)
class StageAdvanced:
    """A stage has got further: '12 of 24 sites, ...'."""

    title: str
    said: str


@dataclass(frozen=True)
class StageEnded:
    """A stage has ended well."""

    title: str
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageFailed:
    """A stage has failed; why is logged by itself."""

    title: str


Event = EnvironmentStarted | EnvironmentMade | EngineChosen | StageStarted | StageAdvanced | StageEnded | StageFailed


def extra(event: Event) -> dict[str, Event]:
    """Return what a logger takes as `extra`, so that its record bears the event."""
    return {"event": event}


def of(record: logging.LogRecord) -> Event | None:
    """Return the event that a record bears, if any."""
    found: Event | None = getattr(record, "event", None)
    return found

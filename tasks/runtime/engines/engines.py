"""How a command is put into its environment: the engines there are, and which one is used."""

from __future__ import annotations

import functools
import logging
import threading
from typing import Protocol

from tasks import errors
from tasks.runtime.core import events
from tasks.runtime.core.events import EngineChosen
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines.apptainer_engine import ApptainerEngine
from tasks.runtime.engines.docker_engine import DockerEngine
from tasks.runtime.engines.process_engine import ProcessEngine

logger = logging.getLogger(__name__)

CONTAINERS = ("docker", "apptainer")
NAMES = (*CONTAINERS, "process")
"""In the order in which `auto` tries them."""


class Engine(Protocol):
    """Runs jobs in the environments that it has."""

    name: str

    def unusable(self, image: str) -> str | None:
        """Return why this engine cannot run an image now, with the remedy; None if it can."""

    def prepare(self, image: str) -> None:
        """Make ready what takes long and is done once."""

    def environment(self, image: str) -> dict[str, str]:
        """Return what identifies the environment, for the manifest."""

    def command(self, job: Job) -> list[str]:
        """Return the words that repeat a job in a shell."""

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        """Run a job to its end, its output streamed to stdout.log and stderr.log of its folder."""


@functools.cache
def engine(name: str) -> Engine:
    """Return an engine by name; the clients behind it are made once a process."""
    known: dict[str, type[Engine]] = {"docker": DockerEngine, "apptainer": ApptainerEngine, "process": ProcessEngine}
    return known[name]()


@functools.cache
def choose(wanted: str, image: str) -> Engine:
    """Return the engine for an image: the one that was asked for, or with `auto` the first usable one.

    Raises EngineError with every engine's reason if none can run the image.
    """
    reasons: dict[str, str] = {}
    for name in NAMES if wanted == "auto" else (wanted,):
        reason = engine(name).unusable(image)
        if reason is None:
            passed_over = "".join(f"; not {other}: {why}" for other, why in reasons.items())
            chosen = events.extra(EngineChosen(image, name, dict(reasons)))
            logger.info("engine for the image %s: %s%s", image, name, passed_over, extra=chosen)
            engine(name).prepare(image)
            return engine(name)
        reasons[name] = reason
    raise errors.EngineError(errors.no_engine(image, reasons))

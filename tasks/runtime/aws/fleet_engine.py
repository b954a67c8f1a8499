"""The engine of the place aws_batch: nothing runs here, so it tells of images and of commands, and starts nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.errors import EngineError, RecipeError
from tasks.runtime.aws.job_definitions import ELEMENT
from tasks.runtime.aws.volumes import Mounted
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.images import images

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""What a container on one's own machine, which has no role, takes from whoever starts it; by name alone."""


@dataclass(frozen=True)
class FleetEngine:
    """Says what a stage's jobs run in on AWS Batch: its image, by digest, in the user's registry."""

    url: Callable[[Job], str]
    """Says where its element finds a job's folder: on S3, or below the data root."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What elements see besides (AWS_REGION, S3_ENDPOINT_URL)."""
    network: str = ""
    """The network of docker that a repeated job needs; empty: its own."""
    mounted: Mounted | None = None
    """The file system that holds the data root; None: it is on S3."""
    name = "aws_batch"

    def unusable(self, image: str) -> str | None:
        """Return why Batch cannot run an image, with the remedy; None if it can."""
        try:
            images.pushed(image)
        except (EngineError, RecipeError) as error:
            return str(error)
        return None

    def prepare(self, image: str) -> None:
        """Do nothing: a machine pulls the image when it has none."""

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name, "image": images.pushed(image)}

    def command(self, job: Job) -> list[str]:
        """Return the words that run a job once more, here, by its files of the data root; nothing is kept of it."""
        network = [f"--network={self.network}"] if self.network else []
        given = [f"--env={name}={value}" for name, value in self.variables.items()]
        passed = [f"--env={name}" for name in CREDENTIALS]
        if self.mounted:
            root = self.mounted.root
            given = [f"--user={self.mounted.user}", f"--mount=type=bind,source={root},target={root},readonly", *given]
        words: Sequence[str] = (*ELEMENT, "--again", self.url(job))
        return ["docker", "run", "--rm", *network, *passed, *given, images.pushed(job.image), *words]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        """Never: a place of arrays hands jobs to its scheduler."""
        raise EngineError(f"{job.name}: nothing runs on this machine by the engine {self.name}, which AWS Batch is for")

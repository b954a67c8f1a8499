"""What doctor looks at where [runtime] place = aws_batch: credentials, job queues, images; nothing is submitted."""

from __future__ import annotations

from collections.abc import Iterator

from tasks import placement, settings, stages
from tasks.errors import EngineError
from tasks.finding import BAD, GOOD, Finding
from tasks.runtime import batch_queues
from tasks.runtime.places import AWS_BATCH
from tasks.runtime.queue import NoAnswerError

LOGIN = "docs/aws.md says how to log in, and what must be allowed"


def examine() -> Iterator[Finding]:
    """Look at AWS from here."""
    if settings.load().place == AWS_BATCH:
        yield from _queues()
        yield from _images()


def _queues() -> Iterator[Finding]:
    """Look at every queue that a stage's arrays go to."""
    users: dict[str, list[str]] = {}
    for stage in stages.load().values():
        queue = placement.batch_options_of(stage).queue_for(settings.resources(stage))
        users.setdefault(queue, []).append(stage.name)
    for queue, names in users.items():
        try:
            batch_queues.check(placement.account(), queue)
        except (EngineError, NoAnswerError) as error:
            yield Finding(f"queue {queue}", BAD, str(error), LOGIN)
        else:
            yield Finding(f"queue {queue}", GOOD, f"it takes jobs, of {len(names)} stages")


def _images() -> Iterator[Finding]:
    """Look whether machines can pull the images of all stages."""
    users = {stage.image: stage for stage in stages.load().values()}
    for image, stage in sorted(users.items()):
        try:
            yield Finding(f"pushed {image}", GOOD, placement.engine(stage).environment(image)["image"])
        except EngineError as error:
            yield Finding(f"pushed {image}", BAD, str(error))

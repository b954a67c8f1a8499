"""Where a stage's jobs run, by luigi.cfg's [runtime] place."""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

from tasks import errors
from tasks.dataset import layout
from tasks.definitions.stages import Stage
from tasks.errors import EngineError
from tasks.execution.specs import JobSpec
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.packing import Packing
from tasks.runtime.arrays.places import AWS_BATCH, LOCAL, SLURM, Local, Place
from tasks.runtime.arrays.queue import Queue
from tasks.runtime.arrays.shared import Addressed
from tasks.runtime.aws import batch_options, batch_watch, volumes
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import AwsBatch, variables
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.element_files import MountedFolder
from tasks.runtime.aws.fleet_engine import FleetEngine
from tasks.runtime.aws.job_definitions import Definition
from tasks.runtime.aws.volumes import Mounted
from tasks.runtime.core import identity
from tasks.runtime.engines import engines
from tasks.runtime.engines.engines import Engine
from tasks.runtime.images import images
from tasks.runtime.slurm.partitions import unshared
from tasks.runtime.slurm.slurm import Options, Slurm, extra_flags
from tasks.settings import sections, settings

logger = logging.getLogger(__name__)


def of(stage: Stage, engine: Engine) -> Place:
    """Return the place of a stage's jobs: what needs a network runs here, unless the nodes have one."""
    given = settings.load()
    if is_here(stage):
        return Local(engine, given.slots)
    if given.place == AWS_BATCH:
        return _fleet(stage, engine)
    _warn_of_what_is_not_shared(SLURM, given.layout.root, *layout.TOOLKIT.shared.values())
    how = sections.slurm()
    packing = Packing(how.units_per_element, how.max_array)
    return Arrays(engine, Slurm(options(stage)), queue(), packing, how.grace_seconds, how.on_interrupt == "leave")


def engine(stage: Stage) -> Engine:
    """Return the engine of a stage's jobs; raise EngineError if there is none for its image."""
    given = settings.load()
    if given.place != AWS_BATCH:
        return engines.choose(given.engine, stage.image)
    reached, seen = _reached(), variables(account(), batch_options_of(stage))
    fleet = FleetEngine(lambda job: reached.address(job.folder), seen, mounted=mounted())
    why = fleet.unusable(stage.image)
    if why:
        raise EngineError(errors.no_engine(stage.image, {fleet.name: why}))
    return fleet


def is_here(stage: Stage) -> bool:
    """Say whether a stage's jobs run on this machine."""
    place = settings.load().place
    return place == LOCAL or (place == SLURM and stage.network and sections.slurm().network == "here")


def _fleet(stage: Stage, engine: Engine) -> Place:
    how, given = sections.aws_batch(), settings.load()
    if mounted():
        _warn_of_what_is_not_shared(AWS_BATCH, given.layout.root)
    reached = _reached()
    return Arrays(
        engine,
        aws_batch(stage, reached.hand_over),
        queue(),
        Packing(how.units_per_element, how.max_array),
        how.grace_seconds,
        how.on_interrupt == "leave",
        reached,
    )


def _reached() -> Addressed:
    """Return how AWS Batch reaches the data root: in its bucket, or as a file system that it mounts."""
    given = settings.load()
    return given.store.elements(given.layout.given) or MountedFolder(given.layout.root, given.layout.given)


def options(stage: Stage) -> Options:
    """Return how a stage's arrays are submitted: by [slurm], overridden by the slurm_... of its own section."""
    given = sections.slurm()
    all_stages = {key: getattr(given, key) or "" for key in settings.SLURM_KEYS}
    own = {key: settings.of_stage(stage.name, f"slurm_{key}", value) for key, value in all_stages.items()}
    extra = extra_flags(own.pop("extra"), f"luigi.cfg [slurm] extra, or [{stage.name}] slurm_extra")
    return Options(**own, extra=extra, max_running=given.max_running)


def job_count(units: int, how: JobSpec) -> int:
    """Return into how many jobs units are cut: on this machine a multiple of its cores, so that none is idle at the
    end; on a cluster as few as may be, for each waits in the queue."""
    given = settings.load()
    side_by_side = given.slots.cores if given.place == LOCAL else 1
    wanted = side_by_side * math.ceil(units / (side_by_side * how.units_per_job))
    return min(units, wanted, units if how.most_jobs is None else how.most_jobs)


@functools.cache
def _warn_of_what_is_not_shared(place: str, *paths: Path) -> None:
    for path in paths:
        why = unshared(path)
        if why:
            logger.warning("%s: place = %s needs it to be the same folder on all nodes", why, place)


def queue() -> Queue:
    """Return what all processes of this user and data root know of the scheduler's queue."""
    given = settings.load()
    path = given.layout.queue(os.getuid())
    path.parent.mkdir(parents=True, exist_ok=True)
    return Queue(path, watch().ask, batch_watch.LEAST_SECONDS) if given.place == AWS_BATCH else Queue(path, Slurm().ask)


def aws_batch(stage: Stage, put: Callable[[Array], str]) -> AwsBatch:
    """Return AWS Batch as the scheduler of a stage; `put` puts an array's files where elements find them."""
    options = batch_options_of(stage)
    image = images.pushed(stage.image)
    definition = Definition(stage.name, image, stage.resources, options.job_role, options.tags, mounted())
    return AwsBatch(watch(), definition, put, options, identity.user())


def batch_options_of(stage: Stage) -> batch_options.Options:
    """Return how a stage's arrays are submitted: by [aws_batch], overridden by the aws_batch_queue of its section."""
    given = sections.aws_batch()
    own = settings.of_stage(stage.name, "aws_batch_queue", "")
    return batch_options.Options(
        queue=own or given.queue,
        gpu_queue=own or given.gpu_queue or "",
        job_role=given.job_role or "",
        environment=batch_options.variables(given.environment or "", "luigi.cfg [aws_batch] environment"),
        tags=batch_options.tags(given.tags or "", "luigi.cfg [aws_batch] tags"),
    )


def mounted() -> Mounted | None:
    """Return the file system that AWS Batch mounts for the data root; None if that is on S3."""
    volume = volumes.parsed(sections.aws_batch().volume or "", "luigi.cfg [aws_batch] volume")
    return Mounted(volume, settings.load().layout.root, f"{os.getuid()}:{os.getgid()}") if volume else None


def account() -> Account:
    """Return where AWS is asked."""
    given = sections.aws_batch()
    return Account(given.region or "", given.endpoint_url or "")


def watch() -> Watch:
    """Return what asks AWS Batch about all arrays that this user waits for in this data root."""
    return Watch(account(), settings.load().layout.watched_jobs(os.getuid()))

"""Where a stage's jobs run, by luigi.cfg's [runtime] place."""

from __future__ import annotations

import functools
import logging
import math
import os
from pathlib import Path

from tasks import layout, settings
from tasks.runtime.arrays import Arrays
from tasks.runtime.engines import Engine
from tasks.runtime.partitions import unshared
from tasks.runtime.places import LOCAL, Local, Place
from tasks.runtime.queue import Queue
from tasks.runtime.slurm import Slurm
from tasks.stages import Stage

logger = logging.getLogger(__name__)


def of(stage: Stage, engine: Engine) -> Place:
    """Return the place of a stage's jobs: what needs a network runs here, unless the nodes have one."""
    given = settings.load()
    if is_here(stage):
        return Local(engine, given.slots)
    _warn_of_what_is_not_shared(given.layout.root)
    scheduler = Slurm(settings.slurm_options(stage))
    how = given.slurm
    return Arrays(engine, scheduler, queue(), how.packing, how.grace_seconds, how.leaves)


def is_here(stage: Stage) -> bool:
    """Say whether a stage's jobs run on this machine."""
    given = settings.load()
    return given.place == LOCAL or (stage.network and given.slurm.network_here)


def shards(units: int, units_per_shard: int) -> int:
    """Return into how many jobs units are cut: on this machine a multiple of its cores, so that none is idle at the
    end; on a cluster as few as may be, for each waits in the queue."""
    given = settings.load()
    side_by_side = given.slots.cores if given.place == LOCAL else 1
    return min(units, side_by_side * math.ceil(units / (side_by_side * units_per_shard)))


@functools.cache
def _warn_of_what_is_not_shared(root: Path) -> None:
    for path in (root, layout.REPOSITORY):
        why = unshared(path)
        if why:
            logger.warning("%s: place = slurm needs it to be the same folder on all nodes", why)


def queue() -> Queue:
    """Return what all processes of this user and data root know of Slurm's queue."""
    path = settings.load().layout.queue(os.getuid())
    path.parent.mkdir(parents=True, exist_ok=True)
    return Queue(path, Slurm().ask)

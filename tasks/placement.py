"""Where a stage's jobs run, by luigi.cfg's [runtime] place."""

from __future__ import annotations

import os

from tasks import settings
from tasks.runtime.arrays import Arrays
from tasks.runtime.engines import Engine
from tasks.runtime.places import LOCAL, Local, Place
from tasks.runtime.queue import Queue
from tasks.runtime.slurm import Slurm
from tasks.stages import Stage


def of(stage: Stage, engine: Engine) -> Place:
    """Return the place of a stage's jobs: what needs a network runs here, unless the nodes have one."""
    given = settings.load()
    if given.place == LOCAL or (stage.network and given.slurm.network_here):
        return Local(engine, given.slots)
    scheduler = Slurm(settings.slurm_options(stage))
    how = given.slurm
    return Arrays(engine, scheduler, queue(), how.packing, how.grace_seconds, how.leaves)


def queue() -> Queue:
    """Return what all processes of this user and data root know of Slurm's queue."""
    path = settings.load().layout.queue(os.getuid())
    path.parent.mkdir(parents=True, exist_ok=True)
    return Queue(path, Slurm().ask)

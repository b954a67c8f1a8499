"""What a plan takes on machines of Amazon Web Services: how many jobs fit on one, machine-hours, dollars, wall time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.definitions.stages import Resources
from tasks.settings.aws_prices import InstanceClass, Prices


@dataclass(frozen=True)
class Work:
    """What a stage has to do: jobs of equal length."""

    stage: str
    jobs: int
    core_seconds: float
    resources: Resources

    @property
    def job_hours(self) -> float:
        """Return how long a job takes."""
        return self.core_seconds / self.resources.cpus / self.jobs / 3600


@dataclass(frozen=True)
class ClassCost:
    """What all work takes on machines of one class."""

    name: str
    machine_hours: float
    spot_dollars: float
    """The machines' disks included, as in what they cost on demand."""
    on_demand_dollars: float
    wall_hours: float
    lacks: str = ""
    """Why the work cannot be done there."""


def side_by_side(one: InstanceClass, needed: Resources, memory_fraction: float) -> int:
    """Return how many jobs a machine holds: by its vCPUs, each a hyperthread, its memory, and its GPUs."""
    by_memory = int(one.memory_gib * memory_fraction / needed.memory_gb)
    fit = min(one.vcpus // needed.cpus, by_memory)
    return min(fit, one.gpus // needed.gpus) if needed.gpus else fit


def costs(works: Sequence[Work], prices: Prices, machines: int) -> list[ClassCost]:
    """Return what the work takes on each class, the cheapest first; what needs no GPU is done where there is none."""
    found = []
    for gpus in (False, True):
        asked = [work for work in works if work.jobs and bool(work.resources.gpus) == gpus]
        rows = [_cost(one, asked, prices, machines) for one in prices.classes if asked and bool(one.gpus) == gpus]
        found += sorted(rows, key=lambda row: (bool(row.lacks), row.spot_dollars))
    return found


def _cost(one: InstanceClass, works: Sequence[Work], prices: Prices, machines: int) -> ClassCost:
    hours = wall_hours = 0.0
    for work in works:
        held = side_by_side(one, work.resources, prices.memory_fraction)
        if not held:
            return ClassCost(one.name, 0.0, 0.0, 0.0, 0.0, _lack(one, work, prices.memory_fraction))
        # A machine costs the same when it is not full, as with the one job of a plate's last stages.
        hours += math.ceil(work.jobs / held) * work.job_hours
        wall_hours += math.ceil(work.jobs / (held * machines)) * work.job_hours
    disk = hours * prices.disk_hour
    return ClassCost(one.name, hours, hours * one.spot + disk, hours * one.on_demand + disk, wall_hours)


def _lack(one: InstanceClass, work: Work, memory_fraction: float) -> str:
    need = work.resources
    gpus = f", {need.gpus} GPUs" if need.gpus else ""
    return (
        f"{work.stage} needs {need.cpus} vCPUs, {need.memory_gb:g} GiB{gpus}; "
        f"{one.memory_gib * memory_fraction:.1f} GiB are left of its {one.memory_gib:g}"
    )

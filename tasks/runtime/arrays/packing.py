"""How the jobs of a wave are put into the elements of an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stagekit.program import Shard

from tasks.runtime.core.job import Job


@dataclass(frozen=True)
class Packing:
    """What suits a site: few long elements, or many short ones."""

    units_per_element: int = 0
    """An element takes further jobs until it has so many units (a job without units is one); 0: one job an element."""
    max_array: int = 1000
    """The most elements of an array."""


def pack(jobs: Sequence[Job], how: Packing) -> list[list[Job]]:
    """Return the jobs of each element, in order; every job is in exactly one."""
    elements: list[list[Job]] = []
    for job in jobs:
        if elements and _units(elements[-1]) + _units([job]) <= how.units_per_element:
            elements[-1].append(job)
        else:
            elements.append([job])
    if len(elements) <= how.max_array:
        return elements
    return [Shard(number, how.max_array).of(list(jobs), lambda job: job.name) for number in range(1, how.max_array + 1)]


def _units(jobs: Sequence[Job]) -> int:
    return sum(max(1, len(job.units)) for job in jobs)

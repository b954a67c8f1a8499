"""The runs that a person asks for; and every task, so that `luigi --module tasks` finds it.

The edges stand in sources (what lies there or is fetched), measuring (images to single cells), profiling (single cells
to profiles) and benchmark (profiles to figures).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import luigi

from tasks.batch_task import BatchTask, PlateSet
from tasks.benchmark import *  # noqa: F403
from tasks.measuring import *  # noqa: F403
from tasks.measuring import Montage, SampleMontage
from tasks.profiling import *  # noqa: F403
from tasks.profiling import (
    Collate,
    QualityControl,
    SelectFeatures,
    SelectFeaturesBatch,
    SelectFeaturesNegcon,
    SelectFeaturesNegconBatch,
)
from tasks.run_benchmark import RunBenchmark  # noqa: F401
from tasks.sources import *  # noqa: F403
from tasks.sources import FetchMetadata, Profiles
from tasks.stage_task import LAID, PlateTask, Staged


class RunPlate(PlateTask, luigi.WrapperTask):
    """All that is made of one plate, from where `start_from` says; or a look at some of its wells."""

    sample = luigi.IntParameter(default=0, description="12: only measure one site in 12 wells, into one picture")

    def requires(self) -> list[luigi.Task]:
        if self.sample:
            return [self.clone(SampleMontage, wells=self.sample)]
        if self.start_from == "profiles":
            return [self.clone(Profiles)]
        profiles = [self.clone(SelectFeatures), self.clone(SelectFeaturesNegcon)]
        if self.start_from == "backend":
            return profiles
        collate: Any = self.clone(Collate)
        backends = [collate] if collate.unmade() != set(collate.definition.outputs) else []
        return [*profiles, *backends, self.clone(Montage)]


class RunBatch(PlateSet, luigi.WrapperTask):
    """All that is made of a batch, or of the plates named, each by itself and jointly, from where it is told."""

    jointly: ClassVar[tuple[type[BatchTask], ...]] = (SelectFeaturesBatch, SelectFeaturesNegconBatch, QualityControl)

    def requires(self) -> list[luigi.Task]:
        return self.parts() if self.start_from == LAID else [FetchMetadata(batch_id=self.batch_id)]

    def run(self) -> Iterator[list[luigi.Task]]:
        """Go on with the plates: which they are, the metadata says that may have to be fetched first."""
        yield self.parts()

    def complete(self) -> bool:
        return bool(super().complete()) and all(part.complete() for part in self.parts())

    def parts(self) -> list[luigi.Task]:
        """Return what is made of every plate, and of all of them."""
        same = {"batch_id": self.batch_id, "start_from": self.start_from}
        plates: list[luigi.Task] = [RunPlate(plate=plate, **same) for plate in self.members]
        if self.start_from == "profiles":
            return plates
        # Without images there is no list of them to judge a plate by.
        kinds = [kind for kind in self.jointly if self.start_from != "backend" or kind is not QualityControl]
        jointly = [kind(**self.same_set()) for kind in kinds]
        for task in jointly:
            task.settle()  # refused before the plates are run, not after
        return [*plates, *jointly]


def _classes() -> list[type[luigi.Task]]:
    return [value for value in globals().values() if isinstance(value, type) and issubclass(value, luigi.Task)]


def stage_tasks() -> dict[str, type[Staged]]:
    """Return the class of every stage."""
    return {task.stage: task for task in _classes() if issubclass(task, Staged) and hasattr(task, "stage")}


def stage_settings() -> dict[str, dict[str, luigi.Parameter]]:
    """Return the settings that luigi.cfg may hold for every stage: section -> name -> parameter."""
    sections: dict[str, dict[str, luigi.Parameter]] = {stage: {} for stage in stage_tasks()}
    for task in _classes():
        for _, parameter in task.get_params():
            place = getattr(parameter, "_config_path", None)
            if place:
                sections.setdefault(place["section"], {})[place["name"]] = parameter
    return sections

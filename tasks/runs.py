"""The runs that a person asks for: all that is made of a plate, or of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import luigi

from tasks import deep, provenance, settings, storage
from tasks.batch_task import BatchTask, PlateSet
from tasks.benchmark import FEATURES
from tasks.deep import AnnotateDeep
from tasks.errors import SettingsError, unknown
from tasks.measuring import Montage, SampleMontage
from tasks.plate_task import LAID, PlateTask
from tasks.profiling import (
    Collate,
    QualityControl,
    SelectFeatures,
    SelectFeaturesBatch,
    SelectFeaturesNegcon,
    SelectFeaturesNegconBatch,
)
from tasks.report import Report, Reported
from tasks.sources import FetchMetadata, Profiles


class RunPlate(PlateTask, luigi.WrapperTask):
    """All that is made of one plate, from where `start_from` says; or a look at some of its wells."""

    features = luigi.Parameter(default="cellprofiler", description=f"by commas: {', '.join(FEATURES)}")
    sample = luigi.IntParameter(default=0, description="12: only measure one site in 12 wells, into one picture")

    @property
    def priority(self) -> int:  # type: ignore[override]
        """Let a plate be finished before the next one is begun: its stages inherit a rank that is its own."""
        return (1 << 48) - int.from_bytes(self.plate[-6:].encode(), "big")

    def requires(self) -> list[luigi.Task]:
        if self.sample:
            return [self.clone(SampleMontage, wells=self.sample)]
        if self.start_from == "profiles":
            return [self.clone(Profiles)]
        deep_profiles: list[luigi.Task] = []
        if "deepprofiler" in feature_sets(self.features):
            deep.deep_profile_of(self).require_device()  # refused before the plate is measured, not after
            deep_profiles = [self.clone(AnnotateDeep)]
        if "cellprofiler" not in feature_sets(self.features):
            return deep_profiles
        return [*self._cellprofiler(), *deep_profiles]

    def _cellprofiler(self) -> list[luigi.Task]:
        profiles = [self.clone(SelectFeatures), self.clone(SelectFeaturesNegcon)]
        if self.start_from == "backend":
            return profiles
        collate: Any = self.clone(Collate)
        backends = [collate] if collate.unmade() != set(collate.definition.outputs) else []
        return [*profiles, *backends, self.clone(Montage)]

    def run(self) -> None:
        """Let go of what luigi.cfg does not keep, now that all that is made from it is there."""
        storage.free(self)


class RunBatch(PlateSet, Reported, luigi.WrapperTask):
    """All that is made of a batch, or of the plates named, each by itself and jointly, from where it is told."""

    features = luigi.Parameter(default="cellprofiler", description=f"by commas: {', '.join(FEATURES)}")
    report = luigi.BoolParameter(default=True, significant=False, parsing=luigi.BoolParameter.EXPLICIT_PARSING)
    jointly: ClassVar[tuple[type[BatchTask], ...]] = (SelectFeaturesBatch, SelectFeaturesNegconBatch, QualityControl)

    def requires(self) -> list[luigi.Task]:
        return self.parts() if self.start_from == LAID else [FetchMetadata(batch_id=self.batch_id)]

    def run(self) -> Iterator[list[luigi.Task]]:
        """Go on with the plates: which they are, the metadata says that may have to be fetched first."""
        yield self.parts()
        yield self.reports()
        provenance.write(settings.load().layout, self.batch_id, settings.load().store)

    def complete(self) -> bool:
        made = bool(super().complete()) and all(part.complete() for part in [*self.parts(), *self.reports()])
        return made and provenance.is_current(settings.load().layout, self.batch_id, settings.load().store)

    def reports(self) -> list[luigi.Task]:
        """Return the page about the batch, unless another run that goes on with its profiles will make it."""
        wanted = self.report and self.start_from != "profiles"  # what is only fetched was not made here
        return [Report(batch_id=self.batch_id)] if wanted else []

    @classmethod
    def kinds(cls, start_from: str) -> list[type[BatchTask]]:
        """Return what is made of all plates jointly."""
        # Without images there is no list of them to judge a plate by.
        return [kind for kind in cls.jointly if start_from != "backend" or kind is not QualityControl]

    def parts(self) -> list[luigi.Task]:
        """Return what is made of every plate, and of all of them."""
        same = {"batch_id": self.batch_id, "start_from": self.start_from}
        plates: list[Any] = [RunPlate(plate=plate, features=self.features, **same) for plate in self.members]
        if self.start_from == "profiles":
            return plates
        sets = feature_sets(self.features)
        if "deepprofiler" in sets:
            deep.deep_profile_of(plates[0]).require_device()
        kinds = self.kinds(self.start_from) if "cellprofiler" in sets else []
        jointly: list[BatchTask] = [kind(**self.same_set()) for kind in kinds]
        jointly += deep.groups_of(self) if "deepprofiler" in sets else []
        for task in jointly:
            task.settle()  # refused before the plates are run, not after
        return [*plates, *jointly]


def feature_sets(text: str) -> list[str]:
    """Return the feature sets that `--features` names; raise SettingsError for one that there is not."""
    named = [name.strip() for name in text.split(",") if name.strip()]
    for name in named:
        if name not in FEATURES:
            raise SettingsError(unknown("feature set", name, FEATURES, f"--features {text}"))
    return named

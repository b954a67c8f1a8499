"""The runs that a person asks for: all that is made of a plate, or of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import luigi

from tasks.errors import SettingsError, unknown
from tasks.results import provenance
from tasks.settings import settings
from tasks.settings.parameters import Switch, Typed, Whole
from tasks.settings.settings import setting
from tasks.stage_tasks import intermediates
from tasks.stage_tasks.plate import PlateTask, fetches
from tasks.stage_tasks.plate_set import BatchTask, PlateSet
from tasks.workflow import deep_profiles as deep
from tasks.workflow import queries
from tasks.workflow.benchmark import FEATURES
from tasks.workflow.deep_profiles import AnnotateDeep
from tasks.workflow.explorer import Explorer
from tasks.workflow.image_analysis import WITHOUT_IMAGES, Montage, SampleMontage
from tasks.workflow.inputs import FetchMetadata, Profiles
from tasks.workflow.profiles import (
    Collate,
    Normalize,
    NormalizeNegcon,
    QualityControl,
    SelectFeatures,
    SelectFeaturesBatch,
    SelectFeaturesNegcon,
    SelectFeaturesNegconBatch,
)
from tasks.workflow.report import BatchReported, Report


class RunPlate(PlateTask, luigi.WrapperTask):
    """All that is made of one plate, from where `start_from` says; or a look at some of its wells."""

    features = Typed(
        default="cellprofiler", form="feature sets by commas", description=f"by commas: {', '.join(FEATURES)}"
    )
    sample = Whole(
        default=0, least=0, unit="wells", description="12: only measure one site in 12 wells, into one picture"
    )

    @property
    def priority(self) -> int:  # type: ignore[override]
        """Let a plate be finished before the next one is begun: its stages inherit a rank that is its own."""
        return (1 << 48) - int.from_bytes(self.plate[-6:].encode(), "big")

    def requires(self) -> list[luigi.Task]:
        feature_sets(self.features)
        if self.sample:
            return [self.clone(SampleMontage, wells=self.sample)]
        if self.start_from == "profiles":
            return [self.clone(Profiles)]
        self.check_queries()
        deep_profiles: list[luigi.Task] = []
        if "deepprofiler" in feature_sets(self.features):
            deep.deep_profile_of(self).require()  # refused before the plate is measured, not after
            deep_profiles = [self.clone(AnnotateDeep)]
        if "cellprofiler" not in feature_sets(self.features):
            return deep_profiles
        return [*self._cellprofiler(), *deep_profiles]

    def check_queries(self) -> None:
        """Raise SettingsError if luigi.cfg chooses wells by a column that this plate will not have."""
        kinds: list[Any] = []
        kinds += [Normalize, NormalizeNegcon] if "cellprofiler" in feature_sets(self.features) else []
        kinds += [deep.SpherizeDeep] if "deepprofiler" in feature_sets(self.features) else []
        named = {(kind.stage, "samples"): settings.default_of(kind, "samples") for kind in kinds}
        queries.check(self.batch_id, self.plate, named)

    def _cellprofiler(self) -> list[luigi.Task]:
        profiles = [self.clone(SelectFeatures), self.clone(SelectFeaturesNegcon)]
        if self.start_from in WITHOUT_IMAGES:
            return profiles
        collate: Any = self.clone(Collate)
        backends = [collate] if collate.spec().disabled_outputs != set(collate.definition.outputs) else []
        return [*profiles, *backends, self.clone(Montage)]

    def run(self) -> None:
        """Let go of what luigi.cfg does not keep, now that all that is made from it is there."""
        intermediates.free(self)


class RunBatch(PlateSet, BatchReported, luigi.WrapperTask):
    """All that is made of a batch, or of the plates named, each by itself and jointly, from where it is told."""

    features = Typed(
        default="cellprofiler", form="feature sets by commas", description=f"by commas: {', '.join(FEATURES)}"
    )
    report = Switch(default=True, significant=False, description="end with the batch's page")
    explorer = setting(
        "explorer",
        "with_batch",
        Switch,
        default=False,
        significant=False,
        description="RunBatch makes the plate explorer too",
    )
    jointly: ClassVar[tuple[type[BatchTask], ...]] = (SelectFeaturesBatch, SelectFeaturesNegconBatch, QualityControl)

    def requires(self) -> list[luigi.Task]:
        feature_sets(self.features)
        return [FetchMetadata(batch_id=self.batch_id)] if fetches(self.start_from) else self.parts()

    def run(self) -> Iterator[list[luigi.Task]]:
        """Go on with the plates: which they are, the metadata says that may have to be fetched first."""
        yield self.parts()
        yield self.reports()
        provenance.write(settings.load().layout, self.batch_id, settings.load().store)

    def complete(self) -> bool:
        made = bool(super().complete()) and all(part.complete() for part in [*self.parts(), *self.reports()])
        if not self.report:  # a benchmark goes on with it, makes more, and then writes what was done
            return made
        return made and provenance.is_current(settings.load().layout, self.batch_id, settings.load().store)

    def reports(self) -> list[luigi.Task]:
        """Return the page about the batch, unless another run that goes on with its profiles will make it."""
        wanted = self.report and self.start_from != "profiles"  # what is only fetched was not made here
        return [Report(batch_id=self.batch_id)] if wanted else []

    @classmethod
    def kinds(cls, start_from: str) -> list[type[BatchTask]]:
        """Return what is made of all plates jointly."""
        # Without images there is no list of them to judge a plate by.
        return [kind for kind in cls.jointly if start_from not in WITHOUT_IMAGES or kind is not QualityControl]

    def parts(self) -> list[luigi.Task]:
        """Return what is made of every plate, and of all of them."""
        same = {"batch_id": self.batch_id, "start_from": self.start_from}
        plates: list[Any] = [RunPlate(plate=plate, features=self.features, **same) for plate in self.members]
        if self.start_from == "profiles":
            return plates
        for each in plates:
            each.check_queries()
        sets = feature_sets(self.features)
        if "deepprofiler" in sets:
            deep.deep_profile_of(plates[0]).require()
        kinds = self.kinds(self.start_from) if "cellprofiler" in sets else []
        kinds = [*kinds, *([Explorer] if self.explorer and kinds else [])]
        jointly: list[BatchTask] = [kind(**self.same_set()) for kind in kinds]
        jointly += deep.groups_of(self) if "deepprofiler" in sets else []
        for task in jointly:
            task.resolve_ownership()  # refused before the plates are run, not after
        return [*plates, *jointly]


def feature_sets(text: str) -> list[str]:
    """Return the feature sets that `--features` names; raise SettingsError for one that there is not, or for none."""
    named = [name.strip() for name in text.split(",")]
    for name in named:
        if name not in FEATURES:
            raise SettingsError(unknown("feature set", name, FEATURES, f"--features {text!r}"))
    return named

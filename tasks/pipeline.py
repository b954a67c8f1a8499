"""The graph: a class per stage, with its edges and parameters, and the runs that a person asks for."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import luigi

from tasks import catalogue, inputs, layout, settings
from tasks.batch_task import BatchTask, PlateSet
from tasks.sources import (
    Backend,
    ExternalMetadata,
    FetchBackend,
    FetchFile,
    FetchIllumination,
    FetchImages,
    FetchLoadData,
    FetchMetadata,
    FetchProfiles,
    Images,
    Platemap,
    Profiles,
    PublishedLoadData,
)
from tasks.stage_task import LAID, PlateTask, Staged, StageTask

logger = logging.getLogger(__name__)

PIPELINES = layout.CONTAINERS / "cellprofiler" / "pipelines"
# The export of Operetta and Opera Phenix microscopes, and the channels of CPJUMP1.
HARMONY_NAMES = (
    r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<site>\d\d)p(?P<plane>\d\d)-ch(?P<channel>\d+)sk(?P<time>\d+)fk\d+fl\d+\.tiff?"
)
CPJUMP1_CHANNELS = "1=Mito,2=AGP,3=RNA,4=ER,5=DNA,6=HighZBF,7=LowZBF,8=Brightfield"
FETCHES = (FetchMetadata, FetchImages, FetchIllumination, FetchLoadData, FetchBackend, FetchProfiles, FetchFile)
NEGCON = "Metadata_control_type == 'negcon'"


def setting(section: str, name: str, kind: Callable[..., Any], **how: Any) -> Any:
    """Return a parameter that luigi.cfg's [section] overrides."""
    return kind(config_path={"section": section, "name": name}, **how)


# From images to single cells.


class LoadData(StageTask):
    stage = "load_data"
    source = setting(
        "load_data",
        "source",
        luigi.ChoiceParameter,
        choices=["images", "published"],
        default="images",
        significant=False,
    )
    pattern = setting("load_data", "pattern", luigi.Parameter, default=HARMONY_NAMES)
    channels = setting("load_data", "channels", luigi.Parameter, default=CPJUMP1_CHANNELS)
    exclude = setting("preflight", "exclude", luigi.OptionalParameter, default="")
    faulty_sites = setting(
        "preflight", "faulty_sites", luigi.ChoiceParameter, choices=["stop", "exclude"], default="stop"
    )

    def requires(self) -> list[luigi.Task]:
        return [self.clone(Images), self.clone(Platemap)]

    def flags(self) -> dict[str, str]:
        """Add where things lie in the gallery, which the table names, and what is known of this plate."""
        given = settings.load().layout
        images = inputs.images(given, self.batch_id, self.plate).relative_to(given.root)
        illumination = given.published("illum", self.batch_id, self.plate).relative_to(given.root)
        return super().flags() | {
            "image_folder": images.as_posix(),
            "illumination_folder": illumination.as_posix(),
            "expected_images": str(catalogue.expected_images(given, self.batch_id, self.plate)),
            "exclude": ",".join(inputs.excluded(self.exclude or "", self.plate)),
        }


class LocaliseLoadData(LoadData):
    stage = "localise_load_data"

    def requires(self) -> list[luigi.Task]:
        return [self.clone(PublishedLoadData), *super().requires()]


class Illumination(StageTask):
    stage = "illumination"
    pipeline = setting("illumination", "pipeline", luigi.OptionalParameter, default="", significant=False)
    engine = setting("illumination", "engine", luigi.ChoiceParameter, choices=["fast", "stock"], default="fast")

    def requires(self) -> list[luigi.Task]:
        return [_load_data(self), self.clone(Images)]

    def files(self) -> Mapping[str, Path]:
        return {"pipeline": _pipeline(self.pipeline, "illumination.cppipe")}


class Measure(StageTask):
    stage = "measure"
    pipeline = setting("measure", "pipeline", luigi.OptionalParameter, default="", significant=False)
    engine = setting("measure", "engine", luigi.ChoiceParameter, choices=["fast", "stock"], default="fast")
    sites_per_shard = setting("measure", "sites_per_shard", luigi.IntParameter, default=12, significant=False)

    def requires(self) -> list[luigi.Task]:
        return [_load_data(self), self.clone(Images), self.clone(Illumination)]

    def files(self) -> Mapping[str, Path]:
        return {"pipeline": _pipeline(self.pipeline, "analysis.cppipe")}

    def shard_count(self, units: int) -> int:
        """Return a multiple of the cores, so that none is idle at the end; a shard holds whole wells."""
        cores = settings.load().slots.cores
        per_shard: int = self.sites_per_shard
        return min(units, cores * math.ceil(units / (cores * per_shard)))


class Montage(StageTask):
    stage = "montage"

    def requires(self) -> list[luigi.Task]:
        return [_load_data(self), self.clone(Images), self.clone(Measure)]


# A look before the expense: the same stages on one site in some wells.


class SampleTask(StageTask):
    """A stage on sampled sites; how many wells are sampled is told from one to the next."""

    wells = luigi.IntParameter(default=12, significant=False)

    def sampled(self, task: type[luigi.Task]) -> luigi.Task:
        return self.clone(task, wells=self.wells)


class SampleSites(SampleTask):
    stage = "sample_sites"
    wells = luigi.IntParameter(default=12)

    def requires(self) -> luigi.Task:
        return _load_data(self)


class SampleIllumination(Illumination, SampleTask):
    stage = "sample_illumination"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images)]


class SampleMeasure(Measure, SampleTask):
    stage = "sample_measure"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images), self.sampled(SampleIllumination)]


class SampleMontage(SampleTask):
    stage = "sample_montage"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images), self.sampled(SampleMeasure)]


# From single cells to profiles.


class Behaving:
    """Whether the defects of the published workflow are corrected or repeated."""

    behaviour = setting(
        "profiles", "behaviour", luigi.ChoiceParameter, choices=["corrected", "as_published"], default="corrected"
    )


class Collate(StageTask):
    stage = "collate"
    sqlite = setting("collate", "sqlite", luigi.ChoiceParameter, choices=["true", "false"], default="true")
    parquet = setting("collate", "parquet", luigi.ChoiceParameter, choices=["true", "false"], default="true")

    def requires(self) -> luigi.Task:
        return self.clone(Measure)

    def unmade(self) -> set[str]:
        choices = {"backend": self.sqlite, "cells": self.parquet}
        return {name for name, choice in choices.items() if choice == "false"}


class Aggregate(Behaving, StageTask):
    stage = "aggregate"
    source = setting(
        "aggregate", "source", luigi.ChoiceParameter, choices=["analysis", "backend", "cells"], default="analysis"
    )
    method = setting("aggregate", "method", luigi.ChoiceParameter, choices=["mean", "median"], default="mean")

    def requires(self) -> luigi.Task:
        if self.start_from == "backend":
            return self.clone(Backend)
        return self.clone(Measure if self.source == "analysis" else Collate)

    def flags(self) -> dict[str, str]:
        return super().flags() | ({"source": "backend"} if self.start_from == "backend" else {})


class Annotate(Behaving, StageTask):
    stage = "annotate"

    def requires(self) -> list[luigi.Task]:
        return [self.clone(Aggregate), self.clone(Platemap), self.clone(ExternalMetadata)]


class Normalize(StageTask):
    stage = "normalize"
    samples = setting("normalize", "samples", luigi.Parameter, default="all")
    method = setting(
        "normalize", "method", luigi.ChoiceParameter, choices=["mad_robustize", "standardize"], default="mad_robustize"
    )
    min_negcon_wells = setting("normalize", "min_negcon_wells", luigi.IntParameter, default=2)
    on_few_negcon = setting(
        "normalize", "on_few_negcon", luigi.ChoiceParameter, choices=["warn", "error"], default="warn"
    )

    def requires(self) -> luigi.Task:
        return self.clone(Annotate)


class NormalizeNegcon(Normalize):
    stage = "normalize_negcon"
    samples = setting("normalize_negcon", "samples", luigi.Parameter, default=NEGCON)


class Selecting(Behaving):
    """What decides which features are kept."""

    operations = setting(
        "select_features",
        "operations",
        luigi.Parameter,
        default="variance_threshold,correlation_threshold,drop_na_columns,blocklist",
    )
    na_cutoff = setting("select_features", "na_cutoff", luigi.FloatParameter, default=0.05)
    corr_threshold = setting("select_features", "corr_threshold", luigi.FloatParameter, default=0.9)
    freq_cut = setting("select_features", "freq_cut", luigi.FloatParameter, default=0.05)
    unique_cut = setting("select_features", "unique_cut", luigi.FloatParameter, default=0.1)
    location_features = setting(
        "select_features", "location_features", luigi.ChoiceParameter, choices=["auto", "drop", "keep"], default="auto"
    )


class SelectFeatures(Selecting, StageTask):
    stage = "select_features"

    def requires(self) -> luigi.Task:
        return self.clone(Normalize)


class SelectFeaturesNegcon(Selecting, StageTask):
    stage = "select_features_negcon"

    def requires(self) -> luigi.Task:
        return self.clone(NormalizeNegcon)


class SelectFeaturesBatch(Selecting, BatchTask):
    stage = "select_features_batch"

    def requires(self) -> list[luigi.Task]:
        return self.each(Normalize)


class SelectFeaturesNegconBatch(Selecting, BatchTask):
    stage = "select_features_negcon_batch"

    def requires(self) -> list[luigi.Task]:
        return self.each(NormalizeNegcon)


class Spherize(Behaving, BatchTask):
    """Asked for by name, for a set of plates that belong together: one perturbation, cell line and time."""

    stage = "spherize"
    samples = setting("spherize", "samples", luigi.Parameter, default=NEGCON)

    def requires(self) -> list[luigi.Task]:
        return self.each(Normalize)


class Consensus(BatchTask):
    """Asked for by name."""

    stage = "consensus"
    operation = setting(
        "consensus", "operation", luigi.ChoiceParameter, choices=["modz", "median", "mean"], default="modz"
    )
    replicates = setting("consensus", "replicates", luigi.Parameter, default="Metadata_broad_sample")

    def requires(self) -> luigi.Task:
        return SelectFeaturesNegconBatch(**self.same_set())


# What a person asks for.


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

    jointly: ClassVar[tuple[type[BatchTask], ...]] = (SelectFeaturesBatch, SelectFeaturesNegconBatch)

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
        jointly = [task(**self.same_set()) for task in self.jointly]
        for task in jointly:
            task.settle()  # refused before the plates are run, not after
        return [*plates, *jointly]


def stage_tasks() -> dict[str, type[Staged]]:
    """Return the class of every stage."""
    found = [value for value in globals().values() if isinstance(value, type) and issubclass(value, Staged)]
    return {task.stage: task for task in found if hasattr(task, "stage")}


def stage_settings() -> dict[str, dict[str, luigi.Parameter]]:
    """Return the settings that luigi.cfg may hold for every stage: section -> name -> parameter."""
    sections: dict[str, dict[str, luigi.Parameter]] = {}
    for stage, task in stage_tasks().items():
        sections.setdefault(stage, {})
        for _, parameter in task.get_params():
            place = getattr(parameter, "_config_path", None)
            if place:
                sections.setdefault(place["section"], {})[place["name"]] = parameter
    return sections


def _load_data(task: PlateTask) -> luigi.Task:
    """Return the task that lists a plate's images: from the images themselves, or from a published table."""
    listing: Any = task.clone(LoadData)
    return task.clone(LocaliseLoadData) if listing.source == "published" else listing


def _pipeline(given: str | None, own: str) -> Path:
    """Return the user's pipeline file, or ours."""
    path = Path(given) if given else PIPELINES / own
    return inputs.existing_file(path, "the pipeline that luigi.cfg names") if given else path

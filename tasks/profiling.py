"""From single cells to profiles: a class per stage, with its edges and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import luigi

from tasks import inputs, quality_summary, settings
from tasks.batch_task import BatchTask
from tasks.measuring import Measure, load_data_of
from tasks.plate_task import PlateTask
from tasks.settings import NEGCON, setting
from tasks.sources import Backend, ExternalMetadata, Platemap
from tasks.stage_task import StageTask


class Behaving:
    """Whether the defects of the published workflow are corrected or repeated."""

    behaviour = setting(
        "profiles", "behaviour", luigi.ChoiceParameter, choices=["corrected", "as_published"], default="corrected"
    )


class Copying:
    """Whether profiles are written as Parquet too."""

    parquet = setting("profiles", "parquet", luigi.ChoiceParameter, choices=["true", "false"], default="false")

    def unmade(self) -> set[str]:
        return {"parquet"} if self.parquet == "false" else set()


class ReadsSites(StageTask):
    """A stage that leaves out sites it cannot use, unless they are too many."""

    def asides(self) -> dict[str, str]:
        # It decides whether there is a result, not what the result is.
        return {"max_failed_fraction": f"{settings.max_failed_fraction(self.definition):g}"}


class Collate(ReadsSites):
    stage = "collate"
    sqlite = setting("collate", "sqlite", luigi.ChoiceParameter, choices=["true", "false"], default="true")
    parquet = setting("collate", "parquet", luigi.ChoiceParameter, choices=["true", "false"], default="true")

    def requires(self) -> luigi.Task:
        return self.clone(Measure)

    def unmade(self) -> set[str]:
        choices = {"backend": self.sqlite, "cells": self.parquet}
        return {name for name, choice in choices.items() if choice == "false"}


class ReadsCells(ReadsSites):
    """A stage on a plate's single cells, from where its setting `source` says or a fetched backend."""

    source: Any

    def requires(self) -> luigi.Task:
        if self.start_from == "backend":
            return self.clone(Backend)
        return self.clone(Measure if self.source == "analysis" else Collate)

    def flags(self) -> dict[str, str]:
        return super().flags() | ({"source": "backend"} if self.start_from == "backend" else {})


class Aggregate(Copying, Behaving, ReadsCells):
    stage = "aggregate"
    source = setting(
        "aggregate", "source", luigi.ChoiceParameter, choices=["analysis", "backend", "cells"], default="analysis"
    )
    method = setting("aggregate", "method", luigi.ChoiceParameter, choices=["mean", "median"], default="mean")
    compartment_counts = setting(
        "aggregate", "compartment_counts", luigi.ChoiceParameter, choices=["true", "false"], default="false"
    )


class Annotate(Copying, Behaving, StageTask):
    stage = "annotate"

    def requires(self) -> list[luigi.Task]:
        return [self.clone(Aggregate), self.clone(Platemap), self.clone(ExternalMetadata)]


class Normalize(Copying, StageTask):
    stage = "normalize"
    samples = setting("normalize", "samples", luigi.Parameter, default="all")
    method = setting(
        "normalize",
        "method",
        luigi.ChoiceParameter,
        choices=["mad_robustize", "robustize", "standardize", "spherize"],
        default="mad_robustize",
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


class Selecting(Copying, Behaving):
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

    blocklist = setting("select_features", "blocklist", luigi.OptionalParameter, default="", significant=False)

    def files(self) -> Mapping[str, Path]:
        if not self.blocklist:
            return {}
        path = settings.resolved(self.blocklist)
        return {"blocklist": inputs.existing_file(path, "the [select_features] blocklist of luigi.cfg")}


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

    def requires(self) -> list[PlateTask]:
        return self.each(Normalize)


class SelectFeaturesNegconBatch(Selecting, BatchTask):
    stage = "select_features_negcon_batch"

    def requires(self) -> list[PlateTask]:
        return self.each(NormalizeNegcon)


class QualityControl(BatchTask):
    stage = "quality_control"
    low_count = setting("quality_control", "low_count", luigi.FloatParameter, default=0.25)
    edge_effect = setting("quality_control", "edge_effect", luigi.FloatParameter, default=0.2)

    def requires(self) -> list[luigi.Task]:
        plates = self.each(Normalize)
        return [*plates, *(load_data_of(plate) for plate in plates)]

    def flags(self) -> dict[str, str]:
        return super().flags() | {"batch": str(self.batch_id)}

    def complete(self) -> bool:
        return super().complete() and quality_summary.is_told(settings.load().layout, settings.load().store)

    def run(self) -> None:
        if not super().complete():
            super().run()
        quality_summary.tell(settings.load().layout, settings.load().store)


class Spherize(Copying, Behaving, BatchTask):
    """Asked for by name, for a set of plates that belong together: one perturbation, cell line and time."""

    stage = "spherize"
    samples = setting("spherize", "samples", luigi.Parameter, default=NEGCON)

    def requires(self) -> list[PlateTask]:
        return self.each(Normalize)


class Consensus(Copying, BatchTask):
    """Asked for by name."""

    stage = "consensus"
    operation = setting(
        "consensus", "operation", luigi.ChoiceParameter, choices=["modz", "median", "mean"], default="modz"
    )
    replicates = setting("consensus", "replicates", luigi.Parameter, default="Metadata_broad_sample")

    def requires(self) -> luigi.Task:
        return SelectFeaturesNegconBatch(**self.same_set())

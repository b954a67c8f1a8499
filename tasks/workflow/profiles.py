"""From single cells to profiles: a class per stage, with its edges and parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import luigi

from tasks.dataset import lookup
from tasks.execution.specs import JobSpec, StageSpec
from tasks.results import manifest, quality_summary
from tasks.settings import forms, settings, well_queries
from tasks.settings.parameters import AUTO, Choice, Number, Switch, Text, Whole, fraction
from tasks.settings.settings import NEGCON, setting
from tasks.stage_tasks.plate import FROM_CELLS, FROM_WELLS, PlateTask
from tasks.stage_tasks.plate_set import BatchTask
from tasks.stage_tasks.stage import Staged, StageTask
from tasks.workflow import doses, queries
from tasks.workflow.image_analysis import Measure, load_data_of
from tasks.workflow.import_tables import ImportCells, ImportWells, tells_itself
from tasks.workflow.inputs import Backend, ExternalMetadata, Platemap, WellAverages

WELLS: Mapping[str, Any] = {
    "form": "all, or a pandas query of metadata columns",
    "check": well_queries.wells,
    "description": "The wells to scale against.",
}
OPERATIONS = (
    "variance_threshold",
    "frequency_threshold",
    "correlation_threshold",
    "drop_na_columns",
    "blocklist",
    "drop_outliers",
)
"""What may exclude a feature."""


class BehaviourParameter:
    """Whether the defects of the published workflow are corrected or repeated."""

    behaviour = setting("profiles", "behaviour", Choice, choices=["corrected", "as_published"], default="corrected")


class ParquetParameter(Staged):
    """Whether profiles are written as Parquet too."""

    parquet = setting("profiles", "parquet", Switch, default=False, description="write Parquet too")

    def spec(self) -> StageSpec:
        return super().spec().adding(disabled_outputs=disabled(parquet=self.parquet))


class SiteTask(StageTask):
    """A stage that leaves out sites it cannot use, unless they are too many."""

    def job_spec(self) -> JobSpec:
        # It decides whether there is a result, not what the result is.
        allowed = settings.max_failed_fraction(self.definition)
        return super().job_spec().adding(flags={"max_failed_fraction": f"{allowed:g}"})


class Collate(SiteTask):
    stage = "collate"
    sqlite = setting("collate", "sqlite", Switch, default=True, description="single cells as one sqlite")
    parquet = setting("collate", "parquet", Switch, default=True, description="single cells as Parquet files")

    def requires(self) -> luigi.Task:
        return self.clone(Measure)

    def spec(self) -> StageSpec:
        return super().spec().adding(disabled_outputs=disabled(backend=self.sqlite, cells=self.parquet))


class SingleCellTask(SiteTask):
    """A stage on a plate's single cells, from where its setting `source` says or a fetched backend."""

    source: Any

    def requires(self) -> luigi.Task:
        if self.start_from == "backend":
            return self.clone(Backend)
        return self.clone(Measure if self.source == "analysis" else Collate)

    def spec(self) -> StageSpec:
        return super().spec().adding(parameters={"source": "backend"} if self.start_from == "backend" else {})


class Aggregate(ParquetParameter, BehaviourParameter, SingleCellTask):
    stage = "aggregate"
    source = setting("aggregate", "source", Choice, choices=["analysis", "backend", "cells"], default="analysis")
    method = setting("aggregate", "method", Choice, choices=["mean", "median"], default="mean")
    compartment_counts = setting(
        "aggregate", "compartment_counts", Switch, default=False, description="count the objects of each compartment"
    )


class Annotate(ParquetParameter, BehaviourParameter, StageTask):
    stage = "annotate"

    def requires(self) -> list[luigi.Task]:
        starts: dict[str, type[PlateTask]] = {
            "profiles": WellAverages,
            FROM_CELLS: ImportCells,
            FROM_WELLS: ImportWells,
        }
        averages = starts.get(str(self.start_from), Aggregate)
        return [self.clone(averages), self.clone(Platemap), self.clone(ExternalMetadata)]


class Normalize(ParquetParameter, StageTask):
    stage = "normalize"
    samples = setting("normalize", "samples", Text, default="all", **WELLS)
    method = setting(
        "normalize",
        "method",
        Choice,
        choices=["mad_robustize", "robustize", "standardize", "spherize"],
        default="mad_robustize",
    )
    least_spread = setting("normalize", "least_spread", Number, **fraction(0.0, unit="a fraction of the centre"))
    min_negcon_wells = setting("normalize", "min_negcon_wells", Whole, default=2, least=0, unit="wells")
    min_cells = setting("normalize", "min_cells", Whole, default=0, least=0, unit="cells", significant=False)
    on_few_negcon = setting("normalize", "on_few_negcon", Choice, choices=["warn", "error"], default="warn")

    def requires(self) -> luigi.Task:
        if self.start_from != "profiles":  # a person's well averages may have columns of their own
            queries.check(self.batch_id, self.plate, {(self.stage, "samples"): self.reference()})
        return self.clone(ImportWells if tells_itself(self) else Annotate)

    def reference(self) -> str:
        """Return the query of the wells to scale against: of those that are asked for the ones with enough cells."""
        if not self.min_cells:
            return str(self.samples)
        enough = f"Metadata_Object_Count.astype('float') >= {self.min_cells}"
        return enough if self.samples == "all" else f"({self.samples}) and {enough}"

    def spec(self) -> StageSpec:
        return super().spec().adding(parameters={"samples": self.reference()}, neutral={"least_spread": "0.0"})


class NormalizeNegcon(Normalize):
    stage = "normalize_negcon"
    samples = setting("normalize_negcon", "samples", Text, default=NEGCON, **WELLS)


class SelectionParameters(ParquetParameter, BehaviourParameter):
    """What decides which features are kept."""

    operations = setting(
        "select_features",
        "operations",
        Text,
        default="variance_threshold,correlation_threshold,drop_na_columns,blocklist",
        form=f"by commas, some of {', '.join(OPERATIONS)}",
        check=forms.some_of(OPERATIONS, "operation"),
    )
    na_cutoff = setting("select_features", "na_cutoff", Number, **fraction(0.05))
    corr_threshold = setting("select_features", "corr_threshold", Number, **fraction(0.9))
    freq_cut = setting("select_features", "freq_cut", Number, **fraction(0.05))
    unique_cut = setting("select_features", "unique_cut", Number, **fraction(0.1))
    outlier_cutoff = setting("select_features", "outlier_cutoff", Number, default=500.0, least=0.001, most=1e9)
    location_features = setting(
        "select_features", "location_features", Choice, choices=["auto", "drop", "keep"], default="auto"
    )

    blocklist = setting("select_features", "blocklist", Text, default="", form="a file", significant=False)

    def spec(self) -> StageSpec:
        unused = "drop_outliers" not in self.operations.split(",")
        neutral = {"outlier_cutoff": str(self.outlier_cutoff)} if unused else {}
        return super().spec().adding(neutral=neutral, files=self._blocklist())

    def _blocklist(self) -> dict[str, Path]:
        if not self.blocklist:
            return {}
        path = settings.resolved(self.blocklist)
        return {"blocklist": lookup.existing_file(path, "the [select_features] blocklist of luigi.cfg")}


class SelectFeatures(SelectionParameters, StageTask):
    stage = "select_features"

    def requires(self) -> luigi.Task:
        return self.clone(Normalize)


class SelectFeaturesNegcon(SelectionParameters, StageTask):
    stage = "select_features_negcon"

    def requires(self) -> luigi.Task:
        return self.clone(NormalizeNegcon)


class SelectFeaturesBatch(SelectionParameters, BatchTask):
    stage = "select_features_batch"

    def requires(self) -> list[PlateTask]:
        return self.each(Normalize)


class SelectFeaturesNegconBatch(SelectionParameters, BatchTask):
    stage = "select_features_negcon_batch"

    def requires(self) -> list[PlateTask]:
        return self.each(NormalizeNegcon)


class QualityControl(BatchTask):
    stage = "quality_control"
    low_count = setting("quality_control", "low_count", Number, **fraction(0.25))
    edge_effect = setting("quality_control", "edge_effect", Number, default=0.2, least=0, unit="a fraction")

    def requires(self) -> list[luigi.Task]:
        plates = self.each(Normalize)
        return [*plates, *(load_data_of(plate) for plate in plates)]

    def spec(self) -> StageSpec:
        suspicious = json.dumps(self._suspicious(), sort_keys=True)
        parameters = {"batch": str(self.batch_id), "suspicious": suspicious}
        return super().spec().adding(parameters=parameters, neutral={"suspicious": "{}"})

    def _suspicious(self) -> dict[str, list[str]]:
        """Return what was suspicious of the cells of each plate when it was measured, without the remedies."""
        plates: list[Any] = [plate.clone(Measure) for plate in self.each(Normalize)]
        found = {each.plate: manifest.read(each.manifest_path()) for each in plates}
        told = {plate: made.facts.get("suspicious", []) for plate, made in found.items() if made}
        return {plate: [text.partition(". ")[0] for text in texts] for plate, texts in told.items() if texts}

    def complete(self) -> bool:
        return super().complete() and quality_summary.is_told(settings.load().layout, settings.load().store)

    def also_lacks(self) -> Iterator[str]:
        layout = settings.load().layout
        if not quality_summary.is_told(layout, settings.load().store):
            yield f"{layout.quality_summary} does not hold what it found"

    def run(self) -> None:
        if not super().complete():
            super().run()
        quality_summary.tell(settings.load().layout, settings.load().store)


class Spherize(ParquetParameter, BehaviourParameter, BatchTask):
    """Asked for by name, for a set of plates that belong together: one perturbation, cell line and time."""

    stage = "spherize"
    samples = setting("spherize", "samples", Text, default=NEGCON, **WELLS)

    def requires(self) -> list[PlateTask]:
        queries.check_set(self, "samples")
        return self.each(Normalize)


class Consensus(ParquetParameter, BatchTask):
    """Asked for by name."""

    stage = "consensus"
    operation = setting("consensus", "operation", Choice, choices=["modz", "median", "mean"], default="modz")
    replicates = setting(
        "consensus",
        "replicates",
        Text,
        default=AUTO,
        form="auto, or columns of metadata by commas",
        check=forms.replicates,
    )

    def requires(self) -> luigi.Task:
        queries.check_set(self, "replicates")
        return SelectFeaturesNegconBatch(**self.same_set())

    def spec(self) -> StageSpec:
        columns = doses.replicates(str(self.replicates), str(self.batch_id), self.members)
        return super().spec().adding(parameters={"replicates": columns})


def disabled(**wanted: bool) -> frozenset[str]:
    """Return the outputs that settings leave out, by whether each is wanted."""
    return frozenset(name for name, is_wanted in wanted.items() if not is_wanted)

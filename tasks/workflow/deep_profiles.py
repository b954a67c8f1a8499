"""Deep features: from CellProfiler's cells to spherized deep profiles; a class per stage.

The profiles lie in a batch beside the plates' own, <batch>_DL, as CPJUMP1 has them; the tasks bear the name of the
plates' own batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import luigi

from tasks.dataset import catalogue, plate_groups
from tasks.errors import EngineError, SettingsError
from tasks.execution.specs import JobSpec, StageSpec
from tasks.results import manifest
from tasks.runtime.arrays import places
from tasks.runtime.engines import gpus
from tasks.settings import forms, settings
from tasks.settings.parameters import Choice, Switch, Text, Whole
from tasks.settings.settings import NEGCON, setting
from tasks.stage_tasks.plate import PlateTask
from tasks.stage_tasks.plate_set import BatchTask, PlateSet
from tasks.stage_tasks.stage import StageTask
from tasks.workflow import queries, segmentation
from tasks.workflow.checkpoints import NETWORKS, FetchCheckpoint, NetworkParameters, ProvidedCheckpoint
from tasks.workflow.image_analysis import LoadData, Measure, images_for, load_data_of
from tasks.workflow.inputs import ExternalMetadata, Platemap
from tasks.workflow.profiles import (
    WELLS,
    Annotate,
    BehaviourParameter,
    SingleCellTask,
    Spherize,
    disabled,
)

SEEN = ("DNA", "RNA", "ER", "AGP", "Mito")
"""The channels that every network sees."""
DECODING_CORES = 8
"""The most that one job takes beside its GPU."""


class LocateCells(SingleCellTask):
    stage = "locate_cells"
    source = setting("locate_cells", "source", Choice, choices=["analysis", "backend"], default="analysis")


class SeedCheckpoint(StageTask):
    """Asked for by name: a drawn checkpoint for the demo and for tests, where the default setting looks."""

    stage = "seed_checkpoint"
    features = setting("deep_profile", "features", Choice, choices=NETWORKS, default=NETWORKS[0])
    seed = Whole(default=0, least=0)

    @property
    def subject(self) -> str:
        return str(self.features)

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), images_for(self), self.clone(LocateCells)]

    def spec(self) -> StageSpec:
        spec = super().spec().adding(parameters={"barcode": str(self.plate)})
        return spec.published_in(settings.load().layout.checkpoints)


class DeepProfile(NetworkParameters, StageTask):
    stage = "deep_profile"
    engine = setting(
        "deep_profile",
        "engine",
        Choice,
        choices=["deepprofiler", "torch"],  # the keys of DEEP_ENGINES
        default="deepprofiler",
        significant=False,
    )
    device = setting(
        "deep_profile",
        "device",
        Choice,
        choices=["auto", "cpu", "gpu"],
        default="auto",
        significant=False,
    )
    batch_size = setting("deep_profile", "batch_size", Whole, default=128, least=1, unit="crops", significant=False)
    sites_per_shard = setting(
        "deep_profile", "sites_per_shard", Whole, default=96, least=1, unit="sites", significant=False
    )

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), images_for(self), self.clone(LocateCells), self._weights()]

    def _units(self) -> tuple[str, ...]:
        """Return the sites whose cells are known: without those that were not measured."""
        measure: Any = self.clone(Measure)
        measured = None if self.start_from == "backend" else manifest.read(measure.manifest_path())
        lacking = measured.facts.get("quarantined", ()) if measured else ()
        return tuple(unit for unit in super()._units() if unit not in lacking)

    def _weights(self) -> luigi.Task:
        given = str(self.checkpoint or "")
        if "://" in given:
            same: dict[str, Any] = {"features": self.features}
            return FetchCheckpoint(**same)
        return self.clone(ProvidedCheckpoint, file=given, features=self.features)

    @property
    def manifest_key(self) -> str:
        """Return a name for each network: features of one stay when another's are made."""
        return f"{self.features}.{self.subject}"

    def spec(self) -> StageSpec:
        layout = settings.load().layout
        folder = layout.embeddings(self.definition.folder, self.features, self.batch_id, self.plate)
        return super().spec().published_in(folder)

    def job_spec(self) -> JobSpec:
        """Return how features are computed: on a GPU by one process, which has it for itself."""
        on_gpu, how = self._gpu(), super().job_spec()
        sha256, device = str(self.checkpoint_sha256 or ""), "gpu" if on_gpu else "cpu"
        return how.adding(
            flags={"checkpoint_sha256": sha256, "device": device, "batch_size": str(self.batch_size)},
            resources=replace(how.resources, gpus=1) if on_gpu else how.resources,
            units_per_job=self.sites_per_shard,
            most_jobs=1 if on_gpu else None,
        )

    def require(self) -> None:
        """Raise an error for a GPU or a channel that is not there: before what comes earlier is computed."""
        self._gpu()
        listing: Any = self.clone(LoadData)
        added = segmentation.added_channels(self.batch_id, self.plate)
        missing = [name for name in SEEN if name not in (added or forms.channel_names(listing.channels))]
        if missing and listing.source != "published":
            given = f"luigi.cfg [load_data] channels = {listing.channels}"
            where = f"add-plate --channels of plate {self.plate}" if added else given
            said = f"it names no {' and no '.join(missing)} channel, but networks see {', '.join(SEEN)}"
            raise SettingsError(f"{where}: {said} (--features)")

    def _gpu(self) -> bool:
        """Say whether a GPU is used; raise EngineError if one is wanted and none is usable."""
        if self.device == "cpu":
            return False
        if settings.load().place != places.LOCAL:  # of the nodes' GPUs nothing is known here
            return bool(self.device == "gpu")
        reason = gpus.unusable(settings.load().engine, self.definition.image)
        if reason and self.device == "gpu":
            raise EngineError(
                f"[deep_profile] device = gpu, but no GPU is usable: {reason}; auto or cpu goes on without"
            )
        return reason is None


class DeepProfileTorch(DeepProfile):
    """The same features in PyTorch: equal but for the last digits, so a result of its own beside DeepProfiler's."""

    stage = "deep_profile_torch"

    def job_spec(self) -> JobSpec:
        """Add cores that decode images for a GPU."""
        how, given = super().job_spec(), settings.load()
        # A GPU machine elsewhere has at least so many.
        here = given.slots.cores if given.place == places.LOCAL else DECODING_CORES
        cores = min(here, DECODING_CORES) if how.resources.gpus else 0
        return how.adding(resources=replace(how.resources, cpus=max(how.resources.cpus, cores)))


DEEP_ENGINES = {"deepprofiler": DeepProfile, "torch": DeepProfileTorch}


def deep_profile_of(task: PlateTask) -> DeepProfile:
    """Return the task that computes a plate's deep features with the engine that luigi.cfg names."""
    named: Any = task.clone(DeepProfile)
    made: Any = task.clone(DEEP_ENGINES[named.engine])
    found: DeepProfile = made
    return found


class AggregateDeep(BehaviourParameter, StageTask):
    stage = "aggregate_deep"
    parquet = setting("aggregate_deep", "parquet", Switch, default=False, description="single cells as Parquet files")

    def requires(self) -> luigi.Task:
        return deep_profile_of(self)

    def spec(self) -> StageSpec:
        cells = settings.load().layout.published("deep_cells", self.batch_id, self.plate)
        return super().spec().adding(disabled_outputs=disabled(cells=self.parquet), folders={"cells": cells})


class AnnotateDeep(Annotate):
    stage = "annotate_deep"

    def requires(self) -> list[luigi.Task]:
        return [self.clone(AggregateDeep), self.clone(Platemap), self.clone(ExternalMetadata)]


class SpherizeDeep(Spherize):
    """Of plates that belong together: RunBatch makes one of each group."""

    stage = "spherize_deep"
    samples = setting("spherize_deep", "samples", Text, default=NEGCON, **WELLS)

    def requires(self) -> list[PlateTask]:
        queries.check_set(self, "samples")
        return self.each(AnnotateDeep)


def groups_of(run: PlateSet) -> list[BatchTask]:
    """Return the whitening of each group of a run's plates: one perturbation, cell line and time, as far as known."""
    layout = settings.load().layout
    batch = catalogue.of_batch(layout, run.batch_id)
    known = {each.plate: each for each in batch}
    members = run.members
    if not set(members) <= set(known):
        return [SpherizeDeep(**run.same_set())]
    chosen = [known[plate] for plate in members]
    groups = plate_groups.groups(chosen, batch, plate_groups.columns("auto", batch))
    if len(groups) == 1:
        return [SpherizeDeep(**run.same_set())]
    same: dict[str, Any] = {"batch_id": run.batch_id, "start_from": run.start_from, "replaces": run.replaces}
    sets: list[dict[str, Any]] = [{"plates": group.plates, "plate_set": group.name} for group in groups]
    return [SpherizeDeep(**same, **each) for each in sets]

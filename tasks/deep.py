"""Deep features: from CellProfiler's cells to spherized deep profiles; a class per stage.

The profiles lie in a batch beside the plates' own, <batch>_DL, as CPJUMP1 has them; the tasks bear the name of the
plates' own batch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import luigi

from tasks import catalogue, manifest, placement, selection, settings
from tasks.batch_task import BatchTask, PlateSet
from tasks.checkpoints import NETWORKS, FetchCheckpoint, LaidCheckpoint, Network
from tasks.errors import EngineError
from tasks.measuring import Measure, load_data_of
from tasks.plate_task import PlateTask
from tasks.profiling import Annotate, Behaving, ReadsCells, Spherize
from tasks.runtime import gpus, places
from tasks.settings import NEGCON, setting
from tasks.sources import ExternalMetadata, Images, Platemap
from tasks.stage_task import StageTask
from tasks.stages import Resources

DECODING_CORES = 8
"""The most that one job takes beside its GPU."""


class LocateCells(ReadsCells):
    stage = "locate_cells"
    source = setting(
        "locate_cells", "source", luigi.ChoiceParameter, choices=["analysis", "backend"], default="analysis"
    )


class SeedCheckpoint(StageTask):
    """Asked for by name: a drawn checkpoint for the demo and for tests, where the default setting looks."""

    stage = "seed_checkpoint"
    features = setting("deep_profile", "features", luigi.ChoiceParameter, choices=NETWORKS, default=NETWORKS[0])
    seed = luigi.IntParameter(default=0)

    @property
    def subject(self) -> str:
        return str(self.features)

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), self.clone(Images), self.clone(LocateCells)]

    def flags(self) -> dict[str, str]:
        return super().flags() | {"barcode": str(self.plate)}

    def place(self, output: str) -> Path:
        return settings.load().layout.checkpoints


class DeepProfile(Network, StageTask):
    stage = "deep_profile"
    engine = setting(
        "deep_profile",
        "engine",
        luigi.ChoiceParameter,
        choices=["deepprofiler", "torch"],  # the keys of DEEP_ENGINES
        default="deepprofiler",
        significant=False,
    )
    device = setting(
        "deep_profile",
        "device",
        luigi.ChoiceParameter,
        choices=["auto", "cpu", "gpu"],
        default="auto",
        significant=False,
    )
    batch_size = setting("deep_profile", "batch_size", luigi.IntParameter, default=128, significant=False)
    sites_per_shard = setting("deep_profile", "sites_per_shard", luigi.IntParameter, default=96, significant=False)

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), self.clone(Images), self.clone(LocateCells), self._weights()]

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
        return self.clone(LaidCheckpoint, file=given, features=self.features)

    @property
    def kept_as(self) -> str:
        """Return a name for each network: features of one stay when another's are made."""
        return f"{self.features}.{self.subject}"

    def place(self, output: str) -> Path:
        return settings.load().layout.embeddings(self.definition.folder, self.features, self.batch_id, self.plate)

    def asides(self) -> dict[str, str]:
        """Return what makes no other features: the device, the size of batches, and what is checked first."""
        sha256, device = str(self.checkpoint_sha256 or ""), "gpu" if self._gpu() else "cpu"
        return {"checkpoint_sha256": sha256, "device": device, "batch_size": str(self.batch_size)}

    def job_resources(self) -> Resources:
        found = super().job_resources()
        return replace(found, gpus=1) if self._gpu() else found

    def shard_count(self, units: int) -> int:
        """Return how many processes profile a plate; on a GPU one, which has it for itself."""
        return 1 if self._gpu() else placement.shards(units, self.sites_per_shard)

    def require_device(self) -> None:
        """Raise EngineError if a GPU is asked for and none is usable: before what comes earlier is computed."""
        self._gpu()

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

    def job_resources(self) -> Resources:
        """Return what one job may use: beside a GPU, cores that decode images for it."""
        found = super().job_resources()
        given = settings.load()  # a GPU machine elsewhere has at least so many
        here = given.slots.cores if given.place == places.LOCAL else DECODING_CORES
        cores = min(here, DECODING_CORES) if found.gpus else 0
        return replace(found, cpus=max(found.cpus, cores))


DEEP_ENGINES = {"deepprofiler": DeepProfile, "torch": DeepProfileTorch}


def deep_profile_of(task: PlateTask) -> DeepProfile:
    """Return the task that computes a plate's deep features with the engine that luigi.cfg names."""
    named: Any = task.clone(DeepProfile)
    made = task.clone(DEEP_ENGINES[named.engine])
    assert isinstance(made, DeepProfile)
    return made


class AggregateDeep(Behaving, StageTask):
    stage = "aggregate_deep"
    parquet = setting("aggregate_deep", "parquet", luigi.ChoiceParameter, choices=["true", "false"], default="false")

    def requires(self) -> luigi.Task:
        return deep_profile_of(self)

    def unmade(self) -> set[str]:
        return {"cells"} if self.parquet == "false" else set()

    def place(self, output: str) -> Path:
        folder = "deep_cells" if output == "cells" else self.definition.folder
        return settings.load().layout.published(folder, self.batch_id, self.plate)


class AnnotateDeep(Annotate):
    stage = "annotate_deep"

    def requires(self) -> list[luigi.Task]:
        return [self.clone(AggregateDeep), self.clone(Platemap), self.clone(ExternalMetadata)]


class SpherizeDeep(Spherize):
    """Of plates that belong together: RunBatch makes one of each group."""

    stage = "spherize_deep"
    samples = setting("spherize_deep", "samples", luigi.Parameter, default=NEGCON)

    def requires(self) -> list[PlateTask]:
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
    groups = selection.groups(chosen, batch, selection.columns("auto", batch))
    if len(groups) == 1:
        return [SpherizeDeep(**run.same_set())]
    same: dict[str, Any] = {"batch_id": run.batch_id, "start_from": run.start_from, "replaces": run.replaces}
    sets: list[dict[str, Any]] = [{"plates": group.plates, "plate_set": group.name} for group in groups]
    return [SpherizeDeep(**same, **each) for each in sets]

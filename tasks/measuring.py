"""From images to single cells: a class per stage, with its edges and parameters."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import luigi

from tasks import catalogue, inputs, layout, placement, settings
from tasks.gathering import Findings
from tasks.manifest import Manifest
from tasks.plate_task import PlateTask
from tasks.run import Run
from tasks.runtime.engines import Engine
from tasks.settings import setting
from tasks.sources import Images, Platemap, PublishedLoadData, images_of
from tasks.stage_task import StageTask

Count = functools.partial(luigi.NumericalParameter, var_type=int, min_value=0, max_value=2**31)
PIPELINES = layout.CONTAINERS / "cellprofiler" / "pipelines"
# The export of Operetta and Opera Phenix microscopes, and the channels of CPJUMP1.
HARMONY_NAMES = (
    r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<site>\d\d)p(?P<plane>\d\d)-ch(?P<channel>\d+)sk(?P<time>\d+)fk\d+fl\d+\.tiff?"
)
UNAUDITED = (
    "site {site} was to be measured by both engines, and is left out: fewer sites than [measure] audit_sites, or none, "
    "say how the engines agree on this plate; compare others with: python -m tasks verify --against stock"
)
CPJUMP1_CHANNELS = "1=Mito,2=AGP,3=RNA,4=ER,5=DNA,6=HighZBF,7=LowZBF,8=Brightfield"


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
        images = images_of(self.batch_id, self.plate).relative_to(given.root)
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
        return [load_data_of(self), self.clone(Images)]

    def files(self) -> Mapping[str, Path]:
        return {"pipeline": pipeline_file(self.pipeline, "illumination.cppipe")}

    def whole(self) -> frozenset[str]:
        # A pipeline of the user's may name channels itself: then each job is given all of them.
        return frozenset({"images"} if self.pipeline else ())

    def asides(self) -> dict[str, str]:
        # It decides whether there is a result; what the result is, the images do.
        return {"max_failed_fraction": f"{settings.load().max_failed_fraction:g}"}

    def left_out(self, found: Manifest) -> tuple[int, int, str]:
        """Return how many of how many sites the channel lacks that lacks the most: no channel is ever left out."""
        used: Mapping[str, int] = found.facts.get("estimated_from", {})
        lacking = {channel: len(sites) for channel, sites in found.facts.get("left_out", {}).items()}
        return max(((count, count + used[channel], "site") for channel, count in lacking.items()), default=(0, 0, ""))


class Measure(StageTask):
    stage = "measure"
    pipeline = setting("measure", "pipeline", luigi.OptionalParameter, default="", significant=False)
    engine = setting("measure", "engine", luigi.ChoiceParameter, choices=["fast", "stock"], default="fast")
    sites_per_shard = setting("measure", "sites_per_shard", luigi.IntParameter, default=12, significant=False)
    audit_sites = setting("measure", "audit_sites", Count, default=1, significant=False)

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), self.clone(Images), self.clone(Illumination)]

    def files(self) -> Mapping[str, Path]:
        return {"pipeline": pipeline_file(self.pipeline, "analysis.cppipe")}

    def asides(self) -> dict[str, str]:
        return {"audit_sites": str(self.audit_sites)}

    def shard_count(self, units: int) -> int:
        """Return how many processes measure a plate; each holds whole wells."""
        return placement.shards(units, self.sites_per_shard)

    def _carry_out(self, run: Run, engine: Engine) -> Findings:
        """Warn of sites that were to be measured by both engines, and were left out."""
        findings = super()._carry_out(run, engine)
        facts: Mapping[str, Any] = findings.facts
        chosen, audited = facts.get("audit_chosen", ()), facts.get("audit", ())
        warnings = [UNAUDITED.format(site=site) for site in chosen if site not in audited]
        return replace(findings, warnings=(*findings.warnings, *warnings))


class Montage(StageTask):
    stage = "montage"

    def requires(self) -> list[luigi.Task]:
        return [load_data_of(self), self.clone(Images), self.clone(Measure)]


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
        return load_data_of(self)


class SampleIllumination(Illumination, SampleTask):
    stage = "sample_illumination"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images)]


class SampleMeasure(Measure, SampleTask):
    stage = "sample_measure"
    audit_sites = Count(default=0, significant=False)  # a look is to be quick; the plate itself is audited

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images), self.sampled(SampleIllumination)]


class SampleMontage(SampleTask):
    stage = "sample_montage"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), self.clone(Images), self.sampled(SampleMeasure)]


def load_data_of(task: PlateTask) -> luigi.Task:
    """Return the task that lists a plate's images: from the images themselves, or from a published table."""
    listing: Any = task.clone(LoadData)
    return task.clone(LocaliseLoadData) if listing.source == "published" else listing


def pipeline_file(given: str | None, own: str) -> Path:
    """Return the user's pipeline file, or ours."""
    if not given:
        return PIPELINES / own
    return inputs.existing_file(settings.resolved(given), "the pipeline that luigi.cfg names")

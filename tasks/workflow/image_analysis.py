"""From images to single cells: a class per stage, with its edges and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import luigi

from tasks import errors
from tasks.dataset import catalogue, layout, lookup, planes
from tasks.errors import NoCellsError, SettingsError
from tasks.execution.collect import RunSummary
from tasks.execution.specs import JobSpec, StageSpec
from tasks.execution.stage_run import Run
from tasks.results import manifest
from tasks.results.fingerprint import Artifact
from tasks.results.manifest import Manifest
from tasks.settings import forms, settings
from tasks.settings.parameters import Choice, Text, Whole
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import OWN_TABLES, PlateTask, refuse_start
from tasks.stage_tasks.stage import StageTask
from tasks.workflow import expectation, masks, segmentation
from tasks.workflow.import_images import ImportImages
from tasks.workflow.inputs import Images, Platemap, PublishedLoadData, images_of
from tasks.workflow.masks import LabelFolder
from tasks.workflow.segmentation import Segmented

PIPELINES = layout.CONTAINERS / "cellprofiler" / "pipelines"
# The export of Operetta and Opera Phenix microscopes, and the channels of CPJUMP1.
HARMONY_NAMES = (
    r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<site>\d\d)p(?P<plane>\d\d)-ch(?P<channel>\d+)sk(?P<time>\d+)fk\d+fl\d+\.tiff?"
)
UNAUDITED = (
    "site {site} was to be measured by both engines, and is left out: fewer sites than [measure] audit_sites, or none, "
    "say how the engines agree on this plate; compare others with: python -m tasks verify --against stock"
)
MASKS_PER_JOB = 200
IGNORED_NAMES = ".*,Thumbs.db,*_thumb*"
"""What systems and microscopes leave beside images."""
WITHOUT_IMAGES = ("backend", "profiles", *OWN_TABLES)
"""From where a run starts that measures nothing. Luigi runs what else a task requires: each refuses for itself."""
CPJUMP1_CHANNELS = "1=Mito,2=AGP,3=RNA,4=ER,5=DNA,6=HighZBF,7=LowZBF,8=Brightfield"


class LoadData(StageTask):
    stage = "load_data"
    source = setting(
        "load_data",
        "source",
        Choice,
        choices=["images", "published"],
        default="images",
        significant=False,
    )
    pattern = setting(
        "load_data",
        "pattern",
        Text,
        default=HARMONY_NAMES,
        form=f"a regular expression with {forms.PATTERN_GROUPS}",
        check=forms.image_names,
    )
    channels = setting(
        "load_data",
        "channels",
        Text,
        default=CPJUMP1_CHANNELS,
        form="what the pattern says = the channel's name, by commas",
        check=forms.channels,
    )
    ignore = setting(
        "load_data",
        "ignore",
        Text,
        default=IGNORED_NAMES,
        empty=True,
        form="forms of file names by commas",
        check=forms.globs,
        description="which names are passed over",
    )
    z = ImportImages.z
    time = ImportImages.time
    exclude = ImportImages.exclude
    faulty_sites = setting("preflight", "faulty_sites", Choice, choices=["stop", "exclude"], default="stop")

    @property
    def instead(self) -> Any:
        """Return the task that takes the published table in this one's place, if luigi.cfg says so."""
        if self.source != "published" or self.stage != LoadData.stage:
            return None
        own = ("pattern", "channels", "ignore", "exclude", "faulty_sites")
        return self.clone(LocaliseLoadData, **{name: getattr(self, name) for name in own})

    def requires(self) -> list[luigi.Task]:
        return [self.instead] if self.instead else [images_for(self), self.clone(Platemap)]

    def complete(self) -> bool:
        return bool(self.instead.complete() if self.instead else super().complete())

    def promises(self) -> Mapping[str, Artifact]:
        found: Mapping[str, Artifact] = self.instead.promises() if self.instead else super().promises()
        return found

    def run(self) -> None:
        if not self.instead:
            super().run()

    def spec(self) -> StageSpec:
        """Add where things lie in the gallery, which the table names, and what is known of this plate.

        A site that could not be imported is left out by name, as one that the user excludes.
        """
        given, images = settings.load().layout, images_for(self)
        imported = images if isinstance(images, ImportImages) else None
        folder = imported.folder() if imported else images_of(self.batch_id, self.plate)
        left_out = [*lookup.excluded(self.exclude, self.plate), *(imported.left_out_sites() if imported else ())]
        illumination = given.published("illum", self.batch_id, self.plate).relative_to(given.root)
        known = {
            "image_folder": folder.relative_to(given.root).as_posix(),
            "illumination_folder": illumination.as_posix(),
            "expected_images": str(catalogue.expected_images(given, self.batch_id, self.plate)),
            "exclude": ",".join(left_out),
            "imported": str(bool(imported)).lower(),
        }
        index = self._index()
        return super().spec().adding(parameters=known, **index).adding(neutral={"imported": "false"})

    def _index(self) -> dict[str, Any]:
        """Return the index of an added plate's planes, and the parameters that change nothing with it or without it."""
        index = planes.index_of(settings.load().layout, self.batch_id, self.plate)
        if index is None:
            return {"neutral": {"z": str(self.z), "time": str(self.time)}}
        of_names = {"pattern": str(self.pattern), "channels": str(self.channels), "ignore": str(self.ignore)}
        return {"files": {"planes": index}, "neutral": {**of_names, "z": "", "time": ""}}


class LocaliseLoadData(LoadData):
    stage = "localise_load_data"

    def spec(self) -> StageSpec:
        """Leave out what chooses among planes: a published table names each image."""
        found = super().spec()
        of_planes = ("z", "time", "imported")
        own = {name: value for name, value in found.parameters.items() if name not in of_planes}
        names = {name: value for name, value in found.neutral.items() if name in of_planes}
        return replace(found, parameters=own, neutral=names, files={})

    def requires(self) -> list[luigi.Task]:
        return [self.clone(PublishedLoadData), *super().requires()]


class Illumination(StageTask):
    stage = "illumination"
    pipeline = setting("illumination", "pipeline", Text, default="", form="a .cppipe file", significant=False)
    engine = setting("illumination", "engine", Choice, choices=["fast", "stock"], default="fast")

    def requires(self) -> list[luigi.Task]:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        return [load_data_of(self), images_for(self)]

    def spec(self) -> StageSpec:
        return super().spec().adding(files={"pipeline": pipeline_file(self.pipeline, "illumination.cppipe")})

    def job_spec(self) -> JobSpec:
        return (
            super()
            .job_spec()
            .adding(
                # A pipeline of the user's may name channels itself: then each job is given all of them.
                unsharded_inputs=frozenset({"images"} if self.pipeline else ()),
                # It decides whether there is a result; what the result is, the images do.
                flags={"max_failed_fraction": f"{settings.load().max_failed_fraction:g}"},
            )
        )

    def left_out(self, found: Manifest) -> tuple[int, int, str]:
        """Return how many of how many sites the channel lacks that lacks the most: no channel is ever left out."""
        used: Mapping[str, int] = found.facts.get("estimated_from", {})
        lacking = {channel: len(sites) for channel, sites in found.facts.get("left_out", {}).items()}
        return max(((count, count + used[channel], "site") for channel, count in lacking.items()), default=(0, 0, ""))


class ImportMasks(StageTask):
    """Of a plate whose nuclei and cells a person has as label images; nothing is measured before all are good."""

    stage = "import_masks"
    nuclei_channel = Segmented.nuclei_channel
    unpaired = masks.unpaired()

    def labels(self) -> LabelFolder:
        found: LabelFolder = self.clone(LabelFolder)  # type: ignore[assignment]
        return found

    def requires(self) -> list[luigi.Task]:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        return [load_data_of(self), images_for(self), *([self.labels()] if self.labels().given else [])]

    def spec(self) -> StageSpec:
        return super().spec().adding(parameters={"nuclei_channel": str(self.nuclei_channel)})

    def job_spec(self) -> JobSpec:
        return super().job_spec().adding(units_per_job=MASKS_PER_JOB)

    def run(self) -> None:
        if not self.labels().given:
            raise SettingsError(
                "ImportMasks takes label images from a folder, and luigi.cfg names none: [measure] labels"
            )
        super().run()

    def judge(self, run: Run, findings: RunSummary) -> RunSummary:
        """Raise NoCellsError if the masks of the whole plate hold no object: nothing needs to be measured then."""
        if findings.facts.get("nuclei") == 0:
            raise NoCellsError(
                f"{run.title}: the label images of all {len(run.units)} sites are empty; see whether "
                f"{self.labels().path()} holds what the segmenter found"
            )
        return findings


class Measure(Segmented):
    stage = "measure"
    pipeline = setting("measure", "pipeline", Text, default="", form="a .cppipe file", significant=False)
    engine = setting("measure", "engine", Choice, choices=["fast", "stock"], default="fast")
    sites_per_shard = setting("measure", "sites_per_shard", Whole, default=12, least=1, unit="sites", significant=False)
    audit_sites = setting("measure", "audit_sites", Whole, default=1, least=0, unit="sites", significant=False)
    # Not in the fingerprint: the values are the same, and what reads them takes the form that lies there.
    tables = setting("measure", "tables", Choice, choices=["csv", "parquet", "both"], default="csv", significant=False)
    cell_values = setting("measure", "cell_values", Choice, choices=["float64", "float32"], default="float64")
    needs_cells = True
    """Whether a plate without any cell is an error."""

    def requires(self) -> list[luigi.Task]:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        self._refuse_channels()
        return [load_data_of(self), images_for(self), *self._masks(), self.clone(Illumination)]

    def _masks(self) -> list[luigi.Task]:
        """Return the task that takes over label images, if luigi.cfg names some."""
        importing: Any = self.clone(ImportMasks)
        return [importing] if importing.labels().given else []

    def inputs(self, spec: StageSpec | None = None) -> dict[str, list[Artifact]]:
        """Return the inputs; without label images there is no such input, as in earlier versions."""
        return {name: found for name, found in super().inputs(spec).items() if found or name != "masks"}

    def spec(self) -> StageSpec:
        path = pipeline_file(self.pipeline, "analysis.cppipe")
        plain = segmentation.plain()
        own = self.segmentation(self._illumination("greatest")) if segmentation.is_filled(path) else plain
        neutral = {**plain, "cell_values": "float64"}
        return super().spec().adding(files={"pipeline": path}, parameters=own, neutral=neutral)

    def _refuse_channels(self) -> None:
        """Raise SettingsError if our pipeline needs a channel that is known not to be there."""
        listing: Any = self.clone(LoadData)
        if not self.pipeline and listing.source == "images":
            self.check_channels(listing.channels)

    def _illumination(self, fact: str) -> Mapping[str, int]:
        """Return what the stage before this one noted of each channel; nothing if that is not known."""
        estimated: Any = self.requires()[-1]
        found = manifest.read(estimated.manifest_path())
        return found.facts.get(fact, {}) if found else {}

    def job_spec(self) -> JobSpec:
        flags = {"audit_sites": str(self.audit_sites), "tables": str(self.tables)}
        return super().job_spec().adding(units_per_job=self.sites_per_shard, flags=flags)

    def judge(self, run: Run, findings: RunSummary) -> RunSummary:
        """Warn of audited sites that were left out; raise NoCellsError if no cell was found on the whole plate."""
        facts: Mapping[str, Any] = findings.facts
        if self.needs_cells and facts.get("cells") == 0:
            raise NoCellsError(errors.no_cells(run.title, len(run.units), run.files))
        chosen, audited = facts.get("audit_chosen", ()), facts.get("audit", ())
        warnings = [UNAUDITED.format(site=site) for site in chosen if site not in audited]
        return self._doubted(replace(findings, warnings=(*findings.warnings, *warnings)))

    def _doubted(self, findings: RunSummary) -> RunSummary:
        """Hold what was found against what is to be expected; the manifest keeps the plate's sum, not each site."""
        sites: list[Any] = list(dict(findings.facts.get("objects") or {}).values())  # type: ignore[call-overload]
        doubts = expectation.doubts(sites, self._expected())
        doubts = [expectation.of_masks(doubt) for doubt in doubts] if self._masks() else doubts
        facts = {**findings.facts, "objects": expectation.summary(sites)}
        facts |= {"suspicious": doubts} if doubts else {}
        camera = self.about_camera(self._illumination("greatest")) if self._is_filled() else []
        return replace(findings, warnings=(*findings.warnings, *camera, *doubts), facts=facts)

    def _is_filled(self) -> bool:
        return segmentation.is_filled(pipeline_file(self.pipeline, "analysis.cppipe"))

    def _expected(self) -> expectation.Expected:
        """Return what is to be expected; a pipeline that is not filled in has thresholds of its own."""
        greatest = self._illumination("greatest")
        told = self.segmentation(greatest)
        if not self._is_filled():
            told |= {"nuclei_bounds": "0,1", "camera_bits": str(segmentation.FULL_BITS)}
        if self._masks():
            told |= {"nucleus_diameter": expectation.ANY_SIZE}
        illuminated = min(self._illumination("estimated_from").values(), default=None)
        return expectation.Expected(told, self.known_pixel_um, illuminated, greatest)


class Montage(StageTask):
    stage = "montage"

    def requires(self) -> list[luigi.Task]:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        return [load_data_of(self), images_for(self), self.clone(Measure)]


# A look before the expense: the same stages on one site in some wells.


class SampleTask(StageTask):
    """A stage on sampled sites; how many wells are sampled is told from one to the next."""

    wells = Whole(default=12, least=1, unit="wells", significant=False)

    def sampled(self, task: type[luigi.Task]) -> luigi.Task:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        return self.clone(task, wells=self.wells)


class SampleSites(SampleTask):
    stage = "sample_sites"
    wells = Whole(default=12, least=1, unit="wells")

    def requires(self) -> luigi.Task:
        refuse_start("the images", self.start_from, WITHOUT_IMAGES)
        return load_data_of(self)


class SampleIllumination(Illumination, SampleTask):
    stage = "sample_illumination"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), images_for(self)]


class SampleMeasure(Measure, SampleTask):
    stage = "sample_measure"
    audit_sites = Whole(
        default=0, least=0, unit="sites", significant=False
    )  # a look is to be quick; the plate itself is audited
    needs_cells = False  # the picture shows that there are none

    def requires(self) -> list[luigi.Task]:
        self._refuse_channels()
        return [self.sampled(SampleSites), images_for(self), *self._masks(), self.sampled(SampleIllumination)]


class SampleMontage(SampleTask):
    stage = "sample_montage"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), images_for(self), self.sampled(SampleMeasure)]


def load_data_of(task: PlateTask) -> luigi.Task:
    """Return the task that lists a plate's images: from the images themselves, or from a published table."""
    listing: Any = task.clone(LoadData)
    return task.clone(LocaliseLoadData) if listing.source == "published" else listing


def images_for(task: PlateTask) -> luigi.Task:
    """Return the task that has a plate's images as they are measured: as they lie there, or imported."""
    importing: Any = task.clone(ImportImages)
    listing: Any = task.clone(LoadData)
    return importing if listing.source == "images" and importing.needed else task.clone(Images)


def pipeline_file(given: str | None, own: str) -> Path:
    """Return the user's pipeline file, or ours."""
    if not given:
        return PIPELINES / own
    return lookup.existing_file(settings.resolved(given), "the pipeline that luigi.cfg names")

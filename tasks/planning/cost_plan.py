"""What a run would fetch and compute, and what that costs, from the catalogue and what lies here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.dataset import catalogue, lookup
from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import MissingInputError, unknown
from tasks.planning import cost_model, plate_sizes
from tasks.planning.aws_costs import Work
from tasks.planning.cost_model import Cost, PlateSize
from tasks.settings import settings
from tasks.stage_tasks import gallery
from tasks.stage_tasks.plate import LAID, OWN_TABLES
from tasks.stage_tasks.stage import StageTask
from tasks.workflow import pipeline
from tasks.workflow.benchmark import Figures, GeneCompoundMatching, Matching, Replicability, Tabulate
from tasks.workflow.import_images import ImportImages
from tasks.workflow.report import Report
from tasks.workflow.run_benchmark import RunBenchmark

BENCHMARK = (Replicability, Matching, GeneCompoundMatching, Tabulate, Figures)


@dataclass(frozen=True)
class Line:
    """A stage over all plates: how many are done, and what the others cost."""

    stage: str
    done: int
    to_do: int
    cost: Cost
    jobs: int
    """On a cluster or a fleet, where there are as few as may be."""


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    batch: str
    plates: Sequence[str]
    lines: Sequence[Line]
    files_to_fetch: int
    bytes_to_fetch: float
    assumed: Sequence[str]
    """What is not known and was assumed."""
    start_from: str = "images"

    @property
    def peak_bytes(self) -> float:
        """Return the most that lies here at once: of what luigi.cfg lets go, that of the plates that are under way."""
        given = settings.load()
        gone = sum(line.cost.bytes for line in self.lines if line.stage in given.delete)
        gone += self.bytes_to_fetch if "fetch_images" in given.delete and self.start_from == "images" else 0.0
        under_way = min(1.0, given.workers / max(len(self.plates), 1))
        return self.total.bytes - gone * (1.0 - under_way)

    @property
    def kept_bytes(self) -> float:
        """Return what stays of the results: without the images, and what luigi.cfg lets go."""
        gone = settings.load().delete
        return sum(line.cost.bytes for line in self.lines if line.stage not in gone)

    @property
    def works(self) -> list[Work]:
        """Return what there is to do for machines that are hired for it."""
        needed = {line.stage: settings.resources(stages.stage(line.stage)) for line in self.lines}
        return [Work(line.stage, line.jobs, line.cost.core_seconds, needed[line.stage]) for line in self.lines]

    @property
    def core_seconds(self) -> dict[str, float]:
        """Return what each stage would take."""
        return {line.stage: line.cost.core_seconds for line in self.lines}

    @property
    def explorer(self) -> Cost | None:
        """Return the files and bytes of a plate's part of the explorer, if one is to be made."""
        found = next((line for line in self.lines if line.stage == pipeline.ExplorePlate.stage and line.to_do), None)
        return Cost(found.cost.bytes / found.to_do, files=found.cost.files / found.to_do) if found else None

    @property
    def total(self) -> Cost:
        return sum((line.cost for line in self.lines), Cost(bytes=self.bytes_to_fetch))


def make(
    batch: str,
    named: Sequence[str],
    where: str,
    start_from: str = "images",
    benchmark: bool = False,
    explorer: bool = False,
) -> Plan:
    """Return the plan of a batch, and of more if asked for; raise MissingInputError if its plates are not known.

    What lies before `start_from` is neither fetched nor computed; what is fetched of it is listed, images excepted.
    """
    layout = settings.load().layout
    listed = _listed(layout, batch)
    strangers = sorted(set(named) - set(listed))
    if strangers:
        raise MissingInputError(unknown("plate", strangers[0], listed, f"batch {batch}"))
    plates = catalogue.plates(layout, batch, named or listed, where)
    known = {each.plate: each for each in catalogue.of_batch(layout, batch)}
    sizes = {plate: plate_sizes.size(layout, batch, plate, known.get(plate)) for plate in plates}
    first = next((plate for plate in plates if _is_imported(batch, plate)), plates[0])  # it has all the others' stages
    names = [*_stages(batch, first, start_from), *_shown(batch, start_from, explorer), *_last(start_from, benchmark)]
    lines = [_line(stage, batch, sizes, start_from) for stage in names]
    files, to_fetch = _to_fetch(batch, sizes, start_from)
    return Plan(batch, plates, lines, files, to_fetch, _assumed(sizes, known), start_from)


def _to_fetch(batch: str, sizes: Mapping[str, PlateSize], start_from: str) -> tuple[int, float]:
    """Return how many files and bytes do not lie here: of images by the catalogue, else by the gallery's listing."""
    if start_from == "images":
        stay = bool(settings.load().store.url)  # on S3 they are read where they are
        away = [each for each in sizes.values() if not each.here and not stay]
        return sum(each.images for each in away), sum(each.image_bytes for each in away)
    if start_from in OWN_TABLES:
        return 0, 0.0
    layout = settings.load().layout
    away_plates = [plate for plate in sizes if not layout.published(start_from, batch, plate).exists()]
    if not away_plates:
        return 0, 0.0
    folder = layout.published(start_from, batch, away_plates[0]).parent.relative_to(layout.dataset).as_posix()
    listed = {entry["name"].rstrip("/"): entry for entry in gallery.browse(folder)["entries"]}
    absent = [plate for plate in away_plates if plate not in listed]
    if absent:
        raise MissingInputError(unknown("plate", absent[0], listed, f"the gallery's {folder}"))
    found = [listed[plate] for plate in away_plates]
    return sum(entry["files"] for entry in found), sum(entry["bytes"] for entry in found)


def _listed(layout: Layout, batch: str) -> list[str]:
    """Return a batch's plates: those of its barcode_platemap.csv, or where it does not lie here, of the catalogue."""
    known = [each.plate for each in catalogue.of_batch(layout, batch)]
    return lookup.plates(layout, batch) if layout.barcode_platemap(batch).exists() or not known else known


def _stages(batch: str, plate: str, start_from: str = "images") -> list[str]:
    """Return the stages of a run, in the order in which they can run: a plate's, then those of all plates jointly."""
    if start_from == "profiles":
        return []
    found = pipeline.stages_of_plate(batch, plate, _laid(start_from))
    return [*found, *(task.stage for task in pipeline.RunBatch.kinds(start_from))]


def _shown(batch: str, start_from: str, explorer: bool) -> list[str]:
    """Return the stages of the explorer if it is asked for, here or in luigi.cfg: it shows what starts from images."""
    wanted = explorer or pipeline.RunBatch(batch_id=batch).explorer
    return [pipeline.ExplorePlate.stage, pipeline.Explorer.stage] if wanted and start_from == "images" else []


def _last(start_from: str, benchmark: bool) -> list[str]:
    """Return the stages of the benchmark if it is asked for, and the report that a run ends with."""
    ranked = [task.stage for task in BENCHMARK] if benchmark else []
    return [*ranked, Report.stage] if benchmark or start_from != "profiles" else []


def _line(stage: str, batch: str, sizes: Mapping[str, PlateSize], start_from: str) -> Line:
    if stage == ImportImages.stage:
        sizes = {plate: each for plate, each in sizes.items() if _is_imported(batch, plate)}
    plates, begin = list(sizes), _laid(start_from)
    kind = pipeline.stage_tasks()[stage]
    is_of_plate = issubclass(kind, StageTask) and kind not in BENCHMARK
    if is_of_plate:
        done = {plate for plate in plates if _is_complete(stage, batch, plate, begin)}
    else:
        done = set(plates) if _is_complete_of_all(stage, batch, plates, begin) else set()
    costs = [_cost(stage, batch, plate, each) for plate, each in sizes.items() if plate not in done]
    jobs = sum(_jobs(stage, batch, plate, each) for plate, each in sizes.items() if plate not in done)
    return Line(stage, len(done), len(costs), sum(costs, Cost()), jobs if is_of_plate else min(jobs, 1))


def _is_imported(batch: str, plate: str) -> bool:
    kind: Any = ImportImages
    return bool(kind(batch_id=batch, plate=plate).needed)


def _jobs(stage: str, batch: str, plate: str, each: PlateSize) -> int:
    units = {"site": each.sites, "channel": each.channels}.get(stages.stage(stage).unit, 1)
    if stage != pipeline.Measure.stage:
        return units
    kind: Any = pipeline.Measure
    sites: int = kind(batch_id=batch, plate=plate).sites_per_shard
    return math.ceil(units / sites)


def _cost(stage: str, batch: str, plate: str, each: PlateSize) -> Cost:
    if stage == pipeline.ExplorePlate.stage:
        explored: Any = pipeline.ExplorePlate
        shows = explored(batch_id=batch, plate=plate)
        shown = {"shown_sites": shows.sites, "shown_cells": shows.cells, "crop_px": shows.crop_px}
        return cost_model.of_stage(stage, replace(each, **shown))
    if stage != pipeline.Measure.stage:
        return cost_model.of_stage(stage, each)
    kind: Any = pipeline.Measure
    task = kind(batch_id=batch, plate=plate)
    return cost_model.of_measuring(each, task.engine, task.audit_sites)


def _is_complete(stage: str, batch: str, plate: str, start_from: str) -> bool:
    made: Any = pipeline.stage_tasks()[stage]
    try:
        complete: bool = made(batch_id=batch, start_from=start_from, plate=plate).complete()
    except MissingInputError:  # what it is made from does not lie here
        return False
    return complete


def _is_complete_of_all(stage: str, batch: str, plates: list[str], start_from: str) -> bool:
    """Say whether a stage of all plates jointly is done; the benchmark's are as a whole."""
    made: Any = pipeline.stage_tasks()[stage]
    try:
        if made in BENCHMARK:
            return RunBenchmark(batch_id=batch, plates=plates).is_made()
        given = {} if made is Report else {"plates": plates, "start_from": start_from}
        complete: bool = made(batch_id=batch, **given).complete()
    except MissingInputError:
        return False
    return complete


def _laid(start_from: str) -> str:
    """Return where a run would begin if nothing had to be fetched."""
    return LAID if start_from == "images" else start_from


def _assumed(sizes: Mapping[str, PlateSize], known: Mapping[str, catalogue.Acquisition]) -> list[str]:
    away = [plate for plate, each in sizes.items() if not each.here]
    uncounted = [
        plate for plate in sizes if catalogue.CELLS_PER_SITE not in getattr(known.get(plate), "conditions", {})
    ]
    said = []
    if away:
        said.append(f"{len(away)} plates' images are not here: their size is that of CPJUMP1's images")
    if uncounted:
        said.append(f"{len(uncounted)} plates have CPJUMP1's density of cells (or say it: {catalogue.CELLS_PER_SITE})")
    return said

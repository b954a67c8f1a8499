"""Write the demo batch into the data root and run it, from images to its benchmark and report."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import enum
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import luigi
from luigi.interface import core

from tasks.commands import demo_summary, images
from tasks.commands.demo_display import Display
from tasks.dataset import layout
from tasks.dataset.demo_plan import BATCH, PLATES
from tasks.definitions import stages
from tasks.errors import StageError
from tasks.results import manifest
from tasks.runtime.arrays.places import AWS_BATCH
from tasks.runtime.engines import engines
from tasks.settings import settings
from tasks.settings.luigi_sections import TASK_FAILED
from tasks.stage_tasks import console
from tasks.workflow import pipeline
from tasks.workflow.report import tell_of_failure

FAILED = TASK_FAILED


class Attempt(enum.Enum):
    """How the demo's run ended."""

    COMPLETE = enum.auto()
    """Everything was there before."""
    MADE = enum.auto()
    FAILED = enum.auto()


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plates", default="", help="A,B: only these plates")
    parser.add_argument("--features", default="cellprofiler", help="cellprofiler,deepprofiler: deep features too")
    parser.add_argument("--wells", default="", help="A01,B02: only these wells")
    parser.add_argument("--verbose", action="store_true", help="show the whole log and every path; write no log file")
    parser.add_argument("--json", action="store_true", help="print the paths of all that was made for programs")


def act(args: argparse.Namespace) -> int:
    if not args.json:
        return _run(args)
    with contextlib.redirect_stdout(sys.stderr):  # what the run says goes on for people
        code = _run(args)
    print(json.dumps(_plain(_plates(args), code), indent=1))
    return code


def _plates(args: argparse.Namespace) -> list[str]:
    return args.plates.split(",") if args.plates else list(PLATES)


def _plain(plates: list[str], code: int) -> dict[str, Any]:
    """Return what lies there now as JSON takes it: paths by plate and stage, whole."""
    batch, report = pipeline.RunBatch(batch_id=BATCH, plates=plates), pipeline.Report(batch_id=BATCH)
    made: dict[str, dict[str, list[str]]] = {plate: {} for plate in plates}
    for plate in plates:
        for stage, path in _made(plate, batch.subject):
            made[plate].setdefault(stage, []).append(str(path))
    page = report.promises().get("report")
    return {"batch": BATCH, "exit_code": code, "plates": made, "report": str(page.path) if page else None}


def _run(args: argparse.Namespace) -> int:
    _draw(_plates(args), args.wells)
    batch = pipeline.RunBatch(batch_id=BATCH, plates=_plates(args), features=args.features, report=False)
    benchmark = pipeline.RunBenchmark(batch_id=BATCH, plates=_plates(args), features=args.features)
    log = None if args.verbose else _new_log()
    if log is None:
        ended = _make(args, batch, benchmark)
    else:
        print(f"log: {_short(log)}", file=sys.stderr, flush=True)
        with Display(_plates(args)) as display, console.in_short(display, log):
            ended = _make(args, batch, benchmark)
    if ended is Attempt.FAILED:
        tell_of_failure(BATCH)
        where = f" (log: {_short(log)})" if log else ""
        said = f"The demo failed: the errors are above{where}. Finished stages are kept for the next run."
        print(said, file=sys.stderr)
        return FAILED
    if args.verbose:
        _show_all(args, batch, benchmark, ended)
    _tell(args, benchmark, ended)
    return 0


def _make(args: argparse.Namespace, batch: pipeline.RunBatch, benchmark: pipeline.RunBenchmark) -> Attempt:
    given, plates = settings.load(), _plates(args)
    needed = _images(args.features, plates[0])
    if given.engine == "process" or given.engine == "auto" and not _containers_usable(needed):
        images.prepare(needed)
    if not _seed(args.features, plates[0]):
        return Attempt.FAILED
    if batch.complete() and benchmark.is_made():
        return Attempt.COMPLETE
    if given.place != AWS_BATCH:  # there the queue's machines are asked, a stage at a time
        for image in needed:
            engines.choose(given.engine, image)  # once for all workers of Luigi, and refused before anything runs
    # A stage of a plate that takes one core leaves the others to the next plate.
    how = {"local_scheduler": True, "log_level": "INFO", "workers": max(core().workers, len(plates))}
    made = all(luigi.build([task], **how) for task in (batch, benchmark))
    return Attempt.MADE if made else Attempt.FAILED


def _new_log() -> Path:
    folder = settings.load().layout.logs
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"demo-{datetime.datetime.now():%Y%m%d-%H%M%S}.log"


def _images(features: str, plate: str) -> list[str]:
    """Return the images that the demo runs in: of those that a batch may do without only what is asked for."""
    subject: dict[str, Any] = {"batch_id": BATCH, "plate": plate}
    networks = {stages.stage(kind.stage).image for kind in pipeline.DEEP_ENGINES.values()}
    asked = "deepprofiler" in pipeline.feature_sets(features)
    seed = pipeline.SeedCheckpoint(**subject)
    used = {seed.definition.image, pipeline.deep_profile_of(seed).definition.image} if asked else set()
    if pipeline.RunBatch(batch_id=BATCH).explorer:
        used.add(stages.stage(pipeline.Explorer.stage).image)
    by_name = (pipeline.Explorer, pipeline.AnnData, pipeline.ImportImages)
    optional = networks | {stages.stage(kind.stage).image for kind in by_name}
    return [name for name in stages.stage_images() if name in used or name not in optional]


def _seed(features: str, plate: str) -> bool:
    """Draw a network's weights where the default setting looks, if deep features are asked for and none lie there."""
    if "deepprofiler" not in pipeline.feature_sets(features):
        return True
    subject: dict[str, Any] = {"batch_id": BATCH, "plate": plate}
    profile = pipeline.DeepProfile(**subject)
    if profile.checkpoint or (settings.load().layout.checkpoints / f"{profile.features}.hdf5").exists():
        return True
    seed = pipeline.SeedCheckpoint(**subject)
    return bool(luigi.build([seed], local_scheduler=True, log_level="INFO"))


def _draw(plates: list[str], wells: str) -> None:
    given = settings.load().layout
    words = ["--root", str(given.root), "--project", given.project, "--source", given.source]
    words += ["--plates", ",".join(plates), *(["--wells", wells] if wells else [])]
    command = [sys.executable, "-m", "data.demo", *words]
    if subprocess.run(command, cwd=layout.REPOSITORY, check=False, stdout=sys.stdout).returncode:
        raise StageError("the demo's images could not be written; why is said above")
    settings.load().store.push(*(path for path in given.dataset.rglob("*") if path.is_file()))


def _containers_usable(needed: list[str]) -> bool:
    return any(all(engines.engine(name).unusable(image) is None for image in needed) for name in engines.CONTAINERS)


def _made(plate: str, plate_set: str) -> Iterator[tuple[str, Path]]:
    """Yield what lies there now of a plate: the stage, and the path."""
    given = settings.load().layout
    for name, stage in stages.load().items():
        found = manifest.read(given.manifest(name, BATCH, plate_set if stage.unit == "batch" else plate))
        for key, output in found.artifacts(given.root).items() if found else ():
            if key.partition("/")[2] in ("", plate):
                yield name, output.path


def _tell(args: argparse.Namespace, benchmark: pipeline.RunBenchmark, ended: Attempt) -> None:
    """Print what was found, where to look first, and what to do next."""
    given = settings.load()
    folders = benchmark.results()
    sentences: list[str] = []
    for features, folder in folders.items():
        for table in ("replicability_map", "comparison"):
            given.store.ensure_local(folder / f"{features}_{table}.csv")
        by = f"{features}: " if len(folders) > 1 else ""
        sentences += [by + said for said in demo_summary.found(folder, features)]
    print("", *sentences, "", sep="\n")
    if ended is Attempt.COMPLETE:
        print("Everything was complete already; nothing was run.\n")
    for what, path in _places(_plates(args)[0], benchmark, next(iter(folders.values()))):
        print(f"{what:<11}{_short(path)}")
    page = _short(layout.REPOSITORY / "docs" / "own_data.md")
    print(f"next       your own plates: {page}; what each setting does: luigi.cfg")
    if len(folders) == 1:
        python = _short(Path(sys.executable))
        print(f"           deep features too: {python} -m tasks demo --features cellprofiler,deepprofiler")


def _places(plate: str, benchmark: pipeline.RunBenchmark, results: Path) -> Iterator[tuple[str, Path]]:
    given = settings.load()
    yield "report", given.store.ensure_local(benchmark.report().promises()["report"].path)
    montage = manifest.read(given.layout.manifest("montage", BATCH, plate))
    if montage:
        yield "cells", given.store.ensure_local(given.layout.root / montage.outputs["montage"]["path"])
    yield "profiles", given.layout.published_of_set("profiles", BATCH)
    yield "benchmark", results


def _show_all(
    args: argparse.Namespace, batch: pipeline.RunBatch, benchmark: pipeline.RunBenchmark, ended: Attempt
) -> None:
    """Print every path, and the benchmark's tables if no run has shown them."""
    for plate in _plates(args):
        print(f"\n{plate}")
        for name, path in _made(plate, batch.subject):
            print(f"  {name:<30}{_short(path)}")
    if ended is Attempt.COMPLETE:
        benchmark.show()


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

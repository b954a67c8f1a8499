"""Write the demo batch into the data root and run it, from images to its benchmark and report."""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import luigi

from data.demo.plan import BATCH, PLATES
from tasks import layout, manifest, pipeline, settings, stages
from tasks.report import tell_of_failure
from tasks.runtime import engines
from tasks.verbs import images

FAILED = 30  # as [retcode] task_failed


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plates", default="", help="A,B: only these plates")
    parser.add_argument("--features", default="cellprofiler", help="cellprofiler,deepprofiler: deep features too")
    parser.add_argument("--wells", default="", help="A01,B02: only these wells")
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
    given = settings.load()
    plates = _plates(args)
    _draw(plates, args.wells)
    needed = _images(args.features, plates[0])
    if given.engine == "process" or given.engine == "auto" and not _containers_usable(needed):
        images.prepare(needed)
    if not _seed(args.features, plates[0]):
        return FAILED
    batch = pipeline.RunBatch(batch_id=BATCH, plates=plates, features=args.features, report=False)
    benchmark = pipeline.RunBenchmark(batch_id=BATCH, plates=plates, features=args.features)
    was_complete = batch.complete() and benchmark.is_made()
    for task in () if was_complete else (batch, benchmark):
        if not luigi.build([task], local_scheduler=True, log_level="INFO"):
            tell_of_failure(BATCH)
            return FAILED
    for plate in plates:
        _show(plate, batch.subject)
    if was_complete:
        benchmark.show()
        print("everything is complete already; nothing was run")
    print(f"open  {_short(given.store.here(benchmark.report().promises()['report'].path))}")
    return 0


def _images(features: str, plate: str) -> list[str]:
    """Return the images that the demo runs in: of those that compute networks only what is asked for."""
    subject: dict[str, Any] = {"batch_id": BATCH, "plate": plate}
    networks = {stages.stage(kind.stage).image for kind in pipeline.DEEP_ENGINES.values()}
    asked = "deepprofiler" in pipeline.feature_sets(features)
    seed = pipeline.SeedCheckpoint(**subject)
    used = {seed.definition.image, pipeline.deep_profile_of(seed).definition.image} if asked else set()
    return [name for name in stages.stage_images() if name in used or name not in networks]


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
    subprocess.run([sys.executable, "-m", "data.demo", *words], cwd=layout.REPOSITORY, check=True, stdout=sys.stdout)
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


def _show(plate: str, plate_set: str) -> None:
    """Print what lies there now, the picture last: paths relative to where the command was typed."""
    given = settings.load().layout
    print(f"\n{plate}")
    for name, path in _made(plate, plate_set):
        print(f"  {name:<30}{_short(path)}")
    montage = manifest.read(given.manifest("montage", BATCH, plate))
    if montage:
        picture = settings.load().store.here(given.root / montage.outputs["montage"]["path"])
        print(f"  look at  {_short(picture)}")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

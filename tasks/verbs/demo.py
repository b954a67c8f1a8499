"""Write the demo batch into the data root and run it, from images to its benchmark and report."""

from __future__ import annotations

import argparse
import subprocess
import sys
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


def act(args: argparse.Namespace) -> int:
    given = settings.load()
    plates = args.plates.split(",") if args.plates else list(PLATES)
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
    print(f"open  {_short(benchmark.report().promises()['report'].path)}")
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
    subprocess.run([sys.executable, "-m", "data.demo", *words], cwd=layout.REPOSITORY, check=True)


def _containers_usable(needed: list[str]) -> bool:
    return any(all(engines.engine(name).unusable(image) is None for image in needed) for name in engines.CONTAINERS)


def _show(plate: str, plate_set: str) -> None:
    """Print what lies there now, the picture last: paths relative to where the command was typed."""
    given = settings.load().layout
    print(f"\n{plate}")
    for name, stage in stages.load().items():
        found = manifest.read(given.manifest(name, BATCH, plate_set if stage.unit == "batch" else plate))
        for key, output in found.artifacts(given.root).items() if found else ():
            if key.partition("/")[2] in ("", plate):
                print(f"  {name:<30}{_short(output.path)}")
    montage = manifest.read(given.manifest("montage", BATCH, plate))
    if montage:
        print(f"  look at  {_short(given.root / montage.outputs['montage']['path'])}")


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

"""Measure sites with both engines, in turn: CPU seconds a site by module, memory, and every value compared.

    python tests/bench/fast_cellprofiler.py [--images DIR] [--wells 4] [--plates real,demo] [--pipeline own|second]

The real wells, and four wells of the demo batch, by our own pipeline; or the real wells by one of other modules and
settings. A well is measured by stock and then by fast before the next one, so
that what else the machine does falls on both. Then all are measured by fast in one process, as a shard is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tifffile

REPOSITORY = Path(__file__).parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "containers")]

from stagekit import equality  # noqa: E402

from data.demo.plan import CHANNELS, FOUR_WELLS, PLATES  # noqa: E402
from tasks.runtime.images import environments  # noqa: E402
from tests.bench.cellprofiler_cost import Cost, measure  # noqa: E402
from tests.stages.cellprofiler.plates import (  # noqa: E402
    NUMBERS,
    REAL_IMAGES,
    Plate,
    Programs,
    real_sites,
    second_pipeline,
    shaded_functions,
)

ENGINES = ("stock", "fast")
SITES_A_PLATE = 3456


def agreement(compared: equality.Comparison) -> list[str]:
    """Return the lines of how the values of both engines agree, by module."""
    modules: dict[str, equality.Tally] = {}
    for (_, module), tally in compared.tallies.items():
        modules.setdefault(module, equality.Tally()).add(tally)
    lines = [f"  {'values':<22}{'compared':>12}{'same text':>12}{'beyond':>8}{'largest difference':>20}"]
    for module, tally in [*sorted(modules.items(), key=lambda item: -item[1].values), ("all", compared.all)]:
        lines.append(f"  {module:<22}{tally.values:12,}{tally.equal:12,}{tally.bad:8}{tally.largest:20.1e}")
    return lines


def real_plate(folder: Path, images: Path, wells: int) -> Plate:
    """Return real wells, of eight channels."""
    return Plate(folder, tuple(NUMBERS), real_sites(images)[:wells], at=images.resolve())


def demo_plate(folder: Path, wells: int) -> Plate:
    """Draw wells of the demo batch, of five channels."""
    words = ["--root", str(folder), "--project", "p", "--source", "s", "--plates", PLATES[0]]
    words += ["--wells", ",".join(FOUR_WELLS)]
    subprocess.run([sys.executable, "-m", "data.demo", *words], cwd=REPOSITORY, check=True, capture_output=True)
    (images,) = folder.glob("p/s/images/*/images/*/Images")
    return Plate(folder / "tables", tuple(CHANNELS), real_sites(images)[:wells], at=images)


def costs(spent: dict[str, list[Cost]], wells: int) -> list[str]:
    """Return the lines of CPU seconds a site, by module, and what a plate takes."""
    modules = {name: sum(cost.modules()[name] for cost in spent["stock"]) for name in spent["stock"][0].modules()}
    lines = [f"  {'CPU seconds a site':<48}{'stock':>8}{'fast':>8}{'ratio':>8}"]
    for name in sorted(modules, key=lambda name: -modules[name]):
        lines.append(_line(name, *(sum(cost.modules()[name] for cost in spent[engine]) / wells for engine in ENGINES)))
    for name, seconds in (
        ("all modules", lambda cost: sum(cost.modules().values())),
        ("start-up, checks and export (a process a site)", Cost.startup),
    ):
        lines.append(_line(name, *(sum(map(seconds, spent[engine])) / wells for engine in ENGINES)))
    whole = [sum(cost.cpu_seconds for cost in spent[engine]) / wells for engine in ENGINES]
    lines.append(_line("everything", *whole))
    lines.append(_line(f"CPU hours of {SITES_A_PLATE} such sites", *(cost * SITES_A_PLATE / 3600 for cost in whole)))
    lines.append(_line("peak memory, MB", *(max(cost.peak_mb for cost in spent[engine]) for engine in ENGINES)))
    return lines


def of_shard(cost: Cost, wells: int) -> list[str]:
    """Return the lines of what the wells take in one process."""
    modules = sum(cost.modules().values())
    return [
        f"  fast, {wells} wells in one process: {cost.cpu_seconds / wells:.2f} CPU seconds a site, "
        f"{modules / wells:.2f} of them in modules; peak memory {cost.peak_mb:.0f} MB",
    ]


def _line(name: str, stock: float, fast: float) -> str:
    return f"  {name:<48}{stock:8.2f}{fast:8.2f}{stock / fast if fast else 1:8.1f}"


def compare(python: Path, plate: Plate, folder: Path, pipeline: Path | None) -> Iterator[str]:
    """Measure a plate's wells with both engines in turn, and yield the report; a value that differs ends it."""
    first = next(plate.images.glob("*.tif*"))
    shaded_functions(plate, tifffile.TiffFile(first).pages[0].shape[0])
    plate.write_tables()
    wells = len(plate.sites)
    spent: dict[str, list[Cost]] = {engine: [] for engine in ENGINES}
    compared = equality.Comparison()
    for well in range(1, wells + 1):
        for engine in ENGINES:
            place = folder / f"{engine}{well}"
            spent[engine].append(measure(python, plate, place, f"{well}/{wells}", engine, pipeline))
        compared.add(equality.compare(folder / f"fast{well}/files", folder / f"stock{well}/files"))
    shard = measure(python, plate, folder / "shard", "1/1", "fast", pipeline)
    yield from (*costs(spent, wells), *of_shard(shard, wells), *agreement(compared))
    if compared.all.bad:
        sys.exit("\n".join(compared.first))


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--wells", type=int, default=4)
    flags.add_argument("--plates", default="real,demo")
    flags.add_argument("--pipeline", choices=["own", "second"], default="own")
    args = flags.parse_args()
    environments.make("cellprofiler")
    python = environments.python("cellprofiler")
    for name in args.plates.split(",") if args.pipeline == "own" else ["real"]:
        with tempfile.TemporaryDirectory(prefix="fast-cellprofiler-") as scratch:
            place = Path(scratch) / "plate"
            real = name == "real"
            plate = real_plate(place, args.images, args.wells) if real else demo_plate(place, args.wells)
            second = args.pipeline == "second"
            pipeline = second_pipeline(Programs(python, place), Path(scratch) / "second.cppipe") if second else None
            print(f"{len(plate.sites)} wells, {name}, {len(plate.channels)} channels, {args.pipeline} pipeline")
            for line in compare(python, plate, Path(scratch), pipeline):
                print(line, flush=True)


if __name__ == "__main__":
    main()

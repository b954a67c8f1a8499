"""Measure a hundred sites as a run measures a plate, in shards side by side, and say what 3,456 such sites take.

    python tests/bench/plate_cost.py [--images DIR] [--sites 100] [--cores 2]

The sites are the four real wells, again and again under other names: each is decoded and measured anew. None is
audited, for that is one site of a plate, whatever its size. Then the floor: what reading, sorting and writing alone
take, by the libraries in use.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402
from tests.bench.cellprofiler_cost import Cost, measure  # noqa: E402
from tests.stages.cellprofiler.plates import NUMBERS, REAL_IMAGES, Plate, real_sites, shaded_functions  # noqa: E402

SITES_A_PLATE = 3456
SITES_A_WELL = 9
SITES_A_SHARD = 12  # [measure] sites_per_shard
COLUMNS = 24

# Run in the image's environment: CPU seconds of the least that a site needs, by the libraries that are in use.
FLOOR = """
import json, sys, time
from pathlib import Path
import hashlib
import numpy as np, tifffile
paths = [Path(word) for word in sys.argv[2:]]
def spent(act):
    started = time.process_time(); act(); return time.process_time() - started
planes = [tifffile.imread(path) for path in paths]
values = np.random.default_rng(1).normal(size=int(sys.argv[1]))
floats = [plane.astype(np.float32) / 65535 for plane in planes]
print(json.dumps({
    "decode the TIFFs": spent(lambda: [tifffile.imread(path) for path in paths]),
    "hash the files (CellProfiler notes their MD5)": spent(lambda: [hashlib.md5(p.read_bytes()) for p in paths]),
    "sort every channel's pixels once": spent(lambda: [np.argsort(plane.ravel(), kind="stable") for plane in planes]),
    "one pass over all pixels as floats": spent(lambda: [plane * plane for plane in floats]),
    "write the values as text": spent(lambda: [repr(value) for value in values.tolist()]),
}))
"""


def repeated(folder: Path, images: Path, sites: int) -> Plate:
    """Lay sites of 9 a well, each under its own name one of the real sites."""
    numbered = [(*divmod(number // SITES_A_WELL, COLUMNS), number % SITES_A_WELL) for number in range(sites)]
    places = tuple((f"{chr(65 + row)}{column + 1:02d}", str(site + 1)) for row, column, site in numbered)
    plate = Plate(folder, tuple(NUMBERS), places)
    real = Plate(folder, plate.channels, real_sites(images), at=images.resolve())
    plate.images.mkdir(parents=True)
    for number, place in enumerate(places):
        for channel in plate.channels:
            plate.image(*place, channel).symlink_to(real.image(*real.sites[number % len(real.sites)], channel))
    shaded_functions(plate, 1080)
    plate.write_tables()
    return plate


def in_shards(python: Path, plate: Plate, folder: Path, cores: int) -> list[Cost]:
    """Measure a plate in as many shards as a run does, `cores` at a time; their logs and peaks are each its own."""
    sites = len(plate.sites)
    shards = min(sites, cores * math.ceil(sites / (cores * SITES_A_SHARD)))

    def one(number: int) -> Cost:
        return measure(python, plate, folder / str(number), f"{number}/{shards}")

    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(one, range(1, shards + 1)))


def report(costs: list[Cost], sites: int, cpu: float, wall: float, cores: int) -> list[str]:
    """Return the lines of what the sites took, and of a whole plate."""
    modules: Counter[str] = Counter()
    for cost in costs:
        modules.update(cost.modules())
    in_modules = sum(modules.values())
    lines = [f"{sites} sites in {len(costs)} shards, {cores} at a time"]
    lines += [f"  {name:<44}{seconds / sites:8.2f} CPU seconds a site" for name, seconds in modules.most_common()]
    return [
        *lines,
        f"  {'all modules':<44}{in_modules / sites:8.2f} CPU seconds a site",
        f"  {'start-up, checks and export':<44}{(cpu - in_modules) / sites:8.2f} CPU seconds a site",
        f"  {'everything':<44}{cpu / sites:8.2f} CPU seconds a site",
        f"  {'wall':<44}{wall / sites:8.2f} seconds a site ({cpu / wall:.1f} cores busy)",
        f"  {'peak memory of a process':<44}{max(cost.peak_mb for cost in costs):8.0f} MB",
        f"  {f'{SITES_A_PLATE} sites':<44}{cpu / sites * SITES_A_PLATE / 3600:8.1f} CPU hours",
    ]


def floor(python: Path, plate: Plate, values: int) -> list[str]:
    """Return the lines of what a site needs at least."""
    files = [plate.image(*plate.sites[0], channel) for channel in plate.channels]
    command = [python, "-c", FLOOR, str(values), *map(str, files)]
    environment = {**os.environ, **environments.variables("cellprofiler"), "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout)
    lines = [f"  {name:<56}{seconds:8.3f}" for name, seconds in found.items()]
    return ["the floor of a site, CPU seconds", *lines, f"  {'together':<56}{sum(found.values()):8.3f}"]


def values_of(folder: Path) -> int:
    """Return how many values a site's tables hold."""
    site = next(folder.glob("*/files/*"))
    return sum(line.count(",") + 1 for path in site.glob("*.csv") for line in path.read_text().splitlines()[1:])


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--sites", type=int, default=100)
    flags.add_argument("--cores", type=int, default=os.cpu_count())
    args = flags.parse_args()
    environments.make("cellprofiler")
    python = environments.python("cellprofiler")
    with tempfile.TemporaryDirectory(prefix="plate-cost-") as scratch:
        plate = repeated(Path(scratch) / "plate", args.images, args.sites)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        costs = in_shards(python, plate, Path(scratch) / "shards", args.cores)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print("\n".join(report(costs, args.sites, cpu, wall, args.cores)), flush=True)
        print("\n".join(floor(python, plate, values_of(Path(scratch) / "shards"))))


if __name__ == "__main__":
    main()

"""Measure what CellProfiler costs on the real wells: CPU seconds by module and start-up, memory, and the peers' way.

    python tests/bench/cellprofiler_cost.py [--images DIR] [--wells 4]

Ours is one process for all sites of a shard; the peers' way (nf-core/cellpainting) is one process a site. Both
run one after the other; CPU seconds are those of the program and of CellProfiler, its child.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402
from tasks.workflow import segmentation  # noqa: E402
from tests.stages.cellprofiler.plates import FOLDER, NUMBERS, PLATE, REAL_IMAGES, Plate, real_sites, words_of  # noqa: E402

STEP = re.compile(r"Image # (\d+), module (\w+) # \d+: CPU_time = ([\d.]+) secs")


@dataclass(frozen=True)
class Cost:
    """What one run of a program took."""

    cpu_seconds: float
    peak_mb: float
    log: str

    def modules(self) -> dict[str, float]:
        """Return CPU seconds by module over all sites."""
        spent: dict[str, float] = defaultdict(float)
        for _, module, seconds in STEP.findall(self.log):
            spent[module] += float(seconds)
        return dict(spent)

    def startup(self) -> float:
        """Return the CPU seconds outside of modules: checks, Java, imports, export."""
        return self.cpu_seconds - sum(self.modules().values())


def run(python: Path, output: Path, program: str, words: list[object]) -> Cost:
    """Run a program of the image, and return its cost with that of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output.mkdir(parents=True)
    own = {"PYTHONPATH": str(REPOSITORY / "containers"), "TMPDIR": str(output)}
    with open(output / "log", "w+") as log:
        ran = subprocess.Popen(
            [python, FOLDER / program, *map(str, words), "--output", str(output)],
            env={**os.environ, **environments.variables("cellprofiler"), **own},
            cwd=output,
            stdout=log,
            stderr=log,
        )
        peak = _peak_mb(ran)
        log.seek(0)
        text = log.read()
    if ran.returncode:
        sys.exit(f"{program} failed:\n{text[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(spent, peak, text)


def _peak_mb(process: subprocess.Popen) -> float:
    """Wait for a process; return the highest VmHWM seen of it or a descendant."""
    peak = 0.0
    while True:
        try:
            process.wait(timeout=0.5)
            return peak
        except subprocess.TimeoutExpired:
            peak = max([peak, *(_high_water(number) for number in _family(process.pid))])


def _family(number: int) -> list[int]:
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return []
    return [number, *(member for child in children for member in _family(int(child)))]


def _high_water(number: int) -> float:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{number}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def measure(
    python: Path, plate: Plate, output: Path, shard: str, engine: str = "fast", pipeline: Path | None = None
) -> Cost:
    words = ["--plate", PLATE, "--load_data_with_illum", plate.table(True), "--images", plate.images]
    words += ["--illumination", plate.illumination, "--pipeline", pipeline or FOLDER / "pipelines/analysis.cppipe"]
    words += ["--engine", engine, "--audit_sites", 0, "--write_analysis", output / "files", "--shard", shard]
    words += ["--tables", "csv", "--cell_values", "float64"]
    return run(python, output, "measure.py", [*words, *words_of(segmentation.plain())])


def illumination(python: Path, plate: Plate, output: Path, engine: str = "fast") -> Cost:
    words = ["--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images]
    words += ["--pipeline", FOLDER / "pipelines/illumination.cppipe", "--engine", engine]
    return run(
        python,
        output,
        "illumination.py",
        [*words, "--write_illumination", plate.illumination, "--max_failed_fraction", 0, "--shard", "1/1"],
    )


def table(ours: Cost, peers: list[Cost], shading: Cost, sites: int) -> list[str]:
    """Return the lines of the report."""
    theirs = sum(cost.cpu_seconds for cost in peers)
    spent = sorted(ours.modules().items(), key=lambda item: -item[1])
    lines = [f"{'CPU seconds a site':<44}{'s':>8}"]
    lines += [f"  {name:<42}{seconds / sites:8.2f}" for name, seconds in spent]
    lines += [
        f"  {'all modules (the work)':<42}{sum(ours.modules().values()) / sites:8.2f}",
        f"  {'start-up, checks and export, per site':<42}{ours.startup() / sites:8.2f}",
        f"  {'ours: one process, ' + str(sites) + ' sites':<42}{ours.cpu_seconds / sites:8.2f}",
        f"  {'peers: one process a site':<42}{theirs / sites:8.2f}",
        f"  {'of which outside of modules':<42}{sum(cost.startup() for cost in peers) / sites:8.2f}",
        f"{'peers / ours':<44}{theirs / ours.cpu_seconds:8.2f}",
        f"{'peak memory, ours, MB':<44}{ours.peak_mb:8.0f}",
        f"{'peak memory, one site, MB':<44}{max(cost.peak_mb for cost in peers):8.0f}",
        f"{'illumination, CPU seconds an image':<44}{shading.cpu_seconds / sites / len(NUMBERS):8.2f}",
        f"{'illumination, peak memory, MB':<44}{shading.peak_mb:8.0f}",
    ]
    return lines


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--wells", type=int, default=4)
    args = flags.parse_args()
    environments.make("cellprofiler")
    python = environments.python("cellprofiler")
    with tempfile.TemporaryDirectory(prefix="cellprofiler-cost-") as scratch:
        folder = Path(scratch)
        plate = Plate(folder, tuple(NUMBERS), real_sites(args.images)[: args.wells], at=args.images.resolve())
        plate.illumination.mkdir()
        plate.write_tables()
        shading = illumination(python, plate, folder / "illum")
        ours = measure(python, plate, folder / "ours", "1/1")
        sites = len(plate.sites)
        peers = [measure(python, plate, folder / f"peer{k}", f"{k}/{sites}") for k in range(1, sites + 1)]
        print("\n".join(table(ours, peers, shading, sites)))


if __name__ == "__main__":
    main()

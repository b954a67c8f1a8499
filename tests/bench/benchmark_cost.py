"""Measure what the benchmark costs: a group by our definition and by plain copairs, more plates, and a whole batch.

    .venv/bin/python tests/bench/benchmark_cost.py [--permutations 100000] [--groups 12]

Prints CPU seconds and peak memory of every step, the ratio to copairs (in this run), and of the batch the time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402
from tests.stages.benchmark.drawn_batch import BATCH, Drawing  # noqa: E402

PROGRAMS = REPOSITORY / "containers" / "benchmark"
PATTERN = "{plate}_normalized_feature_select_negcon_batch.csv.gz"
RANKED = """
import time
import numpy as np, pandas as pd
import problems, ranking

def all_pairs(values, queries):
    unit, found = ranking.unit_rows(values), []
    for start in range(0, len(queries), 256):
        block = queries[start : start + 256]
        similar = np.round(unit[[query.row for query in block]] @ unit.T, ranking.DIGITS)
        found += [ranking.average_precision(row[q.positives], row[q.negatives]) for q, row in zip(block, similar)]
    return np.array(found)

for plates in (4, 16, 30):
    wells = plates * 384
    values = np.random.default_rng(0).normal(size=(wells, 700))
    number = np.arange(wells) % 384
    label = np.array([f"B{at % 80}" if at < 320 else "" for at in number], dtype=object)
    plate = np.repeat([f"P{at}" for at in range(plates)], 384).astype(object)
    nothing = np.full(wells, "", dtype=object)
    asked = problems.replicability(pd.DataFrame({"plate": plate}), values, label, number >= 320, plate, nothing)
    spent, made = [], []
    for way in (ranking.average_precisions, all_pairs):
        before = time.process_time()
        made.append(way(values, asked.queries))
        spent.append(time.process_time() - before)
    print(f"average precisions, {plates} plates: own rows {spent[0]:.2f}, all pairs {spent[1]:.2f} CPU s, "
          f"ratio {spent[1] / spent[0]:.1f}; equal values: {(made[0] == made[1]).all()}", flush=True)
"""
"""Average precisions by a query's own rows, and by the similarities of all pairs, as they were computed before."""


@dataclass(frozen=True)
class Cost:
    """What a process and its children took."""

    cpu_seconds: float
    peak_mb: float
    seconds: float


def cost_of(words: list[str], environment: dict[str, str]) -> Cost:
    """Run a command; its failure is ours. The peak is that of the largest process."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        own = {**os.environ, **environment}
        process = subprocess.Popen(words, cwd=REPOSITORY, env=own, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            said.seek(0)
            raise SystemExit(f"{said.read()[-3000:]}\n{' '.join(words)} failed: {status}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.monotonic() - started)


def replicability(dataset: Path, plates: list[str], definition: str, permutations: int, output: Path) -> Cost:
    files = [dataset / "workspace/profiles" / BATCH / plate / PATTERN.format(plate=plate) for plate in plates]
    flags = {
        "plate": "group", "output": output, "definition": definition, "behaviour": "corrected",
        "permutations": permutations, "seed": 0, "threshold": 0.05, "describe": "Description=group", "missing": "",
        "same_by": "Metadata_broad_sample", "different_by": "", "negatives": "Metadata_control_type == 'negcon'",
        "negatives_same_by": "Metadata_Plate", "write_consensus": output / "consensus.csv.gz",
    }  # fmt: skip
    flags |= {f"write_replicability_{kind}": output / f"{kind}.csv" for kind in ("ap", "map", "fr")}
    words = [str(environments.python("benchmark")), str(PROGRAMS / "replicability.py")]
    words += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    words += ["--profiles", *map(str, files)]
    return cost_of(words, {"PYTHONPATH": str(REPOSITORY / "containers"), "OPENBLAS_NUM_THREADS": "1"})


def own_rows_and_all_pairs() -> None:
    paths = os.pathsep.join([str(REPOSITORY / "containers"), str(PROGRAMS)])
    own = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([str(environments.python("benchmark")), "-c", RANKED], check=True, env=own)


def whole_batch(root: Path, definition: str, permutations: int, cores: int) -> Cost:
    config = root.parent / "luigi.cfg"
    config.write_text(
        (REPOSITORY / "luigi.cfg")
        .read_text()
        .replace("root = data_root", f"root = {root}")
        .replace("engine = auto", "engine = process")
        .replace("cores = auto", f"cores = {cores}")
        .replace("; permutations = 100000", f"permutations = {permutations}")
    )
    words = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks", "RunBenchmark", "--batch-id", BATCH]
    words += ["--definition", definition, "--workers", str(cores)]
    return cost_of(words, {"LUIGI_CONFIG_PATH": str(config)})


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--permutations", type=int, default=100_000)
    flags.add_argument("--groups", type=int, default=12)
    flags.add_argument("--cores", type=int, default=2)
    args = flags.parse_args()
    environments.make("benchmark")
    own_rows_and_all_pairs()
    with tempfile.TemporaryDirectory(prefix="benchmark-cost-") as scratch:
        root = Path(scratch) / "root"
        dataset = root / "cpg0000-jump-pilot" / "source_4"
        count = Drawing(groups=args.groups).write(dataset)
        plates = sorted(path.name for path in (dataset / "workspace/profiles" / BATCH).iterdir())
        print(f"{'':<44}{'CPU s':>8}{'peak MB':>9}{'s':>8}")
        costs = {}
        for definition in ("final", "copairs"):
            costs[definition] = replicability(dataset, plates[:4], definition, args.permutations, Path(scratch) / "o")
            tell(f"replicability, 4 plates, {definition}", costs[definition])
        print(f"{'copairs / final':<44}{costs['copairs'].cpu_seconds / costs['final'].cpu_seconds:8.2f}")
        for number in (1, 2, 8, 16):
            if number <= count:
                cost = replicability(dataset, plates[:number], "final", args.permutations, Path(scratch) / "o")
                tell(f"replicability, {number} plates, final", cost)
        cost = whole_batch(root, "final", args.permutations, args.cores)
        tell(f"RunBenchmark, {args.groups} groups, {count} plates", cost)


def tell(what: str, cost: Cost) -> None:
    print(f"{what:<44}{cost.cpu_seconds:8.1f}{cost.peak_mb:9.0f}{cost.seconds:8.1f}", flush=True)


if __name__ == "__main__":
    main()

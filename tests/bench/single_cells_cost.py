"""Measure what it costs to collate and to aggregate a drawn plate of CPJUMP1's density: 9 sites of 150 cells a well.

    python tests/bench/single_cells_cost.py [--wells 20] [--features 1900] [--scratch DIR] [--peer]

20 wells are 2.8 GB of csv. A plate of 384 wells costs 384 / wells times as much: nothing is kept from well to well but
its row. `--peer` runs pycytominer's SingleCells on the sqlite too, for comparison.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402

PROGRAMS = REPOSITORY / "containers/pycytominer"
PLATE, SITES, CELLS, WELLS = "BENCH1", 9, 150, 384
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
KINDS = 5  # so many different tables are drawn for each compartment; the sites take turns
PEER = """
import sys
from pycytominer.cyto_utils.cells import SingleCells
wells = SingleCells("sqlite:///" + sys.argv[1], aggregation_operation="mean").aggregate_profiles()
wells.to_csv(sys.argv[2], index=False, float_format="%.5g")
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu_seconds: float
    peak_gb: float


def draw(folder: Path, wells: int, features: int) -> None:
    """Write the site folders of a plate: numbers of 16 digits, one value in a hundred missing."""
    rng = np.random.default_rng(0)
    kinds = {name: [_table(name, features, rng) for _ in range(KINDS)] for name in COMPARTMENTS}
    for at in range(wells * SITES):
        well, site = f"{chr(65 + at // SITES // 24)}{at // SITES % 24 + 1:02d}", at % SITES + 1
        place = folder / f"{PLATE}-{well}-{site}"
        place.mkdir(parents=True)
        counts = ",".join(f"Count_{name}" for name in COMPARTMENTS)
        head = f"{counts},ImageNumber,Metadata_Plate,Metadata_Well,Metadata_Site"
        (place / "Image.csv").write_text(f"{head}\n{CELLS},{CELLS},{CELLS},1,{PLATE},{well},{site}\n")
        for name, tables in kinds.items():
            (place / f"{name}.csv").write_bytes(tables[at % KINDS])


def _table(name: str, features: int, rng: np.random.Generator) -> bytes:
    values = rng.normal(1, 0.5, (CELLS, features))
    texts = np.where(rng.random(values.shape) < 0.01, "nan", values.astype("U25"))
    parents = ["Parent_Cells", "Parent_Nuclei"] if name == "Cytoplasm" else []
    lines = [",".join(["ImageNumber", "ObjectNumber", *parents, *(f"Texture_{at}" for at in range(features))])]
    for number, row in enumerate(texts, start=1):
        lines.append(",".join(["1", str(number), *(str(number) for _ in parents), *row]))
    return ("\r\n".join(lines) + "\r\n").encode()


def run(*words: object) -> Cost:
    """Run a command in the stages' environment on one thread, and return what it took."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": str(REPOSITORY / "containers")}
    python = str(environments.python("pycytominer"))
    process = subprocess.Popen([python, "-W", "ignore", *map(str, words)], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, words))}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20)


def aggregate(folder: Path, source: str, path: Path) -> Cost:
    sources = {**dict.fromkeys(("analysis", "backend", "cells"), []), source: [path]}
    words = [word for name, paths in sources.items() for word in (f"--{name}", *paths)]
    words += ["--plate", PLATE, "--source", source, "--method", "mean", "--behaviour", "corrected"]
    words += ["--compartment_counts", "false", "--max_failed_fraction", "0"]
    words += ["--write_profiles", folder / f"{source}.csv.gz", "--output", folder / f"aggregate-{source}"]
    return run(PROGRAMS / "aggregate.py", *words)


def collate(folder: Path, sqlite: bool, parquet: bool) -> Cost:
    words = ["--plate", PLATE, "--analysis", folder / "analysis", "--output", folder / "collate"]
    words += ["--sqlite", str(sqlite).lower(), "--parquet", str(parquet).lower(), "--max_failed_fraction", "0"]
    words += ["--write_backend", folder / "plate.sqlite", "--write_cells", folder / "cells"]
    return run(PROGRAMS / "collate.py", *words)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--wells", type=int, default=20)
    flags.add_argument("--features", type=int, default=1900, help="of each compartment")
    flags.add_argument("--scratch", type=Path, help="a folder with room for 0.4 GB a well")
    flags.add_argument("--peer", action="store_true")
    args = flags.parse_args()
    environments.make("pycytominer")
    with tempfile.TemporaryDirectory(prefix="single-cells-cost-", dir=args.scratch) as scratch:
        folder = Path(scratch)
        draw(folder / "analysis", args.wells, args.features)
        times = WELLS / args.wells
        print(f"{args.wells} wells x {SITES} sites x {CELLS} cells, 3 x {args.features} features; CPU seconds")
        print(f"{'':<44}{'measured':>9}{'a plate':>9}{'peak GB':>9}")
        steps = {
            "wells from the site csv files": lambda: aggregate(folder, "analysis", folder / "analysis"),
            "Parquet from the site csv files": lambda: collate(folder, sqlite=False, parquet=True),
            "sqlite and Parquet from the site csv files": lambda: collate(folder, sqlite=True, parquet=True),
            "wells from the sqlite": lambda: aggregate(folder, "backend", folder / "plate.sqlite"),
            "wells from the Parquet": lambda: aggregate(folder, "cells", folder / "cells"),
        }
        if args.peer:
            steps["pycytominer's SingleCells, from the sqlite"] = lambda: run(
                "-c", PEER, folder / "plate.sqlite", folder / "peer.csv"
            )
        for name, step in steps.items():
            shutil.rmtree(folder / "collate", ignore_errors=True)
            cost = step()
            print(f"{name:<44}{cost.cpu_seconds:9.1f}{cost.cpu_seconds * times:9.0f}{cost.peak_gb:9.2f}", flush=True)


if __name__ == "__main__":
    main()

"""Measure what the values of cells cost on their way to well averages: as csv, and as Parquet with sums.

    python tests/bench/tables_cost.py [--wells 2] [--features 1900] [--scratch DIR]

Sites of CPJUMP1's density (9 of 150 cells a well) are drawn as arrays, as CellProfiler holds them when it exports.
From there: csv is written as its ExportToSpreadsheet writes it, published a folder a site, averaged, and collated to
sqlite and Parquet; against it the values are handed on, published as Parquet with sums, and averaged. Each step runs
on one thread in the environment of its image. Bytes are what /proc/<pid>/io counts (rchar, wchar), which includes what
stays in memory: files that are deleted within seconds. A plate of 384 wells costs 384 / wells times as much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402

CONTAINERS = REPOSITORY / "containers"
PLATE, SITES, CELLS, WELLS = "BENCH1", 9, 150, 384
DRAW = """
import csv, json, sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[2])
told = json.loads(sys.argv[1])
produced, form, features = Path(told["produced"]), told["form"], told["features"]
rng = np.random.default_rng(0)
names = [f"Texture_{at}" for at in range(features)]
numbers = np.arange(1, told["cells"] + 1)
spent = 0.0
for number, site in enumerate(told["sites"], start=1):
    drawn = {}
    for table in ("Cells", "Cytoplasm", "Nuclei"):
        drawn[table] = rng.normal(1, 0.5, (told["cells"], features))
        drawn[table][rng.random(drawn[table].shape) < 0.01] = np.nan
    started = time.process_time()
    folder = produced / site
    folder.mkdir(parents=True)
    well, place = site.split("-")
    image = {"ImageNumber": number, **{f"Count_{table}": told["cells"] for table in drawn}}
    image.update({"FileName_OrigDNA": f"{site}.tiff", "Metadata_Plate": told["plate"], "Metadata_Well": well})
    image["Metadata_Site"] = place
    written = {"Image": [image.keys(), image.values()], "Experiment": [["Key", "Value"], ["Pipeline", "x"]]}
    for name, rows in written.items():
        with open(folder / f"{name}.csv", "w", newline="") as out:
            csv.writer(out).writerows(rows)
    for table, values in drawn.items():
        links = [numbers, numbers] if table == "Cytoplasm" else []
        header = ["ImageNumber", "ObjectNumber", *(["Parent_Cells", "Parent_Nuclei"] if links else []), *names]
        columns = [np.repeat(number, len(numbers)), numbers, *links, *values.T]
        if form == "csv":  # as cellprofiler.modules.exporttospreadsheet.make_object_file does
            with open(folder / f"{table}.csv", "w", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(header)
                for at in range(len(numbers)):
                    writer.writerow([column[at] if at < column.shape[0] else np.nan for column in columns])
        else:  # as plugins/exporttospreadsheet.py does
            (folder / f"{table}.names").write_text("\\n".join(header))
            np.save(folder / f"{table}.npy", np.stack(columns).astype(float))
    spent += time.process_time() - started
Path(told["spent"]).write_text(str(spent))
"""
PUBLISH = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import site_folders, site_objects
from site_folders import Site
told = json.loads(sys.argv[1])
produced, target, plate, names = Path(told["produced"]), Path(told["target"]), told["plate"], told["sites"]
rows = [{"Metadata_Plate": plate, "Metadata_Well": name.split("-")[0], "Metadata_Site": name.split("-")[1],
         "FileName_OrigDNA": f"{name}.tiff"} for name in names]
sites = [Site(row, number) for number, row in enumerate(rows, start=1)]
target.mkdir()
if told["form"] == "csv":
    site_folders.publish(produced, plate, sites, target)
    for name in names:
        site_objects.read(target / f"{plate}-{name}")
else:
    import site_tables
    site_tables.publish(produced, plate, sites, names, told["kind"], target)
"""
IMPORTS = "import sys; sys.path.insert(0, sys.argv[1]); import aggregate"


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    cpu_seconds: float
    read_gb: float
    written_gb: float
    peak_gb: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            self.read_gb + other.read_gb,
            self.written_gb + other.written_gb,
            max(self.peak_gb, other.peak_gb),
        )

    def less(self, start: Cost) -> Cost:
        """Return what it took beside the start of the program."""
        return replace(
            self,
            cpu_seconds=self.cpu_seconds - start.cpu_seconds,
            read_gb=self.read_gb - start.read_gb,
            written_gb=self.written_gb - start.written_gb,
        )


def run(image: str, *words: object) -> Cost:
    """Run Python of an image on one thread; return what the process took, its start and imports included."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": str(CONTAINERS)}
    python = str(environments.python(image))
    process = subprocess.Popen([python, "-W", "ignore", *map(str, words)], env=environment, stderr=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its /proc stays until it is waited for
    told = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, words))[:300]}")
    read, written = (int(told[name]) / 1e9 for name in ("rchar", "wchar"))
    return Cost(usage.ru_utime + usage.ru_stime, read, written, usage.ru_maxrss / 2**20)


def aggregate(folder: Path, analysis: Path) -> Cost:
    words = ["--plate", PLATE, "--source", "analysis", "--analysis", analysis, "--backend", "--cells"]
    words += ["--method", "mean", "--behaviour", "corrected", "--compartment_counts", "false", "--parquet", "false"]
    words += ["--max_failed_fraction", "0", "--write_profiles", folder / f"{analysis.name}.csv.gz"]
    words += ["--write_parquet", folder / "none.parquet", "--output", folder / f"aggregate-{analysis.name}"]
    return run("pycytominer", CONTAINERS / "pycytominer/aggregate.py", *words)


def collate(folder: Path, analysis: Path) -> Cost:
    words = ["--plate", PLATE, "--analysis", analysis, "--output", folder / f"collate-{analysis.name}"]
    words += ["--sqlite", "true", "--parquet", "true", "--max_failed_fraction", "0"]
    words += ["--write_backend", folder / f"{analysis.name}.sqlite", "--write_cells", folder / f"{analysis.name}_cells"]
    return run("pycytominer", CONTAINERS / "pycytominer/collate.py", *words)


def way(folder: Path, form: str, wells: int, features: int, kind: str = "float64") -> dict[str, Cost]:
    """Return what each step of a form took; that values are drawn is nobody's cost."""
    sites = [f"{chr(65 + at // 24)}{at % 24 + 1:02d}-{site}" for at in range(wells) for site in range(1, SITES + 1)]
    name = f"{form}-{kind}"
    analysis = folder / name
    told = {"plate": PLATE, "sites": sites, "cells": CELLS, "features": features, "form": form, "kind": kind}
    told |= {"produced": str(folder / f"produced-{name}"), "target": str(analysis)}
    told |= {"spent": str(folder / f"spent-{name}")}
    steps, own = {}, CONTAINERS / "cellprofiler"
    drawn = run("cellprofiler", "-c", DRAW, json.dumps(told), own)
    steps["written by CellProfiler"] = replace(drawn, cpu_seconds=float(Path(told["spent"]).read_text()), read_gb=0.0)
    steps["published"] = run("cellprofiler", "-c", PUBLISH, json.dumps(told), own)
    start = run("pycytominer", "-c", IMPORTS, CONTAINERS / "pycytominer")  # once a plate: not a well's cost
    steps["averaged"] = aggregate(folder, analysis).less(start)
    if form == "csv":
        steps["collated to sqlite and Parquet"] = collate(folder, analysis).less(start)
    return steps


def size_gb(*paths: Path) -> float:
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in found) / 1e9


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--wells", type=int, default=2)
    flags.add_argument("--features", type=int, default=1900, help="of each compartment")
    flags.add_argument("--scratch", type=Path, help="a folder with room for 1.2 GB a well")
    args = flags.parse_args()
    times = WELLS / args.wells
    print(f"{args.wells} wells x {SITES} sites x {CELLS} cells, 3 x {args.features} features; a plate is {WELLS} wells")
    print(f"{'':<42}{'CPU-s':>8}{'a plate':>9}{'read GB':>9}{'written':>9}{'peak GB':>9}")
    with tempfile.TemporaryDirectory(prefix="tables-cost-", dir=args.scratch) as scratch:
        folder = Path(scratch)
        sums = {}
        for form, kind in (("csv", "float64"), ("parquet", "float64"), ("parquet", "float32")):
            steps = way(folder, form, args.wells, args.features, kind)
            whole = sum(steps.values(), Cost(0, 0, 0, 0))
            for name, cost in {**steps, "all": whole}.items():
                figures = f"{cost.cpu_seconds:8.1f}{cost.cpu_seconds * times:9.0f}{cost.read_gb * times:9.1f}"
                title = f"{form} {kind}: {name}"
                print(f"{title:<42}{figures}{cost.written_gb * times:9.1f}{cost.peak_gb:9.2f}", flush=True)
            name = f"{form}-{kind}"
            made = [folder / name, folder / f"{name}.sqlite", folder / f"{name}_cells"]
            disk = size_gb(*(path for path in made if path.exists())) * times
            print(f"{f'{form} {kind}: on disk after it':<42}{disk:26.1f} GB a plate")
            sums[form, kind] = (whole, disk)
        texts = {(folder / f"{form}-{kind}.csv.gz").read_bytes() for form, kind in sums}
        print(f"well averages are {'the same bytes' if len(texts) == 1 else 'DIFFERENT'} in all forms")
        (csv, on_disk), (parquet, less) = (sums[form, "float64"] for form in ("csv", "parquet"))
        moved = [cost.read_gb + cost.written_gb for cost in (csv, parquet)]
        ratios = {"CPU": csv.cpu_seconds / parquet.cpu_seconds, "disk": on_disk / less, "moved": moved[0] / moved[1]}
        print("csv / Parquet: " + ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items()))


if __name__ == "__main__":
    main()

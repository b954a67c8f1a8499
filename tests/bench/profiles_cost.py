"""Measure the profile chain on drawn plates of CPJUMP1's size, and the joint selection over all plates of a batch.

    python tests/bench/profiles_cost.py [--plates 51] [--features 5800] [--holes 0.1]

At last the stage select_features_batch as it is run, with all its reading and writing, on a quarter of the plates and
on all: the time a plate takes and the memory should not grow.
Runs in the pycytominer stages' own environment on one thread, as the stages do. Ours and pycytominer's own correlation
filter judge the same plate; pycytominer's takes hours on a batch whose values have holes, so the ratio is of one plate.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
WELLS = 384
MEASURED = """
import resource, subprocess, sys  # a small process: a fork of this bench would count its memory as the program's
subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds, peak_gb = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
print(f"  {'the whole stage, with reading and writing':<58}{seconds:8.1f} s   peak        {peak_gb:5.2f} GB")
"""
COPIES = 0.1  # of the features repeat others


def enter_environment() -> None:
    """Go on as the pycytominer stages do: in their interpreter, on one thread."""
    sys.path.insert(0, str(REPOSITORY))
    from tasks.runtime.images import environments

    environments.make("pycytominer")
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    paths = os.pathsep.join([str(REPOSITORY / "containers"), str(REPOSITORY / "containers/pycytominer")])
    python = str(environments.python("pycytominer"))
    os.execve(python, [python, *sys.argv], {**os.environ, **threads, "PYTHONPATH": paths, "STAGE_BENCH": "inside"})


def draw(plates: int, features: int, holes: float) -> Iterator[Any]:
    """Yield plates of features with structure, copies and holes: a share `holes` of them lacks 3 % of its values."""
    import numpy as np
    import pandas as pd

    rng, copies = np.random.default_rng(0), int(features * COPIES)
    structure = rng.normal(size=(60, features))
    holey = rng.choice(features, int(features * holes), replace=False)
    names = [f"{('Cells', 'Cytoplasm', 'Nuclei')[at % 3]}_Texture_{at}" for at in range(features)]
    for _ in range(plates):
        values = rng.normal(size=(WELLS, 60)) @ structure
        values += rng.normal(0, 2, size=values.shape)
        values[:, features // 2 : features // 2 + copies] = values[:, :copies] + rng.normal(0, 0.5, (WELLS, copies))
        for column in holey:
            values[rng.random(WELLS) < 0.03, column] = np.nan
        yield pd.DataFrame(values, columns=names, copy=False)


def cost(name: str, work: Callable[[], Any]) -> tuple[Any, float]:
    """Do a piece of work; print and return its CPU seconds."""
    before = time.process_time()
    made = work()
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {name:<58}{seconds:8.1f} s   peak so far {peak:5.2f} GB", flush=True)
    return made, seconds


def one_plate(features: int, holes: float) -> None:
    """Measure the chain of a plate, and pycytominer's own correlation filter on it."""
    import annotate
    import normalize
    import pandas as pd
    import pycytominer

    wells = [f"{chr(65 + at // 24)}{at % 24 + 1:02d}" for at in range(WELLS)]
    (table,) = draw(1, features, holes)
    profile = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": wells}).join(table)
    samples = [f"B{at % 300}" for at in range(WELLS)]
    platemap = pd.DataFrame({"well_position": wells, "broad_sample": samples})
    control = ["negcon" if at < 16 else "" for at in range(300)]
    external = pd.DataFrame({"broad_sample": [f"B{at}" for at in range(300)], "control_type": control})
    joined, first = cost("annotate", lambda: annotate.join(profile, platemap, external))
    chosen = joined["Metadata_control_type"] == "negcon"
    scaled, second = cost("normalize", lambda: normalize.scale(joined, chosen, "mad_robustize"))
    samples = {"samples": "Metadata_control_type == 'negcon'", "features": list(table)}
    theirs = {**samples, "method": "mad_robustize", "mad_robustize_epsilon": 0}
    other, slow = cost("normalize, pycytominer's", lambda: pycytominer.normalize(joined, **theirs))
    print(
        f"  pycytominer's / ours {slow / second:.1f}; the same bits: {scaled[list(table)].equals(other[list(table)])}"
    )
    values = scaled[list(table)]
    lists, third = cost("select_features, four operations", lambda: judge(values))
    print(f"  {'the chain without reading and writing':<58}{first + second + third:8.1f} s")
    _, ours = cost("the correlation filter, ours", lambda: judge(values, "correlation_threshold"))
    theirs = {"features": list(values), "operation": "correlation_threshold", "corr_threshold": 0.9}
    kept, slow = cost("the correlation filter, pycytominer's", lambda: pycytominer.feature_select(values, **theirs))
    alike = set(values) - set(kept) == set(lists["correlation_threshold"])
    print(f"  pycytominer's / ours {slow / ours:.1f}; the same features are excluded: {alike}")


def judge(table: Any, operations: str = "variance_threshold,correlation_threshold,drop_na_columns,blocklist") -> Any:
    """Return what our selection excludes by the published settings."""
    import selection
    from stored_plates import StoredPlates

    stored = StoredPlates(Path(tempfile.gettempdir()))
    stored.add(table)
    features = stored.judged(list(table))
    return selection.excluded(features, operations.split(","), selection.Thresholds(0.05, 0.9, 0.05, 0.1))


def whole_stage(plates: int, features: int, holes: float) -> None:
    """Measure the program of the joint selection on files of a quarter of the plates, and of all."""
    import pandas as pd
    import profiles

    wells = [f"{chr(65 + at // 24)}{at % 24 + 1:02d}" for at in range(WELLS)]
    metadata = {"Metadata_broad_sample": "B", "Metadata_control_type": "", "Metadata_Well": wells}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"plate{number}.csv.gz" for number in range(plates)]
        for number, (path, values) in enumerate(zip(paths, draw(plates, features, holes), strict=True)):
            profiles.write(pd.DataFrame({**metadata, "Metadata_Plate": f"P{number}"}).join(values), path)
        for some in (paths[: max(plates // 4, 1)], paths):
            print(f"  {len(some)} plates", flush=True)
            subprocess.run([sys.executable, "-c", MEASURED, *words(some, folder)], check=True)


def words(paths: list[Path], folder: Path) -> list[str]:
    """Return the program and its flags, by the published settings."""
    flags: dict[str, list[str]] = {
        "profiles": [str(path) for path in paths],
        "write_profiles": [str(folder / f"selected_{path.name}") for path in paths],
        "write_parquet": [str(folder / f"{path.name}.parquet") for path in paths],
        "operations": ["variance_threshold,correlation_threshold,drop_na_columns,blocklist"],
        "blocklist": [],
        "write_excluded": [str(folder / "excluded.csv")],
        "output": [str(folder / "out")],
    }
    single = {
        "plate": "set",
        "na_cutoff": 0.05,
        "corr_threshold": 0.9,
        "freq_cut": 0.05,
        "unique_cut": 0.1,
        "outlier_cutoff": 500,
    }
    single |= {"behaviour": "corrected", "location_features": "auto", "parquet": "false"}
    flags |= {name: [str(value)] for name, value in single.items()}
    program = str(REPOSITORY / "containers/pycytominer/select_features.py")
    return [program, *(word for name, values in flags.items() for word in (f"--{name}", *values))]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--plates", type=int, default=51)
    flags.add_argument("--features", type=int, default=5800)
    flags.add_argument("--holes", type=float, default=0.1, help="share of the features that lack some values")
    args = flags.parse_args()
    if os.environ.get("STAGE_BENCH") != "inside":
        enter_environment()
    print(f"one plate, {WELLS} wells x {args.features} features, CPU seconds")
    one_plate(args.features, args.holes)
    print(f"{args.plates} plates jointly")
    whole_stage(args.plates, args.features, args.holes)


if __name__ == "__main__":
    main()

"""How the benchmark's programs are called, and small tables of profiles for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.stages import warm

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "containers" / "benchmark"
sys.path.insert(0, str(PROGRAMS))  # the modules that need numpy and pandas only are tested in this process

LIBRARIES = ("pandas", "scipy.stats", "matplotlib.figure", "umap", "jinja2")
"""What the programs import, and takes long."""
NEGCON = "Metadata_control_type == 'negcon'"
COMMON = {
    "definition": "final", "behaviour": "corrected", "permutations": 2000, "seed": 0, "threshold": 0.05,
    "describe": "Description=g,Modality=compound,Cell=U2OS,time=long,timepoint=48", "missing": "",
}  # fmt: skip
REPLICABILITY = {
    "same_by": "Metadata_broad_sample", "different_by": "", "negatives": NEGCON, "negatives_same_by": "Metadata_Plate",
}  # fmt: skip
MATCHING = {"labels": "target_list,gene", "separator": "|", "similarity": "auto", "annotations": []}


@dataclass
class Outcome:
    """What a program did, and the tables that it wrote, by kind."""

    code: int
    stderr: str
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def table(self, kind: str) -> pd.DataFrame:
        (path,) = self.folder.glob(f"*_{kind}.csv*")
        return pd.read_csv(path, keep_default_na=False)

    @property
    def note(self) -> str:
        return str(self.table("fr")["note"].iloc[0])


def words_of(flags: dict[str, Any]) -> list[str]:
    words = []
    for name, value in flags.items():
        words += [f"--{name}", *map(str, value)] if isinstance(value, list) else [f"--{name}", str(value)]
    return words


def run_program(python: Path, folder: Path, name: str, **flags: Any) -> Outcome:
    """Run a program as a stage is run, in a folder of its own."""
    folder.mkdir()
    flags = {"plate": "g", "output": folder / "out", **flags}
    flags = {key: folder / value if key.startswith("write_") else value for key, value in flags.items()}
    # Compiling UMAP takes longer than a small one does; test_run_benchmark draws a compiled one.
    own = {"PYTHONPATH": str(ROOT / "containers"), "OPENBLAS_NUM_THREADS": "1", "NUMBA_DISABLE_JIT": "1"}
    words = [str(PROGRAMS / f"{name}.py"), *words_of(flags)]
    done = warm.process(python, LIBRARIES, tuple(own.items())).run(words, {**os.environ, **own})
    result = folder / "out" / "result.json"
    told = json.loads(result.read_text()) if result.exists() else {}
    return Outcome(done.returncode, done.stderr, folder, **told)


@pytest.fixture
def program(benchmark_python: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs a program by its name and flags."""
    count = iter(range(1000))
    return lambda name, **flags: run_program(benchmark_python, tmp_path / f"{name}_{next(count)}", name, **flags)


@pytest.fixture
def ranked(program: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Return a function that runs a task of the benchmark with usual flags."""

    def run(task: str, **flags: Any) -> Outcome:
        usual = {"replicability": {**REPLICABILITY, "write_consensus": "g_consensus.csv.gz"}}.get(task, MATCHING)
        tables = {f"write_{task}_{kind}": f"g_{task}_{kind}.csv" for kind in ("ap", "map", "fr")}
        return program(task, **{**COMMON, **usual, **tables, **flags})

    return run


@pytest.fixture
def plates(tmp_path: Path) -> Callable[..., list[Path]]:
    """Return a function that writes the wells of a table as a file a plate."""

    def write(table: pd.DataFrame) -> list[Path]:
        paths = []
        for plate, wells in table.groupby("Metadata_Plate", sort=False):
            paths.append(tmp_path / f"{plate}.csv.gz")
            wells.to_csv(paths[-1], index=False)
        return paths

    return write


@pytest.fixture
def wells() -> pd.DataFrame:
    """Return 2 plates of 22 wells: 6 negcon, 5 perturbations of 3 wells, one single; some profiles are equal."""
    rng = np.random.default_rng(5)
    samples = [f"P{number}" for number in range(5) for _ in range(3)] + ["alone"] + [""] * 6
    rows = [(plate, f"A{at:02d}", name) for plate in ("B1", "B2") for at, name in enumerate(samples)]
    table = pd.DataFrame(rows, columns=["Metadata_Plate", "Metadata_Well", "Metadata_broad_sample"])
    table["Metadata_control_type"] = np.where(table["Metadata_broad_sample"] == "", "negcon", "")
    table = table[(table["Metadata_broad_sample"] != "alone") | (table["Metadata_Plate"] == "B1")]
    # Whole numbers: many similarities are exactly equal.
    values = rng.integers(-2, 3, size=(len(table), 6)).astype(float)
    strong = table["Metadata_broad_sample"].isin(["P0", "P1"]).to_numpy()
    values[strong] += 3 * rng.integers(-1, 2, size=(2, 6))[table["Metadata_broad_sample"][strong].eq("P1").astype(int)]
    values[~values.any(axis=1), 0] = 1
    features = pd.DataFrame(values, columns=[f"Cells_{name}" for name in "abcdef"], index=table.index)
    return pd.concat([table, features], axis="columns").reset_index(drop=True)


@pytest.fixture
def consensus(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes consensus profiles of reagents: name -> (labels, retrieved)."""

    def write(name: str, reagents: dict[str, str], column: str = "target_list", lost: tuple[str, ...] = ()) -> Path:
        rng = np.random.default_rng(len(name))
        table = pd.DataFrame({"Metadata_broad_sample": list(reagents), f"Metadata_{column}": list(reagents.values())})
        table["Metadata_label"] = table["Metadata_broad_sample"]
        table["Metadata_retrieved"] = [str(reagent not in lost).lower() for reagent in reagents]
        values = pd.DataFrame(rng.normal(size=(len(table), 5)), columns=[f"Cells_{letter}" for letter in "abcde"])
        path = tmp_path / f"{name}_consensus.csv.gz"
        pd.concat([table, values], axis="columns").to_csv(path, index=False)
        return path

    return write


@pytest.fixture
def oracle(benchmark_python: Path) -> Callable[..., str]:
    """Return a function that runs a script in the benchmark's environment and returns what it prints."""

    def run(script: str, *words: object) -> str:
        words = (benchmark_python, "-W", "ignore", "-c", script, *words)
        return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout

    return run

"""A plate in miniature for the pycytominer stages, and how its programs are called."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.stages import warm

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "containers" / "pycytominer"
PLATE = "00117013"  # a number to every careless reader
WHITENING_BY_HAND = Path(__file__).with_name("whitening_by_hand.py").read_text()
"""A program of the pycytominer environment: it takes the file to write, then the plates."""
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
LIBRARIES = ("pandas", "pycytominer", "pyarrow.parquet", "kneed")
"""What most programs import, and takes long."""
OWN = {"PYTHONPATH": str(ROOT / "containers"), "OPENBLAS_NUM_THREADS": "1"}


def forked(python: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program, its path first, in a fork of a process of the environment."""
    return warm.process(python, LIBRARIES, tuple(OWN.items())).run(words, {**os.environ, **OWN})


@dataclass
class Outcome:
    """What a program did."""

    code: int
    stderr: str
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@pytest.fixture
def stage(pycytominer_python: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs a program as a stage is run: stage("annotate", profiles=..., ...)."""

    def run(program: str, plate: str = PLATE, output: Path = tmp_path / "out", **flags: Any) -> Outcome:
        words = [str(PROGRAMS / f"{program}.py"), "--plate", plate, "--output", str(output)]
        for name, value in with_copies(flags).items():
            words += [f"--{name}", *(map(str, value) if isinstance(value, list) else [str(value)])]
        done = forked(pycytominer_python, words)
        result = output / "result.json"
        told = json.loads(result.read_text()) if result.exists() else {}
        return Outcome(done.returncode, done.stderr, **told)

    return run


def with_copies(flags: dict[str, Any]) -> dict[str, Any]:
    """Add where a profile's Parquet copy goes, and that none is wanted unless the flags say so."""
    written = flags.get("write_profiles", flags.get("write_consensus"))
    if written is None or "write_cells" in flags:  # deep features: `parquet` is about their single cells
        return flags
    places = [
        Path(str(path).replace(".csv.gz", ".parquet")) for path in (written if isinstance(written, list) else [written])
    ]
    return {"parquet": "false", "write_parquet": places, **flags}


@pytest.fixture
def oracle(pycytominer_python: Path, tmp_path: Path) -> Callable[..., None]:
    """Return a function that runs a script in the pycytominer environment; `sys.argv[1:]` are the paths given."""

    def run(script: str, *paths: Path) -> None:
        program = tmp_path / "oracle.py"
        program.write_text(script)
        done = forked(pycytominer_python, [str(program), *map(str, paths)])
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    """Return the site folders of a plate: 3 wells, 2 sites each, a few cells with some values missing."""
    rng = np.random.default_rng(7)
    folder = tmp_path / "analysis"
    for well in ("A01", "A02", "B01"):
        for site in (1, 2):
            write_site(folder / f"{PLATE}-{well}-{site}", well, site, int(rng.integers(3, 9)), rng)
    return folder


def write_site(folder: Path, well: str, site: int, cells: int, rng: np.random.Generator) -> None:
    """Write the four csv files of a site as CellProfiler does: CRLF, ImageNumber 1, `nan` for a missing value."""
    folder.mkdir(parents=True)
    image = {f"Count_{name}": float(cells) for name in COMPARTMENTS}
    image |= {"ExecutionTime_01LoadData": 0.1, "FileName_OrigDNA": "r01.tiff", "ImageNumber": 1}
    image |= {"Metadata_Plate": PLATE, "Metadata_Site": site, "Metadata_Well": well, "PathName_OrigDNA": "/home/me"}
    write_csv(folder / "Image.csv", [list(image), list(image.values())])
    for name in COMPARTMENTS:
        parents = ["Parent_Cells", "Parent_Nuclei"] if name == "Cytoplasm" else []
        header = ["ImageNumber", "ObjectNumber", "AreaShape_Area", *parents, "Texture_X_DNA", "Number_Object_Number"]
        values = rng.normal(100, 30, (cells, 2)).astype(object)
        values[rng.random((cells, 2)) < 0.2] = "nan"
        rows = [[1, n + 1, values[n, 0], *[n + 1 for _ in parents], values[n, 1], n + 1] for n in range(cells)]
        write_csv(folder / f"{name}.csv", [header, *rows])


def write_csv(path: Path, rows: list[list[Any]]) -> None:
    """Write rows as CellProfiler does."""
    with open(path, "w", newline="") as lines:
        csv.writer(lines, lineterminator="\r\n").writerows(rows)


@pytest.fixture
def edit_csv() -> Callable[..., None]:
    """Return a function that rewrites a csv by a function of its rows."""

    def edit(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
        with open(path, newline="") as lines:
            rows = list(csv.reader(lines))
        write_csv(path, change(rows))

    return edit


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a table below the test's folder, tab separated unless its name has .csv."""

    def write(table: pd.DataFrame, name: str) -> Path:
        path = tmp_path / name
        table.to_csv(path, index=False, sep="," if ".csv" in name else "\t")
        return path

    return write


@pytest.fixture
def load() -> Callable[[Path], pd.DataFrame]:
    """Return a function that reads profiles: metadata as exact text, features as numbers."""

    def read(path: Path) -> pd.DataFrame:
        names = pd.read_csv(path, nrows=0).columns
        texts = {name: str for name in names if name.startswith("Metadata_")}
        return pd.read_csv(path, dtype=texts).fillna(dict.fromkeys(texts, ""))

    return read


@pytest.fixture
def annotated() -> pd.DataFrame:
    """Return annotated profiles of 24 wells: 8 negcon, 20 features, one of them constant in the negcon wells."""
    rng = np.random.default_rng(3)
    wells = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]
    control = ["negcon" if number % 3 == 0 else "" for number in range(24)]
    metadata = pd.DataFrame({"Metadata_broad_sample": "", "Metadata_Plate": PLATE, "Metadata_Well": wells})
    metadata["Metadata_control_type"] = control
    names = [f"{COMPARTMENTS[number % 3]}_Texture_{number:02d}" for number in range(20)]
    features = pd.DataFrame(rng.normal(5, 2, (24, 20)), columns=names)
    features.iloc[np.array(control) == "negcon", 4] = 2.5
    features.iloc[1, 5] = np.nan
    return pd.concat([metadata, features], axis="columns")

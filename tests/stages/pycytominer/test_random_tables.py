"""Over many drawn tables, of every awkward kind, the programs write what the slow and obvious computation gives."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.stages.pycytominer.conftest import (
    COMPARTMENTS,
    PLATE,
    PROGRAMS,
    ROOT,
    WHITENING_BY_HAND,
    with_copies,
    write_csv,
)
from tests.stages.pycytominer.test_consensus import BY_HAND

DRAWS = range(25)
FIRST_DIGITS = 6e-5  # relative: what is written has five digits
RUN_ALL = """
import json, runpy, sys
codes = []
for words in json.load(sys.stdin):
    sys.argv, sys.path[0] = words, words[0].rpartition("/")[0]
    try:
        runpy.run_path(words[0], run_name="__main__")
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code)
json.dump(codes, sys.stdout)
"""
Runs = Callable[[list[tuple[str, dict[str, Any]]]], list[int]]


@pytest.fixture(scope="module")
def run_all(pycytominer_python: str, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return a function that runs many programs, one after the other in one interpreter, and gives their exit codes."""

    def run(calls: list[tuple[str, dict[str, Any]]]) -> list[int]:
        lines = []
        for program, flags in calls:
            given = {"plate": PLATE, "output": tmp_path_factory.mktemp("run"), **with_copies(flags)}
            words = [(f"--{name}", *(value if isinstance(value, list) else [value])) for name, value in given.items()]
            lines.append([str(PROGRAMS / f"{program}.py"), *(str(word) for each in words for word in each)])
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "containers"), "OPENBLAS_NUM_THREADS": "1"}
        command = [pycytominer_python, "-W", "ignore", "-c", RUN_ALL]
        done = subprocess.run(
            command, input=json.dumps(lines), capture_output=True, text=True, env=environment, check=True
        )
        codes: list[int] = json.loads(done.stdout.splitlines()[-1])
        return codes

    return run


def draw_values(rng: np.random.Generator, wells: int, features: int) -> np.ndarray:
    """Return correlated features of all scales, some flat, some twice, some with ties, in a drawn order."""
    mixing = rng.normal(size=(max(2, features // 3), features))
    values = rng.normal(size=(wells, len(mixing))) @ mixing + rng.normal(0, 0.3, (wells, features))
    values = values * 10.0 ** rng.integers(-1, 5, features) + rng.normal(0, 50, features)
    values[:, rng.random(features) < 0.15] = np.round(rng.normal(), 1)
    values[:, :1] = values[:, -1:]
    tied = rng.random(features) < 0.2
    values[:, tied] = np.round(values[:, tied])
    return values[:, rng.permutation(features)]


def draw_plates(seed: int, with_holes: bool) -> list[pd.DataFrame]:
    """Return up to three plates of the same features, a few or many, whose wells are in any order."""
    rng = np.random.default_rng(seed)
    features, tables = int(rng.integers(4, 60)), []
    for number in range(int(rng.integers(1, 4))):
        wells = int(rng.integers(12, 40))
        places = rng.permutation([f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 7)])[:wells]
        table = pd.DataFrame({"Metadata_Plate": f"00{number}", "Metadata_Well": places})
        table["Metadata_control_type"] = ["negcon"] * 6 + list(rng.choice(["negcon", ""], wells - 6))
        table["Metadata_broad_sample"] = rng.choice(["B1", "B2", "B3", "B4", ""], wells)
        values = draw_values(rng, wells, features)
        if with_holes:
            values[:, 3:][rng.random((wells, features - 3)) < 0.01] = np.nan
        names = [f"{COMPARTMENTS[at % 3]}_Texture_{at:02d}" for at in range(features)]
        tables.append(table.join(pd.DataFrame(values, columns=names)))
    return tables


def features_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in table if not name.startswith("Metadata_")]]


def saved(tables: list[pd.DataFrame], folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"plate{number}.csv" for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        table.to_csv(path, index=False)
    return paths


def test_whitened_profiles_are_what_the_formula_gives(
    run_all: Runs, oracle: Callable[..., None], tmp_path: Path
) -> None:
    calls = []
    drawn = [draw_plates(seed, with_holes=True) for seed in DRAWS]
    for seed, tables in enumerate(drawn):
        paths = saved(tables, tmp_path / str(seed))
        written = [path.with_suffix(".out.csv.gz") for path in paths]
        flags = {"samples": "Metadata_control_type == 'negcon'", "behaviour": "corrected"}
        calls.append(("spherize", {"profiles": paths, "write_profiles": written, **flags}))
    codes = run_all(calls)
    compared = 0
    for seed, code in enumerate(codes):
        if code:
            continue  # no elbow: a named error
        paths = calls[seed][1]["profiles"]
        oracle(WHITENING_BY_HAND, tmp_path / f"{seed}.by_hand", *paths)
        expected = np.loadtxt(tmp_path / f"{seed}.by_hand", delimiter=",", ndmin=2)
        made = pd.concat([pd.read_csv(path) for path in calls[seed][1]["write_profiles"]])
        assert made.Metadata_Well.tolist() == pd.concat(drawn[seed]).Metadata_Well.tolist()
        np.testing.assert_allclose(features_of(made), expected, rtol=FIRST_DIGITS, atol=1e-5)
        compared += 1

    assert set(codes) <= {0, 65}
    assert compared >= 20


@pytest.mark.parametrize("operation", BY_HAND)
def test_replicates_become_what_a_person_would_compute(run_all: Runs, tmp_path: Path, operation: str) -> None:
    drawn = [draw_plates(seed, with_holes=True) for seed in DRAWS]
    calls = []
    for seed, tables in enumerate(drawn):
        flags = {"operation": operation, "replicates": "Metadata_broad_sample"}
        written = tmp_path / f"{seed}.csv.gz"
        calls.append(
            ("consensus", {"profiles": saved(tables, tmp_path / str(seed)), "write_consensus": written, **flags})
        )
    codes = run_all(calls)
    for tables, (_, flags) in zip(drawn, calls, strict=True):
        joined = pd.concat(tables)
        made = pd.read_csv(flags["write_consensus"], keep_default_na=False).set_index("Metadata_broad_sample")
        whole = features_of(joined).dropna(axis="columns").columns
        assert list(features_of(made)) == list(whole)
        assert made.index.tolist() == sorted(set(joined.Metadata_broad_sample))
        for sample, wells in joined.groupby("Metadata_broad_sample"):
            expected = BY_HAND[operation](wells[whole]) if len(wells) > 1 else wells[whole].iloc[0]
            largest = np.abs(wells[whole].to_numpy()).max(axis=0)  # what is left of a sum is as sure as its parts
            off = np.abs(made.loc[sample, whole].astype(float).to_numpy() - np.asarray(expected))
            assert (off <= FIRST_DIGITS * np.abs(expected) + 1e-9 * largest).all()

    assert set(codes) == {0}


def draw_cells(seed: int, folder: Path) -> dict[tuple[str, str], list[float]]:
    """Write the site folders of a plate; return every feature's values by well and feature, missing ones left out."""
    rng = np.random.default_rng(seed)
    names = ["AreaShape_Area", "Texture_X_DNA", "Intensity_Y_RNA"]
    values: dict[tuple[str, str], list[float]] = {}
    for well in ("A01", "H12", "P24", "B02")[: int(rng.integers(1, 5))]:
        for site in range(1, int(rng.integers(2, 5))):
            count = int(rng.integers(0, 12)) if site > 1 else int(rng.integers(1, 12))
            place = folder / f"{PLATE}-{well}-{site}"
            place.mkdir(parents=True)
            image = {f"Count_{name}": float(count) for name in COMPARTMENTS} | {"ImageNumber": 1}
            image |= {"Metadata_Plate": PLATE, "Metadata_Site": site, "Metadata_Well": well}
            write_csv(place / "Image.csv", [list(image), list(image.values())])
            for compartment in COMPARTMENTS:
                drawn = rng.normal(0, 10.0 ** rng.integers(-3, 6), (count, len(names)))
                drawn[rng.random(drawn.shape) < rng.choice([0, 0.3, 1], p=[0.5, 0.4, 0.1])] = np.nan
                parents = ["Parent_Cells", "Parent_Nuclei"] if compartment == "Cytoplasm" else []
                rows = [
                    [1, at + 1, *[at + 1 for _ in parents], *map(repr, map(float, drawn[at]))] for at in range(count)
                ]
                numbers = ["ImageNumber", "ObjectNumber", *parents]
                write_csv(place / f"{compartment}.csv", [[*numbers, *names], *rows])
                for at, name in enumerate(names):
                    known = [value for value in drawn[:, at].tolist() if value == value]
                    values.setdefault((well, f"{compartment}_{name}"), []).extend(known)
    return values


SLOW = {"mean": lambda values: sum(values) / len(values), "median": statistics.median}


@pytest.mark.parametrize("method", SLOW)
@pytest.mark.parametrize("source", ["analysis", "backend", "cells"])
def test_wells_are_averaged_as_a_person_would(run_all: Runs, tmp_path: Path, source: str, method: str) -> None:
    drawn, calls = {}, []
    for seed in DRAWS:
        folder = tmp_path / str(seed)
        places = {"analysis": folder / "analysis", "backend": folder / "plate.sqlite", "cells": folder / "cells"}
        drawn[folder] = draw_cells(seed, places["analysis"])
        collated = {"write_backend": places["backend"], "write_cells": places["cells"], "max_failed_fraction": 0}
        calls.append(("collate", {"analysis": places["analysis"], "sqlite": "true", "parquet": "true", **collated}))
        flags = {**dict.fromkeys(places, []), source: places[source], "source": source, "method": method}
        flags |= {"behaviour": "corrected", "compartment_counts": "false", "max_failed_fraction": 0}
        calls.append(("aggregate", {**flags, "write_profiles": folder / "wells.csv.gz"}))
    codes = run_all(calls)
    for folder, values in drawn.items():
        wells = pd.read_csv(folder / "wells.csv.gz").set_index("Metadata_Well")
        for (well, name), known in values.items():
            expected = SLOW[method](known) if known else np.nan
            close = 1e-5 * max(map(abs, known), default=0) if method == "mean" else 0
            assert wells.loc[well, name] == pytest.approx(expected, rel=FIRST_DIGITS, abs=close * 1e-4, nan_ok=True)

    assert set(codes) == {0}
    with open(next(iter(drawn)) / "analysis" / f"{PLATE}-A01-1" / "Cells.csv", newline="") as lines:
        assert len(list(csv.reader(lines))) > 1

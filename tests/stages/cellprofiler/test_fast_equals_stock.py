"""A module that takes the place of CellProfiler's own gives the same values, on hostile pictures and on a real well.

Nothing is compared with a stored number: CellProfiler's own module measures the same scene beside it.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.stages.cellprofiler.hostile_images import SCENES, UNCOVERED
from tests.stages.cellprofiler.plates import (
    NUMBERS,
    PLATE,
    Outcome,
    Programs,
    crop_plate,
    shaded_functions,
)

MODULES = (
    "MeasureColocalization",
    "MeasureGranularity",
    "MeasureObjectIntensity",
    "MeasureObjectIntensityDistribution",
    "MeasureObjectSizeShape",
    "MeasureTexture",
)
READER = "LoadData"  # has tests of its own
SHAPE_ONLY = "MeasureObjectSizeShape"  # no picture can be beyond what it covers
SEED = "1"
BOTH_WAYS = Path(__file__).with_name("measure_both_ways.py")


@pytest.fixture(scope="module", params=MODULES)
def compared(request: pytest.FixtureRequest, cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory):
    """Return a module's name and what its two versions measure: scene -> values, differences, what was said."""
    ran = subprocess.run(
        [cellprofiler_python, BOTH_WAYS, request.param, SEED],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path_factory.mktemp("both-ways"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return request.param, json.loads(ran.stdout)


def test_every_value_equals_stocks_on_every_scene(compared):
    scenes = compared[1]

    assert set(scenes) >= set(SCENES)
    assert {title: found["differ"][:3] for title, found in scenes.items() if found["differ"]} == {}
    assert all(found["values"] for title, found in scenes.items() if title != "no object")
    assert sum(found["values"] for found in scenes.values()) > 5000


def test_a_covered_scene_is_not_left_to_the_stock_code(compared):
    said = {title: found["said"] for title, found in compared[1].items() if title in SCENES and found["said"]}

    # A factor of 0.35 samples beyond the edge of some sizes, which stock masks; colocalization of whole images is
    # stock's by design; an image smaller than the texture's scale is an error, which is stock's own.
    expected = ("subsampling by 0.35", "too small", "whole images have no replacement", "no pixels that lie 10 apart")
    assert all(any(reason in words for reason in expected) for heard in said.values() for words in heard)


def test_an_uncovered_scene_runs_the_stock_code_and_says_why(compared):
    module, scenes = compared
    if module == SHAPE_ONLY:
        pytest.skip("it looks at no picture")
    for title in UNCOVERED.keys() & scenes.keys():
        assert any(UNCOVERED[title][1] in words for words in scenes[title]["said"]), (title, scenes[title]["said"])
        assert all(words.startswith(f"{module} measures ") for words in scenes[title]["said"])


@pytest.fixture(scope="module")
def real_well(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return a crop of a real site, measured with each engine by our eight-channel pipeline."""
    scratch = tmp_path_factory.mktemp("real-well")
    plate = crop_plate(scratch / "plate", tuple(NUMBERS), wells=1, size=400)
    shaded_functions(plate, 400)
    programs = Programs(cellprofiler_python, scratch)
    return {engine: programs.measure(plate, scratch / engine, engine=engine) for engine in ("fast", "stock")}


def values(outcome: Outcome, name: str) -> tuple[list[str], np.ndarray]:
    """Return a table's header and numbers; what is no number becomes NaN."""
    with open(next(outcome.analysis.glob(f"{PLATE}-*")) / name, newline="") as source:
        header, *rows = csv.reader(source)
    return header, np.array([[_number(cell) for cell in row] for row in rows])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


@pytest.mark.parametrize("name", ["Cells.csv", "Cytoplasm.csv", "Nuclei.csv", "Image.csv"])
def test_a_real_well_has_the_same_values_with_both_engines(real_well, name: str):
    (header, fast), (stock_header, stock) = (values(real_well[engine], name) for engine in ("fast", "stock"))

    assert header == stock_header
    assert fast.shape == stock.shape
    assert fast.size > (25_000 if name != "Image.csv" else 1400)
    wrong = ~np.isclose(fast, stock, rtol=1e-6, atol=1e-9, equal_nan=True)
    assert [header[column] for column in np.flatnonzero(wrong.any(axis=0))] == []


def test_a_real_well_is_measured_by_the_replacements_and_the_manifest_says_so(real_well):
    facts = {engine: outcome.facts() for engine, outcome in real_well.items()}

    assert (facts["fast"]["engine"], facts["stock"]["engine"]) == ("fast", "stock")
    assert facts["fast"]["replaced_modules"] == sorted([READER, *MODULES])
    assert facts["stock"]["replaced_modules"] == []
    assert facts["fast"]["ran_stock"] == {}


def test_measurements_held_in_memory_are_read_back_as_from_hdf5(cellprofiler_python: Path, tmp_path: Path):
    seeds = [str(seed) for seed in range(60)]
    ran = subprocess.run(
        [cellprofiler_python, "-W", "ignore", BOTH_WAYS.with_name("store_both_ways.py"), *seeds],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout) == 60 * 80

"""A pipeline of other modules and settings than ours has the same values with both engines, and says what ran stock.

Both are computed here, on crops of two real wells; tests/bench/fast_cellprofiler.py --pipeline second takes all four
whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from stagekit import equality
from stagekit.equality import Comparison

from tests.stages.cellprofiler.plates import NUMBERS, Outcome, Programs, crop_plate, second_pipeline

FAMILIES = {"AreaShape", "Correlation", "Granularity", "Intensity", "Location", "RadialDistribution", "Texture"}
REASONS = {
    "it is masked",
    "its pixels are float64, not float32",  # RescaleIntensity and EnhanceOrSuppressFeatures make such
    "whole images have no replacement",
    "those of intensities have no replacement",
}


@pytest.fixture(scope="module")
def measured(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return what each engine makes of the wells."""
    scratch = tmp_path_factory.mktemp("second")
    programs = Programs(cellprofiler_python, scratch)
    plate = crop_plate(scratch / "plate", tuple(NUMBERS), wells=2, size=192)
    pipeline = second_pipeline(programs, scratch / "second.cppipe")
    return {name: programs.measure(plate, scratch / name, pipeline=pipeline, engine=name) for name in ("fast", "stock")}


@pytest.fixture(scope="module")
def compared(measured: dict[str, Outcome]) -> Comparison:
    for outcome in measured.values():
        assert outcome.code == 0, outcome.stderr[-2000:]
    return equality.compare(measured["fast"].analysis, measured["stock"].analysis)


def test_every_value_of_every_table_is_the_same(compared: Comparison):
    assert compared.first == []
    assert compared.all.bad == 0
    assert compared.all.values > 50_000
    for table in ("Cells.csv", "Nuclei.csv"):
        assert {family for name, family in compared.tallies if name == table} >= FAMILIES - {"Texture"}
    for table in ("Cells.csv", "Cytoplasm.csv", "Image.csv"):
        assert compared.tallies[table, "Texture"].values > 1000


def test_measurements_of_measurements_are_the_same(compared: Comparison):
    means, ratios = (compared.tallies["Cells.csv", family] for family in ("Mean", "Math"))

    assert means.equal == means.values > ratios.values > 0
    assert ratios.equal == ratios.values


def test_what_ran_stock_is_told_and_the_rest_was_replaced(measured: dict[str, Outcome]):
    facts = measured["fast"].facts()
    masked = {why.split(" ran its")[0] for why in facts["ran_stock"] if why.endswith("it is masked")}

    assert masked == {
        "MeasureColocalization",
        "MeasureGranularity",
        "MeasureObjectIntensity",
        "MeasureObjectIntensityDistribution",
        "MeasureTexture",
    }
    assert masked <= set(facts["replaced_modules"])
    assert {"CalculateMath", "FilterObjects", "MaskImage", "RelateObjects"} <= set(facts["unreplaced_modules"])
    assert {why.split(" ran its stock code: ")[1] for why in facts["ran_stock"]} == REASONS

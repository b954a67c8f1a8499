"""What does not vary, is infinite or missing is treated alike by every method, and what varies too little is told."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.stages.pycytominer.test_normalize import PROGRAMS, by_hand

METHODS = ("mad_robustize", "robustize", "standardize")
EVERY = (*METHODS, "spherize")
ODD, HOLEY = "Cells_Odd", "Cells_T_3"
CONTROLS, WELLS = 8, 24
AT = (2, 12)
"""A control and a treated well, of which HOLEY has no good value."""
NORMALIZED = """
import json, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
import normalize
for words in json.loads(Path(sys.argv[2]).read_text()):
    sys.argv[1:] = words
    normalize.main()
"""
"""A program that normalizes many times: pycytominer takes seconds to load."""


def treated(values: list[float]) -> list[float]:
    return [*values, *np.linspace(3, 9, WELLS - CONTROLS)]


FLAT = {
    "Cells_equal": treated([0.1] * CONTROLS),
    "Cells_equal_but_for_a_gap": treated([0.1] * 7 + [math.nan]),
    "Cells_equal_but_for_an_infinite_value": treated([0.1] * 7 + [math.inf]),
    "Cells_without_a_value": treated([math.nan] * CONTROLS),
    "Cells_infinite": treated([math.inf, -math.inf] * 4),
}
MOSTLY = treated([2.0] * 7 + [3.0])
NEARLY = treated([1.0, 0.99998] * 4)


def plate(**features: list[float]) -> pd.DataFrame:
    """Return a plate of 8 negative controls and 16 treated wells, with 6 features that vary in all of them."""
    rng = np.random.default_rng(11)
    table = pd.DataFrame({"Metadata_broad_sample": "", "Metadata_Plate": "P1"}, index=range(WELLS))
    table["Metadata_Well"] = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]
    table["Metadata_control_type"] = ["negcon"] * CONTROLS + [""] * (WELLS - CONTROLS)
    values = rng.normal(5, 2, (WELLS, 2)) @ rng.normal(size=(2, 6)) + rng.normal(0, 0.3, (WELLS, 6))
    return table.join(pd.DataFrame(values, columns=[f"Cells_T_{number}" for number in range(6)])).assign(**features)


def holey(value: float) -> list[float]:
    return plate()[HOLEY].where(~plate().index.isin(AT), value).tolist()


PLATES = {
    "plain": plate(),
    "flat": plate(**FLAT),
    "missing": plate(**{HOLEY: holey(math.nan)}),
    "infinite": plate(**{HOLEY: holey(math.inf)}),
    "mostly": plate(**{ODD: MOSTLY}),
    "nearly": plate(**{ODD: NEARLY}),
}
LEAST = 0.01


class Made(NamedTuple):
    """What a run wrote and said."""

    table: pd.DataFrame
    facts: dict[str, Any]
    warnings: list[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, pycytominer_python: Path) -> dict[tuple[str, str, float], Made]:
    """Return what is made of every plate by every method, without and with a least spread."""
    folder = tmp_path_factory.mktemp("plates")
    wanted = [(name, method, least) for name in PLATES for method in EVERY for least in (0, LEAST)]
    calls = []
    for number, (name, method, least) in enumerate(wanted):
        PLATES[name].to_csv(folder / f"{name}.csv.gz", index=False)
        flags = {"plate": "P1", "output": folder / f"{number}", "profiles": folder / f"{name}.csv.gz"}
        flags |= {"method": method, "samples": "Metadata_control_type == 'negcon'", "least_spread": least}
        flags |= {"min_negcon_wells": 2, "on_few_negcon": "error", "write_profiles": folder / f"{number}.csv.gz"}
        flags |= {"parquet": "false", "write_parquet": folder / "none"}
        calls.append([word for flag, value in flags.items() for word in (f"--{flag}", str(value))])
    (folder / "calls.json").write_text(json.dumps(calls))
    words = [pycytominer_python, "-W", "ignore", "-c", NORMALIZED, PROGRAMS, folder / "calls.json"]
    subprocess.run([*map(str, words)], check=True)
    return {
        key: Made(
            pd.read_csv(folder / f"{number}.csv.gz"), **json.loads((folder / f"{number}/result.json").read_text())
        )
        for number, key in enumerate(wanted)
    }


@pytest.mark.parametrize("method", EVERY)
def test_a_feature_that_is_flat_in_the_controls_is_left_out_and_named(runs, method):
    made = runs["flat", method, 0]

    assert [name for name in made.table if name in FLAT] == []
    assert made.facts["features_without_spread"] == list(FLAT)
    assert made.facts["features"] == 6
    assert any(next(iter(FLAT)) in warning for warning in made.warnings)
    pd.testing.assert_frame_equal(made.table, runs["plain", method, 0].table)


@pytest.mark.parametrize(
    ("method", "spread"), [("mad_robustize", "MAD"), ("robustize", "interquartile range"), ("standardize", "")]
)
def test_a_feature_of_which_most_controls_are_equal_has_no_such_spread(runs, method, spread):
    made = runs["mostly", method, 0]

    assert (ODD in made.table) is (spread == "")
    assert any(f"a {spread} of 0" in warning for warning in made.warnings) is bool(spread)


@pytest.mark.parametrize("method", METHODS)
def test_an_infinite_value_counts_as_a_missing_one(runs, method):
    missing, infinite = runs["missing", method, 0], runs["infinite", method, 0]
    own = PLATES["missing"][HOLEY]

    pd.testing.assert_frame_equal(infinite.table, missing.table)
    assert infinite.facts["infinite_values"] == {HOLEY: 2}
    assert missing.facts["infinite_values"] == {}
    np.testing.assert_allclose(infinite.table[HOLEY], by_hand(own, own[:CONTROLS], method), rtol=6e-5, atol=1e-12)
    assert infinite.table[HOLEY].isna().sum() == 2


@pytest.mark.parametrize("name", ["missing", "infinite"])
def test_to_spherize_a_feature_without_a_good_value_in_every_well_is_left_out(runs, name):
    made = runs[name, "spherize", 0]

    assert made.facts["features_dropped"] == [HOLEY]
    assert HOLEY not in made.table


def test_a_feature_that_hardly_varies_in_the_controls_is_told_with_its_value_well_and_spread(runs):
    made = runs["nearly", "mad_robustize", 0]
    most = made.table[ODD].abs().max()

    assert most > 46_317
    assert made.facts["extreme_values"] == {ODD: pytest.approx(most, rel=1e-4)}
    (warning,) = made.warnings
    assert all(word in warning for word in (ODD, "D06", "MAD", "1.48e-05"))


@pytest.mark.parametrize("method", METHODS)
def test_a_plate_without_such_a_feature_has_no_such_warning(runs, method):
    made = runs["plain", method, 0]

    assert made.facts["extreme_values"] == {}
    assert made.warnings == []


@pytest.mark.parametrize("method", METHODS)
def test_a_least_spread_bounds_what_a_value_is_divided_by(runs, method):
    made, without = runs["nearly", method, LEAST], runs["nearly", method, 0]
    controls = NEARLY[:CONTROLS]
    center = np.mean(controls) if method == "standardize" else np.median(controls)

    np.testing.assert_allclose(made.table[ODD], (np.array(NEARLY) - center) / (LEAST * center), rtol=6e-5, atol=1e-9)
    assert made.facts["extreme_values"] == {ODD: pytest.approx(800, rel=1e-3)}
    assert without.facts["extreme_values"][ODD] > 46_317
    pd.testing.assert_frame_equal(made.table.drop(columns=ODD), without.table.drop(columns=ODD))

"""Doses: wells of other doses are no replicates, and a planted EC50 is found in the profiles."""

from __future__ import annotations

from pathlib import Path

import dose_curves
import dosing
import numpy as np
import pandas as pd
import pytest

from tasks.dataset.plate_layouts import cells
from tests.stages.benchmark.conftest import Outcome, run_program

FEATURES, MOVED = 200, 40
EFFECT = 1.27
"""Of a feature that is moved: 4 wells then have activity 5.8, which is the mean of the demo's six perturbations."""
DOSES = 10.0 ** np.linspace(-3, 1.5, 10)
"""uM"""
EC50 = {f"curve {at:02d}": ec50 for at, ec50 in enumerate(10.0 ** np.linspace(-2, 0.5, 12))}
"""Planted within the doses."""
NO_CURVE = ("flat 1", "flat 2", "flat 3", "partial 1", "partial 2", "partial 3")
BEYOND = {"partial 1": 100.0, "partial 2": 60.0, "partial 3": 300.0}


def drawn(plates: int = 2, wells: int = 1, seed: int = 3) -> pd.DataFrame:
    """Draw profiles in units of the negative controls' spread: 32 of these a plate, each dose of each perturbation."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    directions = {
        name: rng.normal(0, EFFECT, FEATURES) * (rng.permutation(FEATURES) < MOVED) for name in [*EC50, *BEYOND]
    }
    for plate in range(plates):
        for name in [*EC50, *NO_CURVE]:
            middle = EC50.get(name) or BEYOND.get(name)
            for dose in np.repeat(DOSES, wells):
                share = 1 / (1 + (middle / dose) ** 1.2) if middle else 0.0
                rows.append((f"B{plate}", name, f"{dose:.6g}", "uM", ""))
                values.append(share * directions.get(name, 0.0) + rng.normal(size=FEATURES))
        for _ in range(32):
            rows.append((f"B{plate}", "DMSO", "", "", "negcon"))
            values.append(rng.normal(size=FEATURES))
    columns = [f"Metadata_{name}" for name in ("Plate", "broad_sample", "dose", "dose_unit", "control_type")]
    table = pd.DataFrame(rows, columns=columns)
    places = [f"{chr(65 + at // 24 % 26)}{at % 24 + 1:02d}" for at in range(len(table))]
    table.insert(1, "Metadata_Well", places)
    return pd.concat([table, pd.DataFrame(values, columns=[f"Cells_{at}" for at in range(FEATURES)])], axis=1)


@pytest.fixture(scope="module")
def screen() -> pd.DataFrame:
    return drawn(wells=2)


def run(python: Path, folder: Path, table: pd.DataFrame) -> Outcome:
    folder.mkdir()
    files = []
    for plate, rows in table.groupby("Metadata_Plate"):
        files.append(folder / f"{plate}.csv.gz")
        rows.to_csv(files[-1], index=False)
    given = {"negatives": "Metadata_control_type == 'negcon'", "dose": "auto", "least_doses": 5, "missing": ""}
    written = {"write_dose_response": "r.csv", "write_dose_activity": "a.csv", "write_dose_figures": "figures"}
    return run_program(
        python, folder / "run", "dose_response", profiles=files, describe="Description=g", **given, **written
    )


@pytest.fixture(scope="module")
def responses(screen, benchmark_python, tmp_path_factory) -> Outcome:
    return run(benchmark_python, tmp_path_factory.mktemp("doses") / "screen", screen)


def test_planted_ec50s_are_found_and_flat_and_partial_curves_are_not_fitted(responses):
    done = responses

    assert done.code == 0, done.stderr
    found = pd.read_csv(done.folder / "r.csv").set_index("perturbation")
    assert set(found.index) == {*EC50, *NO_CURVE}
    off = [abs(np.log2(found.loc[name, "ec50"] / planted)) for name, planted in EC50.items()]
    assert sum(each <= 1 for each in off) >= 0.9 * len(EC50)
    assert [name for name in NO_CURVE if found.loc[name, "curve"] == "fitted"] == []
    assert all(found.loc[name, "curve"] == "not fitted: flat" for name in NO_CURVE if name.startswith("flat"))
    assert found.loc[list(NO_CURVE), "ec50"].isna().all()
    assert (found.loc[list(EC50), "spearman"] > 0.6).all()
    assert (found["unit"] == "uM").all()
    assert done.facts["perturbations"] == len(found)
    assert sorted(path.name for path in (done.folder / "figures").glob("*.png")) == ["dose_response_01.png"]


def test_the_activity_of_each_dose_is_what_loops_over_the_wells_give(responses, screen):
    values = screen.filter(like="Cells_").to_numpy()
    control = (screen["Metadata_control_type"] == "negcon").to_numpy()
    centre = values[control].mean(axis=0)
    off = sum(np.var(values[control][:, feature], ddof=1) / control.sum() for feature in range(FEATURES))
    name = "curve 05"
    own = [at for at in range(len(screen)) if screen["Metadata_broad_sample"][at] == name]
    doses = {at: float(screen["Metadata_dose"][at]) for at in own}
    rank = {dose: at for at, dose in enumerate(sorted(set(doses.values())), start=1)}
    expected: dict[float, list[float]] = {}
    for at in own:
        direction = sum(rank[doses[each]] * (values[each] - centre) for each in own if each != at)
        spread = np.std([float((values[each] - centre) @ direction) for each in np.flatnonzero(control)], ddof=1)
        common = off * sum(rank[doses[each]] for each in own if each != at)
        expected.setdefault(doses[at], []).append((float((values[at] - centre) @ direction) - common) / spread)
    found = pd.read_csv(responses.folder / "a.csv").set_index("perturbation").loc[name]
    assert found["wells"].tolist() == [4] * len(DOSES)
    assert found["activity"].tolist() == pytest.approx([np.mean(expected[dose]) for dose in sorted(expected)])


@pytest.mark.parametrize("controls", [8, 64])
def test_what_does_nothing_has_activity_0_however_few_the_controls_are(controls):
    rng = np.random.default_rng(7)
    doses = np.repeat([1.0, 2.0, 3.0, 4.0], 3)
    drawn = [(rng.normal(size=(len(doses), 60)), rng.normal(size=(controls, 60))) for _ in range(500)]

    means = [dose_curves.activities(values, doses, of).mean() for values, of in drawn]

    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(len(means)) < 0.2


def test_without_several_doses_there_is_an_empty_table_and_a_warning(benchmark_python, tmp_path, screen):
    done = run(benchmark_python, tmp_path / "single", screen[screen["Metadata_dose"].isin(["", f"{DOSES[3]:.6g}"])])

    assert done.code == 0, done.stderr
    assert len(pd.read_csv(done.folder / "r.csv")) == 0
    assert len(done.warnings) == 1


@pytest.fixture
def two_doses(screen):
    """Return the screen with two doses of some perturbations."""
    kept = [f"{dose:.6g}" for dose in (DOSES[0], DOSES[-1])]
    names = ["curve 00", "curve 01", "flat 1", "flat 2", "DMSO"]
    table = screen[screen["Metadata_dose"].isin([*kept, ""]) & screen["Metadata_broad_sample"].isin(names)]
    return table.assign(Metadata_target_list=table["Metadata_broad_sample"].str.split().str[0]).reset_index(drop=True)


def test_wells_of_another_dose_are_no_replicates(ranked, plates, two_doses):
    done = ranked("replicability", profiles=plates(two_doses), same_by="auto")

    assert done.code == 0, done.stderr
    low, high = f"{DOSES[0]:.6g}", f"{DOSES[-1]:.6g}"
    expected = {f"{name}_{dose}" for name in ("curve 00", "curve 01", "flat 1", "flat 2") for dose in (low, high)}
    found = done.table("map").set_index("label")
    assert set(found.index) == expected
    assert set(done.table("ap")["n_pos_pairs"]) == {3}
    assert bool(found.loc[f"curve 00_{high}", "retrieved"])
    assert not bool(found.loc[f"flat 1_{high}", "retrieved"])
    assert done.facts["same_by"] == "Metadata_broad_sample,Metadata_dose"


def test_matching_takes_the_highest_dose_that_is_retrieved(ranked, plates, two_doses):
    first = ranked("replicability", profiles=plates(two_doses), same_by="auto", threshold=1.1)
    done = ranked("matching", consensus=[*first.folder.glob("*_consensus.csv.gz")], threshold=1.1)

    assert done.code == 0, done.stderr
    assert done.facts["perturbations"] == 4
    assert set(done.table("ap")["Metadata_dose"]) == {float(f"{DOSES[-1]:.6g}")}
    assert set(done.table("ap")["Metadata_label"]) == {"curve 00", "curve 01", "flat 1", "flat 2"}


@pytest.mark.parametrize("nothing", ["", "NA"])
def test_a_treated_well_without_a_dose_counts_where_others_have_one(nothing, ranked, plates, two_doses):
    two_doses.loc[two_doses["Metadata_broad_sample"] == "flat 1", "Metadata_dose"] = nothing

    done = ranked("replicability", profiles=plates(two_doses), same_by="auto")

    assert "flat 1_no dose" in set(done.table("map")["label"])


def test_what_says_that_there_is_no_dose_says_so_in_a_layout_and_in_profiles():
    assert {*dosing.NOTHING} == {*cells.NOTHING, dosing.NO_DOSE}


def test_a_column_of_doses_by_another_name_is_one_also_where_a_treated_well_has_none(ranked, plates, two_doses):
    two_doses.loc[two_doses["Metadata_broad_sample"] == "flat 1", "Metadata_dose"] = ""
    named = two_doses.rename(columns={"Metadata_dose": "Metadata_mmoles_per_liter"})
    first = ranked("replicability", profiles=plates(named), same_by="auto", threshold=1.1)

    done = ranked("matching", consensus=[*first.folder.glob("*_consensus.csv.gz")], threshold=1.1)

    assert done.code == 0, done.stderr
    assert sorted(done.table("ap")["Metadata_label"].unique()) == ["curve 00", "curve 01", "flat 1", "flat 2"]
    assert done.facts["perturbations"] == 4


@pytest.mark.parametrize("dose", ["5", None])
def test_single_doses_change_no_result(dose, ranked, plates, wells):
    plain = ranked("replicability", profiles=plates(wells))
    dosed = wells if dose is None else wells.assign(Metadata_dose=dose)

    done = ranked(
        "replicability",
        profiles=plates(dosed[[*dosed.filter(like="Metadata_"), *wells.filter(like="Cells")]]),
        same_by="auto",
    )

    for kind in ("map", "fr", "ap", "consensus"):
        pd.testing.assert_frame_equal(
            done.table(kind).drop(columns="Metadata_dose", errors="ignore"), plain.table(kind)
        )

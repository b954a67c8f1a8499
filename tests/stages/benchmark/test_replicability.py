"""Replicates are ranked among the negative controls; every number is what loops over the wells give."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tests.stages.benchmark import slow


def rows_of(wells: pd.DataFrame) -> list[slow.Row]:
    return [
        {
            "plate": row.Metadata_Plate,
            "sample": row.Metadata_broad_sample,
            "control": row.Metadata_control_type == "negcon",
            "x": [getattr(row, f"Cells_{letter}") for letter in "abcdef"],
        }
        for row in wells.itertuples()
    ]


def by_loops(wells: pd.DataFrame, *, one_plate: bool, apart: bool = False) -> list[tuple[str, float, int, int]]:
    return slow.queries(
        rows_of(wells),
        lambda row: [] if row["control"] else [row["sample"]],
        lambda row, other, label: other["sample"] == label and (not apart or row["plate"] != other["plate"]),
        lambda row, other, label: other["control"] and (not one_plate or row["plate"] == other["plate"]),
    )


def test_the_final_definition_is_what_loops_give(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells))
    expected = by_loops(wells, one_plate=True)
    found = done.table("ap")[["label", "average_precision", "n_pos_pairs", "n_neg_pairs"]]

    assert done.code == 0, done.stderr
    assert len(expected) == 30
    assert found["label"].tolist() == [label for label, *_ in expected]
    np.testing.assert_allclose(found.iloc[:, 1:], [row[1:] for row in expected], rtol=0, atol=1e-12)


def test_p_and_q_of_the_final_definition_are_the_exact_ones_within_their_error(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells), permutations=50_000)
    exact = [(label, -math.log10(slow.chance(*numbers) or 1e-9)) for label, *numbers in by_loops(wells, one_plate=True)]
    table = done.table("map").set_index("label")
    expected = slow.mean_of(exact)
    likely = [label for label in table.index if expected[label] < 3]  # rarer, and chance was not met often enough

    assert len(likely) >= 3
    for label in likely:
        off = abs(table.loc[label, "nlog10pvalue"] - expected[label])
        assert off <= 5 * table.loc[label, "nlog10pvalue_error"] + 1e-3
    q_values = slow.q_values([10**-value for value in table["nlog10pvalue"]])
    np.testing.assert_allclose(table["q_value"], q_values, rtol=1e-9)
    assert table["above_q_threshold"].tolist() == [value < 0.05 for value in q_values]


@pytest.mark.parametrize("behaviour", ["corrected", "as_published"])
def test_the_2022_definition_is_what_loops_give(ranked, plates, wells, behaviour):
    done = ranked("replicability", profiles=plates(wells), definition="2022", behaviour=behaviour)
    rows = by_loops(wells, one_plate=False)
    baselines = [positives / (positives + negatives) for _, _, positives, negatives in rows]
    if behaviour == "as_published":
        baselines = [baselines[-1]] * len(rows)
    expected = slow.mean_of([(row[0], row[1] - base) for row, base in zip(rows, baselines, strict=True)])
    found = done.table("map").set_index("label")["mean_average_precision"]

    assert found.to_dict() == pytest.approx(expected, abs=1e-12)


def test_copairs_gives_the_same_average_precision_where_nothing_ties(ranked, plates, wells):
    features = wells.filter(like="Cells_").columns
    wells[features] += np.random.default_rng(2).normal(scale=0.3, size=(len(wells), len(features)))
    ours, theirs = (ranked("replicability", profiles=plates(wells), definition=name) for name in ("final", "copairs"))
    key = ["Metadata_Plate", "Metadata_Well"]
    both = ours.table("ap").merge(theirs.table("ap"), on=key, suffixes=("", "_copairs"))

    assert theirs.code == 0, theirs.stderr
    assert len(both) == len(ours.table("ap")) == len(theirs.table("ap"))
    np.testing.assert_allclose(both["average_precision"], both["average_precision_copairs"], atol=1e-6)
    assert (both["n_neg_pairs"] == both["n_neg_pairs_copairs"]).all()


def test_replicates_may_have_to_be_on_different_plates(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells), different_by="Metadata_Plate")
    expected = by_loops(wells, one_plate=True, apart=True)

    np.testing.assert_allclose(done.table("ap")["average_precision"], [row[1] for row in expected], atol=1e-12)
    assert set(done.table("ap")["n_pos_pairs"]) == {3}


def test_a_consensus_is_the_median_of_the_wells_and_says_what_was_retrieved(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells))
    table = done.table("consensus").set_index("Metadata_label")
    medians = wells[wells["Metadata_broad_sample"] != ""].groupby("Metadata_broad_sample").median(numeric_only=True)
    retrieved = done.table("map").set_index("label")["retrieved"]

    pd.testing.assert_frame_equal(table[medians.columns], medians, check_names=False, rtol=0, atol=0)
    assert table["Metadata_retrieved"].to_dict() == {name: bool(retrieved.get(name, False)) for name in table.index}
    assert "Metadata_Plate" not in table


def test_the_same_seed_gives_the_same_bytes_and_published_runs_draw_one_and_tell_it(ranked, plates, wells):
    wells["Cells_a"] += np.random.default_rng(2).normal(scale=0.3, size=len(wells))  # no ties
    files = plates(wells)
    runs = [ranked("replicability", profiles=files, behaviour=name) for name in ("corrected", "corrected")]
    unseeded = [ranked("replicability", profiles=files, behaviour="as_published") for _ in range(2)]
    again = ranked("replicability", profiles=files, seed=unseeded[0].facts["seed"])

    written = [sorted((path.name, path.read_bytes()) for path in run.folder.glob("g_*")) for run in runs]
    assert written[0] == written[1]
    assert unseeded[0].facts["seed"] != unseeded[1].facts["seed"]
    assert again.table("map")["q_value"].tolist() == unseeded[0].table("map")["q_value"].tolist()


def test_a_group_without_negative_controls_says_so(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells[wells["Metadata_control_type"] == ""]))

    assert done.code == 0, done.stderr
    assert "no well is a negative control" in done.note
    assert done.table("map").empty
    assert done.table("fr")[["labels", "retrieved"]].iloc[0].tolist() == [0, 0]


def test_a_group_of_one_plate_says_so_and_ranks_what_is_there(ranked, plates, wells):
    done = ranked("replicability", profiles=plates(wells[wells["Metadata_Plate"] == "B1"]), missing="B2")

    assert "without B2: no profiles" in done.note
    assert "one plate only (B1)" in done.note
    assert len(done.table("map")) == 5


def test_a_perturbation_without_a_replicate_and_a_plate_without_controls_are_named(ranked, plates, wells):
    gone = (wells["Metadata_Plate"] == "B2") & (wells["Metadata_control_type"] == "negcon")
    only = (wells["Metadata_broad_sample"] == "P4") & (wells["Metadata_Plate"] == "B1")
    done = ranked("replicability", profiles=plates(wells[~gone & ~only]))

    assert "1 labels have no replicate: alone" in done.note
    assert "1 labels have no negative control beside its replicates: P4" in done.note
    assert done.table("ap")["Metadata_Plate"].unique().tolist() == ["B1"]


def test_a_feature_with_a_missing_value_is_left_out_and_named(ranked, plates, wells):
    wells.loc[3, "Cells_c"] = np.nan
    done = ranked("replicability", profiles=plates(wells))

    assert done.facts["features"] == 5
    assert "1 features have missing values and are left out: Cells_c" in done.stderr
    assert done.table("map").notna().all(axis=None)


def test_a_well_that_several_files_hold_is_counted_once_unless_as_published(ranked, plates, wells, tmp_path):
    files = plates(wells)
    whole = tmp_path / "all.csv.gz"
    wells.to_csv(whole, index=False)
    once, again, published = (
        ranked("replicability", profiles=paths, definition="2022", behaviour=behaviour)
        for paths, behaviour in ((files, "corrected"), ([whole, whole], "corrected"), ([whole, whole], "as_published"))
    )

    assert again.table("map").equals(once.table("map"))
    assert "43 rows repeat a well and are left out" in again.note
    assert set(published.table("ap")["n_pos_pairs"]) != set(once.table("ap")["n_pos_pairs"])


def test_a_plate_of_metadata_only_is_left_out_and_named(ranked, plates, wells):
    files = plates(wells)
    bare = wells[wells["Metadata_Plate"] == "B2"].filter(like="Metadata_")
    bare.to_csv(files[1], index=False)
    done, nothing = ranked("replicability", profiles=files), ranked("replicability", profiles=files[1:])

    assert "left out, for they hold metadata only: B2.csv.gz" in done.note
    assert done.table("ap")["Metadata_Plate"].unique().tolist() == ["B1"]
    assert nothing.code == 0, nothing.stderr
    assert "the plates have no feature in common, so nothing can be ranked" in nothing.note
    assert nothing.table("map").empty


def test_a_feature_that_a_plate_lacks_is_left_out_and_named(ranked, plates, wells):
    files = plates(wells)
    wells[wells["Metadata_Plate"] == "B2"].drop(columns="Cells_b").to_csv(files[1], index=False)
    done = ranked("replicability", profiles=files)

    assert done.facts["features_not_on_every_plate"] == 1
    assert any("Cells_b" in warning for warning in done.warnings)
    assert done.facts["features"] == 5


def test_plates_without_a_common_feature_say_so(ranked, plates, wells, tmp_path):
    files = plates(wells)
    other = wells.rename(columns={f"Cells_{letter}": f"Nuclei_{letter}" for letter in "abcdef"})
    other[other["Metadata_Plate"] == "B2"].to_csv(files[1], index=False)
    done = ranked("replicability", profiles=files)

    assert done.code == 0, done.stderr
    assert "the plates have no feature in common, so nothing can be ranked" in done.note


def test_a_plate_of_metadata_only_is_among_those_that_the_group_lacks(ranked, plates, wells):
    files = plates(wells)
    wells[wells["Metadata_Plate"] == "B2"].filter(like="Metadata_").to_csv(files[1], index=False)

    assert ranked("replicability", profiles=files, missing="B9").table("fr")["left_out"].tolist() == ["B9 B2"]


def test_doses_of_a_perturbation_are_told_unless_they_tell_replicates(ranked, plates, wells):
    wells.insert(3, "Metadata_dose", np.where(wells["Metadata_broad_sample"] == "P1", wells.index % 3, 1).astype(str))
    merged, apart = (
        ranked("replicability", profiles=plates(wells), same_by=columns)
        for columns in ("Metadata_broad_sample", "Metadata_broad_sample,Metadata_dose")
    )

    assert "column Metadata_dose: 1 compounds have several doses" in merged.note
    assert "P1 (" in merged.note
    assert "dose" not in apart.note


def test_a_feature_that_decides_alone_how_similar_profiles_are_is_told_with_its_value(ranked, plates, wells):
    quiet = ranked("replicability", profiles=plates(wells))
    treated = wells["Metadata_broad_sample"] != ""
    wells["Cells_a"] = np.where(treated, 46_317.0, 0.1)
    loud = ranked("replicability", profiles=plates(wells))

    assert quiet.facts["dominant_features"] == {}
    assert loud.facts["dominant_features"] == {"Cells_a": pytest.approx(treated.mean())}
    (warning,) = [each for each in loud.warnings if "Cells_a" in each]
    assert "46317" in warning


def test_a_sample_with_a_blank_behind_it_is_refused_by_its_line(ranked, plates, wells):
    wells.loc[3, "Metadata_broad_sample"] += " "
    done = ranked("replicability", profiles=plates(wells))

    assert done.code == 65
    assert "line 5: Metadata_broad_sample is" in done.stderr


def test_an_empty_well_is_no_perturbation(ranked, plates, wells):
    wells.loc[wells["Metadata_broad_sample"] == "P3", "Metadata_broad_sample"] = ""
    done = ranked("replicability", profiles=plates(wells))

    assert done.facts["empty_wells_left_out"] == 6
    assert done.table("map")["label"].tolist() == ["P0", "P1", "P2", "P4"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"same_by": "Metadata_compound"}, "have no column Metadata_compound"),
        ({"negatives": "Metadata_x == 1"}, "is no query of the profiles"),
    ],
)
def test_a_setting_that_fits_no_profile_is_an_error(ranked, plates, wells, flags, said):
    done = ranked("replicability", profiles=plates(wells), **flags)

    assert done.code == 65
    assert said in done.stderr


def test_a_file_that_is_no_table_of_profiles_is_an_error(ranked, plates, wells, tmp_path):
    (spoilt := tmp_path / "spoilt.csv.gz").write_bytes(plates(wells)[0].read_bytes()[:200])

    assert ranked("replicability", profiles=[spoilt]).code == 65
    wells["Cells_a"] = "x"
    assert "the column Cells_a is no Metadata_ column" in ranked("replicability", profiles=plates(wells)).stderr

"""The replicates of a perturbation become one profile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def plates() -> list[pd.DataFrame]:
    """Return two plates of 12 wells: three perturbations and DMSO, whose broad_sample is empty."""
    tables = []
    for number in (1, 2):
        rng = np.random.default_rng(number)
        table = pd.DataFrame({"Metadata_broad_sample": ["", "B1", "B2", "B3"] * 3, "Metadata_Plate": f"P{number}"})
        table["Metadata_Well"] = [f"A{at:02d}" for at in range(1, 13)]
        table["Metadata_control_type"] = ["negcon", "", "", ""] * 3
        table["Metadata_gene"] = ["", "TP53", "KRAS", "MYC"] * 3
        values = np.tile(np.random.default_rng(9).normal(size=(4, 15)), (3, 1)) + rng.normal(0, 0.8, (12, 15))
        tables.append(table.join(pd.DataFrame(values, columns=[f"Nuclei_T_{at:02d}" for at in range(15)])))
    return tables


@pytest.fixture
def consensus(stage, save, plates, tmp_path):
    def run(operation: str, replicates: str = "Metadata_broad_sample"):
        paths = [save(table, f"plate{number}.csv.gz") for number, table in enumerate(plates)]
        flags = {"profiles": paths, "operation": operation, "replicates": replicates}
        return stage("consensus", plate="set", **flags, write_consensus=tmp_path / "consensus.csv.gz")

    return run


@pytest.fixture
def written(load, tmp_path):
    return lambda: load(tmp_path / "consensus.csv.gz")


def modz(values: pd.DataFrame) -> np.ndarray:
    """Return the mean weighted by each replicate's mean rank correlation with the others, by hand."""
    ranks = values.rank(axis="columns").to_numpy()
    weights = []
    for one in range(len(ranks)):
        others = [np.corrcoef(ranks[one], ranks[other])[0, 1] for other in range(len(ranks)) if other != one]
        weights.append(max(np.mean([max(r, 0) for r in others]), 0.01))
    return np.round(np.array(weights) / sum(weights), 4) @ values.to_numpy()


BY_HAND = {
    "median": lambda values: np.median(values, axis=0),
    "mean": lambda values: np.mean(values, axis=0),
    "modz": modz,
}


@pytest.mark.parametrize("operation", BY_HAND)
def test_replicates_on_all_plates_become_one_profile(consensus, plates, written, operation):
    outcome = consensus(operation)
    made = written().set_index("Metadata_broad_sample")
    joined = pd.concat(plates)

    assert outcome.code == 0, outcome.stderr
    assert made.index.tolist() == ["", "B1", "B2", "B3"]
    for sample, wells in joined.groupby("Metadata_broad_sample"):
        values = wells.filter(regex="^Nuclei_")
        np.testing.assert_allclose(
            made.loc[sample, list(values)].astype(float), BY_HAND[operation](values), rtol=6e-5, atol=1e-9
        )


def test_metadata_that_replicates_share_are_kept_and_others_are_not(consensus, written):
    consensus("median")
    made = written()

    assert [name for name in made if name.startswith("Metadata_")] == [
        "Metadata_broad_sample",
        "Metadata_control_type",
        "Metadata_gene",
    ]
    assert made["Metadata_gene"].tolist() == ["", "TP53", "KRAS", "MYC"]
    assert made["Metadata_control_type"].tolist() == ["negcon", "", "", ""]


def test_replicates_may_be_told_by_several_columns(consensus, written):
    outcome = consensus("median", "Metadata_broad_sample,Metadata_Plate")

    assert outcome.facts["consensus_profiles"] == len(written()) == 8


def test_a_feature_that_is_missing_in_a_well_is_left_out_not_taken_for_zero(consensus, plates, written):
    plates[1].loc[3, "Nuclei_T_04"] = np.nan
    outcome = consensus("modz")

    assert "Nuclei_T_04" not in written()
    assert outcome.facts["features_dropped"] == {"Nuclei_T_04": 1}
    assert outcome.facts["features"] == 14
    assert any("Nuclei_T_04" in warning and "P2" in warning for warning in outcome.warnings)


def test_a_plate_of_metadata_only_is_left_out_and_named_and_takes_no_feature_away(consensus, plates, written):
    plates[1] = plates[1].filter(like="Metadata_")
    outcome = consensus("median")

    assert outcome.facts["plates_left_out"] == ["plate1.csv.gz"]
    assert len(written().filter(like="Nuclei_").columns) == 15


def test_where_every_feature_has_a_gap_there_is_an_error_and_no_empty_profile(consensus, plates):
    plates[1].loc[3, [name for name in plates[1] if name.startswith("Nuclei_")]] = np.nan
    outcome = consensus("median")

    assert outcome.code == 65
    assert "no feature has a value in every well" in outcome.stderr


def test_doses_that_are_merged_are_told_unless_they_tell_replicates(consensus, plates):
    for table in plates:
        table.insert(1, "Metadata_dose", ["", "1", "1", "1", "", "2", "1", "1", "", "3", "1", "1"])
    merged, apart = consensus("median"), consensus("median", "Metadata_broad_sample,Metadata_dose")

    assert any("Metadata_dose" in warning and "B1 (1, 2, 3)" in warning for warning in merged.warnings)
    assert apart.code == 0, apart.stderr
    assert apart.warnings == []


def test_an_unknown_column_is_named_with_those_there_are(consensus):
    outcome = consensus("median", "Metadata_sample")

    assert outcome.code == 65
    assert "there is no column Metadata_sample" in outcome.stderr
    assert "Metadata_gene" in outcome.stderr

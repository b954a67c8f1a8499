"""Which columns are doses is told by their names, and which compounds have several."""

from __future__ import annotations

import pytest
from stagekit import doses


@pytest.mark.parametrize(
    "name", ["dose", "pert_dose", "Metadata_dose_uM", "Concentration", "conc_nM", "mmoles_per_liter", "micromolar"]
)
def test_a_column_of_doses_is_known_by_its_name(name: str) -> None:
    assert doses.columns([name]) == [name]


@pytest.mark.parametrize("name", ["solvent", "broad_sample", "gene", "pubchem_cid", "smiles", "purity", "medium"])
def test_a_column_of_cpjump1_is_none_of_doses(name: str) -> None:
    assert doses.columns([name, f"Metadata_{name}"]) == []


def test_a_compound_with_several_doses_is_named_with_them_and_others_are_not() -> None:
    compounds, own = ["B1", "B2", "B1", "", "", "B2", "B1"], ["1", "5", "10", "1", "2", "5", ""]

    assert doses.merged(compounds, own) == {"B1": ["1", "10"]}
    assert doses.warnings(compounds, {"dose": own, "conc": ["1"] * 7}, "see {column}") == [
        "column dose: 1 compounds have several doses, which count as replicates: B1 (1, 10); see dose"
    ]


def test_of_many_compounds_the_first_are_shown_with_how_many_more_there_are() -> None:
    compounds = [f"B{number // 2}" for number in range(10)]
    (warning,) = doses.warnings(compounds, {"dose": list("1212121212")}, "")

    assert "5 compounds" in warning
    assert "B2 (1, 2) and 2 more" in warning

"""What a group lacks is told in words by every definition: never a crash, never a number that is none."""

from __future__ import annotations

import pytest

DEFINITIONS = ("final", "2022", "copairs")


def of_one_plate(wells):
    return wells[wells["Metadata_Plate"] == "B1"]


def without_controls(wells):
    return wells[wells["Metadata_control_type"] == ""]


def without_replicates(wells):
    return wells[(wells["Metadata_control_type"] != "") | ~wells.duplicated("Metadata_broad_sample")]


def of_controls_only(wells):
    return wells[wells["Metadata_control_type"] != ""]


THIN = {
    "one plate": (of_one_plate, "one plate only (B1): replicates on other plates are not there to be found", 5),
    "no negcon": (without_controls, "no well is a negative control", 0),
    "no replicate": (without_replicates, "6 labels have no replicate", 0),
    "controls only": (of_controls_only, "no well is treated: all 12 are negative controls", 0),
}


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize(("cut", "said", "labels"), THIN.values(), ids=THIN)
def test_a_thin_group_is_ranked_as_far_as_it_goes_and_says_what_it_lacks(
    ranked, plates, wells, definition, cut, said, labels
):
    done = ranked("replicability", profiles=plates(cut(wells)), definition=definition, missing="B9")
    summary = done.table("fr").iloc[0]

    assert done.code == 0, done.stderr
    assert "without B9: no profiles" in done.note
    assert said in done.note
    assert summary["labels"] == labels
    assert (str(summary["fr"]) == "") is (labels == 0)
    for kind in ("ap", "map", "fr"):
        text = next(done.folder.glob(f"*_{kind}.csv")).read_text().lower()
        assert ",nan" not in text
        assert ",inf" not in text


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("task", ["matching", "gene_compound_matching"])
def test_labels_without_a_pair_are_said_to_have_none(ranked, consensus, definition, task):
    compounds = consensus("compounds", {"c1": "A", "c2": "B", "c3": "C"})
    genes = consensus("genes", {"g1": "X", "g2": "Y"}, column="gene")
    given = [compounds] if task == "matching" else [compounds, genes]
    done = ranked(task, consensus=given, definition=definition)

    assert done.code == 0, done.stderr
    assert done.table("map").empty
    assert done.note != ""
    assert str(done.table("fr")["fr"].iloc[0]) == ""

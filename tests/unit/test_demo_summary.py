"""What the demo says it found is what the benchmark's tables say, good or bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.demo.plan import COMPOUNDS
from tasks.commands import demo_summary

PLANTED = {compound.broad_sample: compound.active for compound in COMPOUNDS}
ACTIVE = [name for name, is_active in PLANTED.items() if is_active]
INACTIVE = [name for name, is_active in PLANTED.items() if not is_active]
ALL_WELL = "The demo plants six active and two inactive compounds; its profiles recover all six."


def test_if_exactly_what_was_planted_is_retrieved_the_demo_recovers_all_six() -> None:
    assert demo_summary.recovered(PLANTED) == ALL_WELL


def test_active_compounds_that_are_missed_are_counted_and_named() -> None:
    said = demo_summary.recovered(PLANTED | {ACTIVE[0]: False, ACTIVE[2]: False})

    assert "recover four of the six active" in said
    assert f"not {ACTIVE[0]}, {ACTIVE[2]}" in said


def test_inactive_compounds_that_are_retrieved_are_counted_and_named() -> None:
    said = demo_summary.recovered(PLANTED | {INACTIVE[1]: True})

    assert said != ALL_WELL
    assert "one inactive for active" in said
    assert INACTIVE[1] in said


def test_if_nothing_is_retrieved_none_of_the_active_compounds_is_recovered() -> None:
    assert "recover no of" not in demo_summary.recovered(dict.fromkeys(PLANTED, False))
    assert "none of the six active" in demo_summary.recovered(dict.fromkeys(PLANTED, False))


def test_of_a_cut_of_the_demo_only_the_compounds_that_were_ranked_count() -> None:
    said = demo_summary.recovered({ACTIVE[0]: True, INACTIVE[0]: False})

    assert said == (
        "Of the six active and two inactive compounds of the demo one active and one inactive compound were ranked; "
        "their profiles recover the active one."
    )


def test_if_no_active_compound_was_ranked_none_is_said_to_be_recovered() -> None:
    assert "all" not in demo_summary.recovered({INACTIVE[0]: False})


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """The tables of a benchmark in two groups: the first compound is retrieved in the second group only."""
    rows = [f"{name},{is_active and name != ACTIVE[0]},one" for name, is_active in PLANTED.items()]
    rows += [f"{ACTIVE[0]},True,two"]
    header = "Metadata_broad_sample,above_q_threshold,Description"
    (tmp_path / "cellprofiler_replicability_map.csv").write_text("\n".join([header, *rows]) + "\n")
    groups = "task,Description,labels,retrieved\nreplicability,one,8,6\nmatching,one,4,3\nmatching,two,2,2\n"
    (tmp_path / "cellprofiler_comparison.csv").write_text(groups)
    return tmp_path


def test_what_was_found_is_read_from_the_tables_of_all_groups(tables: Path) -> None:
    of_compounds, of_targets = demo_summary.found(tables, "cellprofiler")

    assert of_compounds == ALL_WELL
    assert "5 of 6 targets" in of_targets


def test_nothing_is_said_of_targets_where_no_compounds_share_one(tables: Path) -> None:
    (tables / "cellprofiler_comparison.csv").write_text("task,Description,labels,retrieved\nmatching,one,0,\n")

    assert demo_summary.found(tables, "cellprofiler") == [ALL_WELL]

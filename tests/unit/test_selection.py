"""Plates that were treated alike are a group, called as in the resource; compounds are paired with genes."""

from __future__ import annotations

import tomllib

import pytest

from tasks.dataset import catalogue, plate_groups
from tasks.dataset.catalogue import Acquisition
from tasks.dataset.layout import Layout
from tasks.dataset.plate_groups import Group
from tasks.errors import SettingsError
from tasks.workflow.benchmark import PUBLISHED
from tests.unit.fakes import BATCH, lay_experiment

Plates = list[Acquisition]


@pytest.fixture
def plates(layout: Layout) -> Plates:
    lay_experiment(layout)
    return catalogue.of_batch(layout, BATCH)


def test_groups_bear_the_resources_names_and_unusual_conditions_are_told(
    plates: Plates,
) -> None:
    found = plate_groups.groups(plates, plates, plate_groups.columns("auto", plates))

    assert [(group.name, group.plates, group.standard) for group in found] == [
        ("compound_A549_short", ("C1", "C2"), True),
        ("compound_A549_long", ("C3",), True),
        ("compound_A549_long_Density80", ("C4",), False),
        ("crispr_A549_96h", ("G1",), True),
        ("crispr_U2OS_96h", ("G2",), True),
    ]
    assert found[1].describe == {
        "Description": "compound_A549_long",
        "Modality": "compound",
        "Cell": "A549",
        "time": "long",
        "timepoint": "48",
    }


def test_a_time_is_long_by_the_whole_batch_not_by_what_was_selected(plates: Plates) -> None:
    chosen = catalogue.select(plates, "Time=48,Density=100")
    (group,) = plate_groups.groups(chosen, plates, ["Perturbation", "Cell_type", "Time"])

    assert group.name == "compound_A549_long"


def test_groups_may_be_made_by_any_columns(plates: Plates) -> None:
    by_cell = plate_groups.groups(plates, plates, plate_groups.columns("Cell_type", plates))
    whole = plate_groups.groups(plates, plates, [])

    assert [(group.name, len(group.plates)) for group in by_cell] == [("A549", 5), ("U2OS", 1)]
    assert [(group.name, len(group.plates)) for group in whole] == [("all", 6)]
    with pytest.raises(SettingsError, match=r"group_by = Time,Dose: there is no column 'Dose'; known: .*Time"):
        plate_groups.columns("Time,Dose", plates)


def test_a_column_of_ones_own_is_always_named_and_no_two_groups_bear_a_name(plates: Plates) -> None:
    doses = zip(plates, ("1", "1", "2", "high", "1 ", "2"), strict=True)
    own = [Acquisition(BATCH, each.plate, {**each.conditions, "Dose": dose}) for each, dose in doses]

    assert [group.name for group in plate_groups.groups(own[:4], own, ["Dose"])] == ["Dose1", "Dose2", "high"]
    assert [group.name for group in plate_groups.groups(own[:1], own, ["Perturbation", "Dose"])] == ["compound_Dose1"]
    with pytest.raises(SettingsError, match="two groups of plates are both called Dose1"):
        plate_groups.groups(own, own, ["Dose"])


def test_compounds_are_paired_with_genes_of_the_same_cells_under_usual_conditions(plates: Plates) -> None:
    found = plate_groups.groups(plates, plates, plate_groups.columns("auto", plates))
    pairs = plate_groups.pairs(found)

    assert [(one.name, other.name) for one, other in pairs] == [
        ("compound_A549_short", "crispr_A549_96h"),
        ("compound_A549_long", "crispr_A549_96h"),
    ]
    assert plate_groups.described_pair(pairs[1][0].describe, pairs[1][1].describe) == {
        "Description": "compound_A549_long-crispr_A549_96h",
        "Modality1": "compound",
        "time1": "long",
        "timepoint1": "48",
        "Modality2": "crispr",
        "time2": "96h",
        "timepoint2": "96",
        "Cell": "A549",
    }


@pytest.mark.parametrize(
    ("text", "name"), [("48", "48"), ("U2 OS/x,y=z", "U2-OS-x-y-z"), ("../a", "a"), ("", "none"), ("ü", "none")]
)
def test_a_value_becomes_a_safe_part_of_a_name(text: str, name: str) -> None:
    assert plate_groups.safe(text) == name


def test_the_published_groups_of_cpjump1_are_among_its_groups() -> None:
    batch = [each for each in catalogue.cpjump1() if each.batch == BATCH]
    found = plate_groups.groups(batch, batch, plate_groups.columns("auto", batch))
    usual = {group.name: len(group.plates) for group in found if group.standard}
    published = tomllib.loads(PUBLISHED.read_text())
    pairs = {f"{one.name}-{other.name}" for one, other in plate_groups.pairs(found)}

    assert {*usual} == {*published["replicability"]}
    assert sum(usual.values()) == 40
    assert pairs == {*published["gene_compound_matching"]}


def test_a_group_survives_its_way_through_a_parameter() -> None:
    group = Group("g", ("P1", "P2"), {"Description": "g"}, ("P3",), standard=False)

    assert Group(**group.value()) == group

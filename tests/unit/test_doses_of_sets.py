"""Whether plates have several doses of a perturbation: by any column that says so, in whichever order plates come."""

from __future__ import annotations

from itertools import permutations

import pytest

from tasks.dataset.layout import Layout
from tasks.workflow import doses
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, lay_profiles, lay_table
from tests.unit.test_benchmark import tasks_of

HEADER = ["well_position", "broad_sample"]


def lay(layout: Layout, **platemaps: list[list[str]]) -> tuple[str, ...]:
    """Lay the platemaps of plates, by their names; return these."""
    names = ["Assay_Plate_Barcode", "Plate_Map_Name"]
    lay_table(layout.barcode_platemap(BATCH), ",", names, [[plate, plate] for plate in platemaps])
    for plate, (columns, *rows) in platemaps.items():
        lay_table(layout.platemap(BATCH, plate), "\t", columns, rows)
    return tuple(platemaps)


def test_plates_without_doses_do_not_hide_those_of_others(luigi_cfg: LoadSettings) -> None:
    dosed = [[*HEADER, "mmoles_per_liter"], ["A01", "x", "1"], ["A02", "x", "2"]]
    plates = lay(luigi_cfg(""), P1=dosed, P2=[HEADER, ["A01", "y"]])

    assert {doses.column(BATCH, order) for order in permutations(plates)} == {"Metadata_mmoles_per_liter"}


@pytest.mark.parametrize("nothing", ["", "NA", "None", "-"])
def test_a_well_that_says_it_has_no_dose_makes_no_words_of_the_others(nothing: str, luigi_cfg: LoadSettings) -> None:
    rows = [["A01", "x", "1"], ["A02", "x", "2"], ["A03", "DMSO", nothing], ["A04", "DMSO", nothing]]
    plates = lay(luigi_cfg(""), P1=[[*HEADER, "dose"], *rows], P2=[[*HEADER, "dose"], *rows[2:]])

    assert doses.column(BATCH, plates) == "Metadata_dose"
    assert doses.column(BATCH, plates[1:]) == ""


@pytest.mark.parametrize(("column", "count"), [("Metadata_amount", 1), ("Metadata_other", 0), ("auto", 0)])
def test_a_group_has_a_dose_response_if_it_has_the_column_that_is_set(
    column: str, count: int, luigi_cfg: LoadSettings
) -> None:
    layout = luigi_cfg(f"[dose_response]\ndose = {column}\n")
    lay_plate(layout)
    lay_profiles(layout, PLATE)
    rows = [["A01", "BRD-1", "1"], ["A02", "BRD-1", "2"]]
    lay_table(layout.platemap(BATCH, "JUMP_platemap"), "\t", [*HEADER, "amount"], rows)

    assert [stage for stage, _ in tasks_of()].count("dose_response") == count

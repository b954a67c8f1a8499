"""What a layout does not say as a person sees it is refused by its place, and never read as something else."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.dataset.plate_layouts.conversion import convert
from tasks.dataset.plate_layouts.marking import Controls
from tasks.errors import TableError
from tests.unit.fakes import PLATE
from tests.unit.test_plate_layouts import HEADER, LONG, SAME, book, control_types, said, text


def changed(path: Path, sheet: str, cells: dict[str, Any], merged: str = "") -> Path:
    made = openpyxl.load_workbook(path)
    for place, value in cells.items():
        made[sheet][place] = value
    if merged:
        made[sheet].merge_cells(merged)
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("cells", "merged", "place"),
    {
        "a date": ({"B3": datetime.date(2026, 9, 2)}, "", "cell B3: 2026-09-02 00:00:00 is a date"),
        "an error": ({"C3": "#DIV/0!"}, "", "cell C3: #DIV/0! is an error"),
        "a formula that nothing computed": ({"C3": "=1+1"}, "", "cell C3: '=1+1' is a formula without a value"),
        "a merged cell": ({}, "B3:B4", "cell B4: it is merged with B3"),
    }.values(),
)
@pytest.mark.parametrize("form", ["rows", "grid"])
def test_a_cell_that_holds_not_what_is_seen_is_refused(
    cells: dict[str, Any], merged: str, place: str, form: str, tmp_path: Path
) -> None:
    rows = {"rows": LONG, "grid": [["", 1, 2, 3], *([row, "x", "y", "z"] for row in "ABCD")]}[form]
    path = changed(book(tmp_path / "a.xlsx", {"Compound": rows}), "Compound", cells, merged)

    with pytest.raises(TableError, match=re.escape(f"a.xlsx, sheet Compound, {place}")):
        convert(path, PLATE, {}, Controls(), None)


def test_titles_and_other_sheets_may_hold_dates_and_merged_cells(tmp_path: Path) -> None:
    day = datetime.date(2026, 3, 1)
    path = book(tmp_path / "a.xlsx", {"Plan": [["Screen 7", "", day], *LONG], "Log": [[day, "seeded"]]})

    made = convert(changed(path, "Plan", {}, "A1:B1"), PLATE, {}, Controls(positive="pos"), None)

    assert said(made) == SAME


BESIDE = [["", 1, 2, "", "", 1, 2], ["A", "x", "y", "", "A", 5, 6], ["B", "x", "y", "", "B", 5, 6]]


@pytest.mark.parametrize(
    ("rows", "place"),
    {
        "a column is left out": ([["", 1, 2, 4], ["A", "x", "y", "z"], ["B", "", "", ""]], "line 1, field 4: '4'"),
        "two grids side by side": (BESIDE, "line 1, field 6: '1'"),
        "a row twice": ([["", 1, 2], ["A", "x", "y"], ["B", "x", "y"], ["B", "z", "z"]], "line 4, field 1: 'B'"),
    }.values(),
)
def test_a_grid_of_which_a_part_would_be_lost_is_refused(rows: list[list[Any]], place: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=place):
        convert(text(tmp_path / "a.csv", rows), PLATE, {}, Controls(), None)


@pytest.mark.parametrize("order", [["A1", "A2", "B1", "B2"], ["A1", "B1", "A2", "B2"]])
def test_rows_and_columns_beside_other_numbers_are_no_grid(order: list[str], tmp_path: Path) -> None:
    rows = [[well[0], well[1], int(well[1]) + 1, f"x{well}"] for well in order]

    made = convert(text(tmp_path / "a.csv", [["Row", "Col", "Replicate", "Drug"], *rows]), PLATE, {}, Controls(), None)

    assert [row[:2] for row in made.platemap[1:]] == [[f"{well[0]}0{well[1]}", f"x{well}"] for well in sorted(order)]


def test_the_sheet_that_is_the_layout_is_chosen_where_there_are_sheets(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Plan": LONG, "Old plan": [HEADER, ["A1", "x", ""]]})
    chosen = {"sheet": "Plan"}

    with pytest.raises(TableError, match=r"\[platemap\] sheet = Plan"):
        convert(path, PLATE, {}, Controls(), None)
    assert said(convert(path, PLATE, chosen, Controls(), None)) == SAME
    assert said(convert(text(tmp_path / "a.csv", LONG), PLATE, chosen, Controls(), None)) == SAME
    with pytest.raises(TableError, match="there is no sheet 'New'"):
        convert(path, PLATE, {"sheet": "New"}, Controls(), None)


@pytest.mark.parametrize("form", ["rows", "grid"])
def test_of_a_sheet_a_plate_the_plates_own_is_taken(form: str, tmp_path: Path) -> None:
    forms = {name: {"rows": [HEADER, ["A1", name, ""]], "grid": [["", 1, 2], ["A", name, ""]]} for name in ("x", "y")}
    path = book(tmp_path / "a.xlsx", {"P1": forms["x"][form], "P2": forms["y"][form], "Log": [["by hand"]]})

    found = {plate: convert(path, plate, {}, Controls(), None).platemap[1][:2] for plate in ("P1", "P2")}
    assert found == {"P1": ["A01", "x"], "P2": ["A01", "y"]}
    with pytest.raises(TableError, match="a.xlsx"):
        convert(path, "P3", {}, Controls(), None)


def test_a_legend_may_lie_below_a_grid(tmp_path: Path) -> None:
    rows = [["", 1, 2], ["A", "x", "y"], ["B", "x", "y"], [], ["A", "the row of controls"]]

    made = convert(text(tmp_path / "a.csv", rows), PLATE, {}, Controls(), None)

    assert [row[0] for row in made.platemap[1:]] == ["A01", "A02", "B01", "B02"]


def test_a_compounds_name_may_begin_as_a_remark_does(tmp_path: Path) -> None:
    rows = [["Compound", "Well"], ["# by hand", ""], ["#12", "A1"], ["x", "A2"]]

    made = convert(text(tmp_path / "a.csv", rows), PLATE, {}, Controls(), None)

    assert [row[:2] for row in made.platemap[1:]] == [["A01", "#12"], ["A02", "x"]]


def test_what_a_lookup_did_not_find_is_no_perturbation(tmp_path: Path) -> None:
    made = convert(text(tmp_path / "a.csv", [HEADER, ["A1", "#N/A", "#N/A"]]), PLATE, {}, Controls(), None)

    assert said(made) == [["A01", "", ""]]


@pytest.mark.parametrize("other", ["10 %", "10"])
def test_doses_of_a_perturbation_in_several_units_are_refused(other: str, tmp_path: Path) -> None:
    rows = [HEADER, ["A1", "x", "10 nM"], ["A2", "y", other], ["A3", "DMSO", "0"], ["A4", "x", "0"]]

    made = convert(text(tmp_path / "a.csv", rows), PLATE, {}, Controls(), None)

    assert [row[3] for row in made.platemap[1:]] == ["0.01", "10", "0", "0"]
    with pytest.raises(TableError, match=f"line 6, field 3: '{other}' is in .*, and other wells of x in uM"):
        convert(text(tmp_path / "b.csv", [*rows, ["A5", "x", other]]), PLATE, {}, Controls(), None)


def test_a_dose_in_mol_per_litre_becomes_micromolar(tmp_path: Path) -> None:
    made = convert(
        text(tmp_path / "a.csv", [["Well", "Drug", "Conc (M)"], ["A1", "x", "1e-6"]]), PLATE, {}, Controls(), None
    )

    assert made.platemap[1][3:] == ["1", "uM"]


def test_wells_of_no_name_may_be_controls_and_empty_ones(tmp_path: Path) -> None:
    rows = [["Well", "Drug", "Role"], ["A1", "", "negative"], ["A2", "", ""], ["A3", "x", "treatment"]]

    made = convert(text(tmp_path / "a.csv", rows), PLATE, {}, Controls(), None)

    assert [row[1] for row in made.platemap[1:]] == ["(negcon)", "", "x"]
    assert control_types(made) == {"": "", "(negcon)": "negcon", "x": ""}


@pytest.mark.parametrize(
    ("role", "names", "rows"),
    [
        ("unit", ("Unit", "Conc unit"), [["A1", "x", "1", "nM", "nM"]]),
        ("control", ("Role", "Well type"), [["A1", "x", "1", "negative", ""]]),
        ("plate", ("Plate", "Barcode"), [["A1", "x", "1", "1", "P1"], ["A1", "x", "1", "2", "P2"]]),
    ],
)
def test_columns_that_may_each_say_what_a_dose_or_a_well_is_are_asked_for(
    role: str, names: tuple[str, str], rows: list[list[str]], tmp_path: Path
) -> None:
    path = text(tmp_path / "a.csv", [[*HEADER, *names], *rows])

    with pytest.raises(TableError, match=f"{names[0]} and {names[1]} may each be the {role}"):
        convert(path, PLATE, {}, Controls(), None)
    assert len(convert(path, "P1", {role: names[1]}, Controls(), None).platemap) == 2

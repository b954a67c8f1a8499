"""A laboratory's layout becomes a platemap: each form, each spelling, and every bad cell by its place."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.dataset.plate_layouts.conversion import Converted, convert
from tasks.dataset.plate_layouts.marking import Controls
from tasks.errors import SettingsError, StageError, TableError
from tasks.settings import checks, sections
from tasks.workflow import doses, pipeline, plate_layouts
from tasks.workflow.inputs import ExternalMetadata, Platemap
from tasks.workflow.profiles import Consensus
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, make_task

SAME = [["A01", "DMSO", ""], ["A02", "drug, a", "1"], ["B01", "drug, a", "0.5"], ["B12", "pos", "2"]]
"""What every form of the layout says: wells, perturbations and doses in uM."""
HEADER = ["Well", "Compound", "Concentration"]
LONG = [HEADER, *SAME]
GRIDS = {
    "Compound": [["", 1, 2, 12], ["A", "DMSO", "drug, a", ""], ["B", "drug, a", "", "pos"]],
    "Dose (uM)": [["", 1, 2, 12], ["A", "", 1, ""], ["B", 0.5, "", 2]],
}


def text(path: Path, rows: list[list[Any]], separator: str = ",", mark: str = "") -> Path:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        handle.write(mark)
        csv.writer(handle, delimiter=separator).writerows(rows)
    return path


def book(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def with_rows(folder: Path) -> Path:
    cut = [["row", "col", *HEADER[1:]], *([ord(well[0]) - 64, int(well[1:]), *rest] for well, *rest in SAME)]
    return text(folder / "a.csv", cut)


def whole_rows(grid: list[list[Any]]) -> list[list[Any]]:
    """Return a grid with all twelve columns of a plate of 96 wells."""
    return [["", *range(1, 13)], *([name, one, two, *[""] * 9, twelve] for name, one, two, twelve in grid[1:])]


def grids_in_a_book(folder: Path, grids: dict[str, list[list[Any]]]) -> Path:
    return book(folder / "a.xlsx", {name: whole_rows(grid) for name, grid in grids.items()} | {"Notes": [["by hand"]]})


def grids_in_text(folder: Path) -> Path:
    return text(folder / "a.csv", [row for name, grid in GRIDS.items() for row in [[name], *whole_rows(grid), []]])


FORMS: dict[str, Callable[[Path], Path]] = {
    "csv": lambda folder: text(folder / "a.csv", LONG),
    "semicolons, comma as point": lambda folder: text(
        folder / "a.csv", [HEADER, *([well, name, dose.replace(".", ",")] for well, name, dose in SAME)], ";"
    ),
    "tabs": lambda folder: text(folder / "a.txt", LONG, "\t"),
    "byte order mark": lambda folder: text(folder / "a.csv", LONG, mark="\ufeff"),
    "blanks around": lambda folder: text(
        folder / "a.tsv", [[f" {cell}  " for cell in row] for row in LONG], "\t"
    ),
    "a zero-width space": lambda folder: text(folder / "a.csv", [["\u200b" + cell for cell in row] for row in LONG]),
    "wells unpadded, in small letters": lambda folder: text(
        folder / "a.csv", [HEADER, *([f"{well[0].lower()}{int(well[1:])}", *rest] for well, *rest in SAME)]
    ),
    "wells with a dash": lambda folder: text(
        folder / "a.csv", [HEADER, *([f"{well[0]} - {int(well[1:])}", *rest] for well, *rest in SAME)]
    ),
    "row and column": with_rows,
    "a title, a remark, blank lines": lambda folder: text(
        folder / "a.csv", [["Screen 7"], [], HEADER, ["# mine"], *SAME, ["", "", ""]]
    ),
    "doses with units": lambda folder: text(
        folder / "a.csv", [HEADER, *([well, name, dose and f"{float(dose) * 1000:g} nM"] for well, name, dose in SAME)]
    ),
    "a unit in the header": lambda folder: text(
        folder / "a.csv",
        [["Well", "Compound", "Conc. [mM]"], *([well, name, dose and float(dose) / 1000] for well, name, dose in SAME)],
    ),
    "a column of units": lambda folder: text(
        folder / "a.csv", [[*HEADER, "Unit"], *([*row, "\u00b5M" if row[2] else "None"] for row in SAME)]
    ),
    "xlsx": lambda folder: book(folder / "a.xlsx", {"Sheet1": LONG, "Notes": [["by hand"]]}),
    "grids in xlsx": lambda folder: grids_in_a_book(folder, GRIDS),
    "grids in text": grids_in_text,
}  # fmt: skip


def said(made: Converted) -> list[list[str]]:
    header, *rows = made.platemap
    return [[row[header.index(name)] for name in ("well_position", "broad_sample", "dose")] for row in rows]


def control_types(made: Converted) -> dict[str, str]:
    return {row[0]: row[2] for row in made.external_metadata[1:]}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_layout_says_the_same(form: str, tmp_path: Path) -> None:
    made = convert(FORMS[form](tmp_path), PLATE, {}, Controls(positive="pos"), None)

    assert said(made) == SAME
    assert control_types(made) == {"DMSO": "negcon", "drug, a": "", "pos": "poscon"}


@pytest.mark.parametrize(
    ("change", "places"),
    {
        "a well": ([["A1", "DMSO", ""], ["Q99", "x", "1"]], ("line 3, field 1", "cell A3", "'Q99'")),
        "a dose": ([["A1", "DMSO", ""], ["A2", "x", "high"]], ("line 3, field 3", "cell C3", "'high'")),
        "a dose that is 1 or 1000": ([["A1", "x", "1,000"]], ("line 2, field 3", "cell C2", "'1,000'")),
        "a negative dose": ([["A1", "x", "-1"]], ("line 2, field 3", "cell C2", "'-1'")),
        "a well twice": ([["A1", "x", "1"], ["A01", "y", "1"]], ("line 3, field 1", "cell A3", "'A01'")),
        "a well of two plates' size": ([["AG01", "x", "1"]], ("line 2, field 1", "cell A2", "'AG01'")),
        "a cell beyond the header": ([["A1", "x", "1", "?"]], ("line 2, field 4", "cell D2", "'?'")),
    }.values(),
)
def test_a_bad_cell_is_named_with_its_place_and_value(
    change: list[list[str]], places: tuple[str, str, str], tmp_path: Path
) -> None:
    in_text, in_book, value = places
    for path, place in (
        (text(tmp_path / "a.csv", [HEADER, *change]), in_text),
        (book(tmp_path / "a.xlsx", {"Plan": [HEADER, *change]}), f"sheet Plan, {in_book}"),
    ):
        with pytest.raises(TableError) as failure:
            convert(path, PLATE, {}, Controls(), None)

        assert all(part in str(failure.value) for part in (str(path), place, value))


def test_a_bad_cell_of_a_grid_is_named_too(tmp_path: Path) -> None:
    path = grids_in_a_book(tmp_path, {**GRIDS, "Dose (uM)": [["", 1, 2, 12], ["A", "", "much", ""]]})

    with pytest.raises(TableError, match=r"a\.xlsx, sheet Dose \(uM\), cell C2: 'much'"):
        convert(path, PLATE, {}, Controls(), None)


def test_a_date_that_excel_made_of_a_name_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Plan": [HEADER, ["A1", datetime.date(2026, 3, 1), 1]]})

    with pytest.raises(TableError, match="sheet Plan, cell B2: 2026-03-01 00:00:00 is a date"):
        convert(path, PLATE, {}, Controls(), None)


def test_what_leaves_a_doubt_is_asked_for_and_settings_decide(tmp_path: Path) -> None:
    rows = [["Well", "Compound", "Drug", "Cell line"], ["A1", "x", "y", "U2OS"]]
    path = text(tmp_path / "a.csv", rows)

    with pytest.raises(TableError, match="Compound and Drug may each be the perturbation"):
        convert(path, PLATE, {}, Controls(), None)
    with pytest.raises(TableError, match=r"no column 'Gene' \(luigi.cfg \[platemap\] perturbation\)"):
        convert(path, PLATE, {"perturbation": "Gene"}, Controls(), None)
    header, row = convert(path, PLATE, {"perturbation": "drug"}, Controls(), None).platemap
    assert header == ["well_position", "broad_sample", "perturbation", "Compound", "Cell_line"]
    assert row == ["A01", "y", "y", "x", "U2OS"]


def test_columns_that_the_profiles_have_themselves_pass_under_another_name(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", [["Well", "Compound", "Metadata_MoA", "Object_Count"], ["A1", "x", "mek", "7"]])

    header, row = convert(path, PLATE, {}, Controls(), None).platemap
    assert dict(zip(header, row, strict=True)) == {
        "well_position": "A01", "broad_sample": "x", "perturbation": "x", "MoA": "mek", "layout_Object_Count": "7",
    }  # fmt: skip


SAID = ("vehicle", "treatment", "", "positive")
ROLES = [[*HEADER, "role", "cells"], *([*row, role, "a"] for row, role in zip(SAME, SAID, strict=True))]
ROLES.append(["C1", "DMSO", "", "", "b"])


@pytest.mark.parametrize(
    ("controls", "expected"),
    {
        "the column": (Controls(), {"A01": "negcon", "B12": "poscon"}),
        "names": (Controls("dmso, pos"), {"A01": "negcon", "B12": "negcon", "C01": "negcon"}),
        "a query": (Controls("perturbation == 'DMSO' and cells == 'a'"), {"A01": "negcon", "B12": "poscon"}),
        "numbers": (Controls("Concentration >= 1 and not cells in ['b']"), {"A02": "negcon", "B12": "negcon"}),
        "a name in backticks": (Controls("`cells` != 'a'"), {"C01": "negcon", "B12": "poscon"}),
        "both": (Controls("DMSO", "role == 'positive'"), {"A01": "negcon", "C01": "negcon", "B12": "poscon"}),
    }.values(),
)  # fmt: skip
def test_controls_are_named_asked_for_or_said_by_the_layout(
    controls: Controls, expected: dict[str, str], tmp_path: Path
) -> None:
    made = convert(text(tmp_path / "a.csv", ROLES), PLATE, {}, controls, None)

    by_key = control_types(made)
    assert {row[0]: by_key[row[1]] for row in made.platemap[1:] if by_key[row[1]]} == expected
    assert {row[0]: row[2] for row in made.platemap[1:]} == {row[0].replace("C1", "C01"): row[1] for row in ROLES[1:]}


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        (Controls("water"), "no well of"),
        (Controls("rolle == 'x'"), "has no column rolle"),
        (Controls("DMSO", "perturbation == 'DMSO'"), "is a negative and a positive control"),
    ],
)
def test_controls_that_cannot_be_meant_are_refused(controls: Controls, words: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=words):
        convert(text(tmp_path / "a.csv", ROLES), PLATE, {}, controls, None)


def test_a_plate_without_the_positive_controls_of_its_batch_is_told_of_and_kept(tmp_path: Path) -> None:
    made = convert(text(tmp_path / "a.csv", ROLES), PLATE, {}, Controls("DMSO", "staurosporine"), None)

    assert control_types(made)["pos"] == "poscon"  # the layout's own column says so
    assert "no well is a positive control by [controls] positive = staurosporine" in made.notes


def test_a_query_that_runs_code_is_none(luigi_cfg: LoadSettings) -> None:

    luigi_cfg("[controls]\nnegative = __import__('os').system('x') == 0\n")

    with pytest.raises(SettingsError, match=r"\[controls\] negative"):
        checks.check(pipeline.stage_settings())


def test_of_several_plates_in_a_layout_the_own_rows_are_taken(tmp_path: Path) -> None:
    rows = [["Plate", *HEADER], *(["P1", *row] for row in SAME), *(["P2", row[0], "x", "3"] for row in SAME)]
    path = text(tmp_path / "a.csv", rows)

    assert said(convert(path, "P1", {}, Controls(), None)) == SAME
    assert {row[1] for row in said(convert(path, "P2", {}, Controls(), None))} == {"x"}
    with pytest.raises(TableError, match=r"of 2 plates \(Plate\), and P3 is none of them: P1, P2"):
        convert(path, "P3", {}, Controls(), None)


def test_a_laboratorys_own_table_of_compounds_is_joined(tmp_path: Path) -> None:
    compounds = text(tmp_path / "c.csv", [["Compound", "target_list"], ["drug, a", "MAPK1|MAPK3"], ["other", "x"]])

    made = convert(text(tmp_path / "a.csv", LONG), PLATE, {}, Controls(), compounds)

    assert [[row[0], row[3]] for row in made.external_metadata] == [
        ["broad_sample", "target_list"], ["DMSO", ""], ["drug, a", "MAPK1|MAPK3"], ["pos", ""],
    ]  # fmt: skip


def laid(layout: Layout, rows: list[list[Any]], name: str = "JUMP_platemap.csv") -> Path:
    lay_plate(layout)
    layout.platemap(BATCH, "JUMP_platemap").unlink()
    layout.external_metadata("JUMP_metadata.tsv").unlink()
    return text(layout.platemap(BATCH, "JUMP_platemap").with_name(name), rows)


@pytest.mark.parametrize("given", ["", "[platemap]\nsheet = Plan\n"], ids=["nothing", "a sheet, of books"])
def test_a_platemap_in_the_inner_form_passes_byte_for_byte(given: str, luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg(given)
    lay_plate(layout)

    platemap, external = make_task(Platemap), make_task(ExternalMetadata)
    assert platemap.path() == layout.platemap(BATCH, "JUMP_platemap")
    assert external.path() == layout.external_metadata("JUMP_metadata.tsv")
    assert not layout.converted_platemap(BATCH, PLATE, "content").parents[2].exists()


def test_stages_read_a_converted_layout_and_its_origin_is_told(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("[controls]\npositive = pos\n")
    source = laid(layout, LONG)

    platemap, external = make_task(Platemap).path(), make_task(ExternalMetadata).path()
    with open(platemap, newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    assert [[row["well_position"], row["broad_sample"], row["dose"]] for row in rows] == SAME
    with open(external, newline="") as table:
        assert [row["control_type"] for row in csv.DictReader(table, delimiter="\t")] == ["negcon", "", "poscon"]
    origin = json.loads(platemap.with_suffix(".json").read_text())
    assert layout.root / origin["source"] == source
    assert origin["columns"] == "well = Well, perturbation = Compound, dose = Concentration"
    assert origin["controls"] == {"negative": "", "positive": "pos"}


def test_a_result_is_stale_by_what_a_layout_says_not_by_how_it_is_written(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    source = laid(layout, LONG)

    def digest() -> str:
        return make_task(Platemap).promises()["platemap"].digest

    first = digest()
    text(source, [["  well ", "compound", "DOSE", ""], *SAME])
    assert digest() == first
    text(source, [HEADER, *SAME[:-1], ["B12", "pos", "3"]])
    assert digest() != first


def test_another_reading_of_a_layout_leaves_the_files_of_the_first_as_they_are(luigi_cfg: LoadSettings) -> None:
    laid(luigi_cfg("[controls]\npositive = pos\n"), LONG)
    first, first_external = make_task(Platemap).path(), make_task(ExternalMetadata).path()
    before = (first.read_bytes(), first_external.read_bytes())
    luigi_cfg("[controls]\nnegative = pos\n")
    second, second_external = make_task(Platemap).path(), make_task(ExternalMetadata).path()

    assert (first.read_bytes(), first_external.read_bytes()) == before
    assert second_external != first_external
    assert second_external.read_bytes() != before[1]
    assert second.parent == second_external.parent


def test_several_files_of_a_platemaps_name_are_refused(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    laid(layout, LONG)
    text(layout.platemap(BATCH, "JUMP_platemap"), LONG, "\t")

    with pytest.raises(TableError, match="several platemaps: JUMP_platemap.txt, JUMP_platemap.csv"):
        lookup.platemap(layout, BATCH, PLATE)


def test_settings_say_how_a_platemap_in_the_inner_form_is_read(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("[platemap]\ndose = stock\nunit = mM\n")
    lay_plate(layout)
    rows = [["well_position", "broad_sample", "stock"], ["A01", "BRD-1", "2"]]
    text(layout.platemap(BATCH, "JUMP_platemap"), rows, "\t")

    found = plate_layouts.tables(BATCH, PLATE)
    assert found.platemap.read_text().splitlines()[1].split("\t") == ["A01", "BRD-1", "BRD-1", "2000", "uM"]


def test_every_setting_of_a_layout_is_read_from_its_section(luigi_cfg: LoadSettings) -> None:
    names = [name for name, _ in sections.own_layout.get_params()]
    luigi_cfg("\n".join(["[platemap]", *(f"{name} = my {name}" for name in names)]) + "\n")

    given = sections.own_layout()
    assert {name: getattr(given, name) for name in names} == {name: f"my {name}" for name in names}


def test_a_set_has_doses_where_a_perturbation_has_several(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    laid(layout, LONG)

    assert doses.column(BATCH, [PLATE]) == "Metadata_dose"
    assert doses.replicates("auto", BATCH, [PLATE]) == "Metadata_broad_sample,Metadata_dose"
    assert doses.replicates("Metadata_gene", BATCH, [PLATE]) == "Metadata_gene"
    assert make_task(Consensus).spec().parameters["replicates"] == "Metadata_broad_sample,Metadata_dose"


def test_a_set_with_one_dose_of_each_perturbation_has_none_to_tell_apart(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    laid(layout, [HEADER, ["A1", "DMSO", ""], ["A2", "x", "1"], ["A3", "y", "5"]])

    assert doses.column(BATCH, [PLATE]) == ""
    assert make_task(Consensus).spec().parameters["replicates"] == "Metadata_broad_sample"


def test_no_flag_of_a_task_is_the_beginning_of_a_sections_flag() -> None:
    """Luigi knows the sections' flags before it knows the task's: --plate would be ambiguous beside --platemap-well."""
    of_sections = {
        f"{kind.get_task_family()}_{name}" for kind in sections.SECTIONS.values() for name, _ in kind.get_params()
    }
    of_tasks = {name for task in pipeline.stage_tasks().values() for name, _ in task.get_params()}

    assert {name for name in of_tasks for flag in of_sections if flag.startswith(name) and name != flag} == set()

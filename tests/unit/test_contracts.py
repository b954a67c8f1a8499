"""The data contracts: a table that breaks one is named, with the column and what it has instead."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from stagekit import contracts
from stagekit.program import DataError
from stagekit.rules import FINITE, NUMBER, TEXT, WHOLE, Table, Values

from tasks.dataset import layout

TABLE = Table("tiles", ("plate", "well"), ("Cells_",))
GOOD = ["plate", "well", "Cells_Area"]

BAD = {
    "missing": (["plate", "Cells_Area"], "P.csv: a tiles table needs the column well; it has plate, Cells_Area"),
    "no feature": (["plate", "well"], "P.csv: a tiles table needs the column Cells_*; it has plate, well"),
    "nothing": ([], "P.csv: a tiles table needs the column plate, well, Cells_*; it has none"),
    "many": (
        [f"c{number}" for number in range(9)],
        "P.csv: a tiles table needs the column plate, well, Cells_*; it has c0, c1, c2, c3, c4, c5, ... (9 columns)",
    ),
    "unnamed": ([*GOOD, ""], "P.csv: a column has no name; remove the stray index column"),
    "of pandas": (["Unnamed: 0", *GOOD], "P.csv: a column has no name; remove the stray index column"),
    "twice": ([*GOOD, "well"], "P.csv: the column well stands there twice"),
}


@pytest.mark.parametrize(("columns", "said"), BAD.values(), ids=BAD)
def test_a_table_that_breaks_its_contract_is_named(columns: list[str], said: str) -> None:
    with pytest.raises(DataError) as failure:
        TABLE.check(columns, "P.csv")

    assert str(failure.value) == said


def test_a_table_with_all_columns_and_others_is_good() -> None:
    TABLE.check([*GOOD, "more"], "P.csv")


@pytest.mark.parametrize("table", contracts.BY_NAME.values(), ids=contracts.BY_NAME)
def test_a_contract_is_kept_by_what_it_asks_for_and_by_nothing_less(table: Table) -> None:
    columns = [*table.required, *(f"{prefix}DNA" for prefix in table.prefixes)]
    table.check(columns, "P.csv")

    for left_out in columns:
        with pytest.raises(DataError, match="needs the column"):
            table.check([name for name in columns if name != left_out], "P.csv")


def test_two_rows_with_the_same_key_are_named() -> None:
    table = Table("tiles", ("plate", "well"), key=("plate", "well"))
    table.check_rows(["plate", "well"], [("P", "A01"), ("P", "A02"), ("Q", "A01")], "P.csv")
    TABLE.check_rows(["plate"], [("P",), ("P",)], "P.csv")  # has no key
    with pytest.raises(DataError) as failure:
        table.check_rows(["well", "plate"], [("A01", "P"), ("A02", "P"), ("A01", "P")], "P.csv")

    assert str(failure.value) == "P.csv: plate well P A01 stands there twice; a row is one of each, keep one"


@pytest.mark.parametrize("row", [("P",), ("P", "A01", "more")], ids=["less", "more"])
def test_a_row_with_another_number_of_fields_is_named(row: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=rf"^P.csv: row 3 has {len(row)} fields, the header 2; complete the row"):
        TABLE.check_rows(["plate", "well"], [("P", "A01"), row], "P.csv")


WELL = Values("x", TEXT, form=contracts.PLACE)
COUNT = Values("x", WHOLE, least=1)
VALUES = {
    "a well": (WELL, "A01", ""),
    "a well of 1536": (WELL, "AF48", ""),
    "a small well": (WELL, "a01", "is 'a01', not a well like A01"),
    "a short well": (WELL, "A1", "is 'A1', not a well like A01"),
    "a well and more": (WELL, "A01\n", "is 'A01\\n', not a well like A01"),
    "no well": (WELL, "", "is empty"),
    "a text that may be missing": (Values("x", TEXT, needed=False), "", ""),
    "a choice": (Values("x", TEXT, choices=("true", "false")), "true", ""),
    "no choice": (Values("x", TEXT, choices=("true", "false")), "True", "is 'True', not 'true' or 'false'"),
    "a count": (COUNT, "9", ""),
    "a count that pandas wrote": (COUNT, "9.0", ""),
    "no count": (COUNT, "0", "is '0', not a whole number of at least 1"),
    "half a count": (COUNT, "1.5", "is '1.5', not a whole number of at least 1"),
    "an endless count": (COUNT, "inf", "is 'inf', not a whole number of at least 1"),
    "a missing count": (COUNT, "nan", "is empty"),
    "a number": (Values("x", NUMBER), "-1e-3", ""),
    "any number": (Values("x", NUMBER), "-inf", ""),
    "no finite number": (Values("x", FINITE), "-inf", "is '-inf', not a finite number"),
    "a text for a number": (Values("x", FINITE), "high", "is 'high', not a finite number"),
    "a missing number": (Values("x", FINITE, needed=False), "NaN", ""),
}


@pytest.mark.parametrize(("rule", "text", "said"), VALUES.values(), ids=VALUES)
def test_a_value_is_judged_as_it_is_written(rule: Values, text: str, said: str) -> None:
    assert rule.fault(text) == said


def test_a_bad_value_is_named_with_its_row_and_column() -> None:
    row = ["BR1", "A1", "9"]
    with pytest.raises(DataError) as failure:
        contracts.PROFILES.check_rows(["Metadata_Plate", "Metadata_Well", "Cells_A"], [row], "BR1.csv.gz")

    assert str(failure.value) == "BR1.csv.gz: row 2: Metadata_Well is 'A1', not a well like A01; correct it"


@pytest.mark.parametrize("table", contracts.BY_NAME.values(), ids=contracts.BY_NAME)
def test_every_rule_refuses_something(table: Table) -> None:
    tried = ["", "\n", "x", "-1", "inf", "1.5"]

    assert [rule.columns for rule in table.values if not any(map(rule.fault, tried))] == []


def test_every_rule_is_of_a_column_that_is_required_or_may_be_there() -> None:
    optional = ("Metadata_Site_Count", "Metadata_Object_Count", "Metadata_Count_*", "FileName_*")
    features = tuple(f"{prefix}*" for prefix in contracts.FEATURE_PREFIXES)
    for table in tables():
        for rule in table.values:
            assert rule.columns in (*table.required, *optional, *features), table.name


def test_a_plates_name_is_what_a_path_takes() -> None:
    assert contracts.NAME.pattern.pattern == layout.NAME.pattern


def test_every_key_is_made_of_columns_that_must_be_there() -> None:
    assert [table.name for table in tables() if not {*table.key} <= {*table.required}] == []


def test_the_page_shows_every_contract_as_it_is() -> None:
    described = {cells[0]: (cells[1], cells[2]) for cells in shown("| table | key")}

    assert described == {table.name: (code(table.key), code(columns(table))) for table in tables()}


def test_the_page_shows_what_every_column_holds() -> None:
    rules: dict[tuple[str, str], list[str]] = {}
    for table in tables():
        for rule in table.values:
            words = rule.words() + ("" if rule.needed else ", or nothing")
            rules.setdefault((f"`{rule.columns}`", words), []).append(table.name)

    assert shown("| column |") == [[*rule, ", ".join(names)] for rule, names in rules.items()]


def shown(head: str) -> list[list[str]]:
    """Return the cells of the table of the page that begins so."""
    lines = iter((layout.REPOSITORY / "docs/data_contracts.md").read_text().splitlines())
    next(line for line in lines if line.startswith(head))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows][1:]


def tables() -> list[Table]:
    return [value for value in vars(contracts).values() if isinstance(value, Table)]


def columns(table: Table) -> list[str]:
    return [*table.required, *(f"{prefix}*" for prefix in table.prefixes)]


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

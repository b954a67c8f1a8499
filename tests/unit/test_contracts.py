"""The data contracts: a table that breaks one is named, with the column and what it has instead."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from stagekit import contracts
from stagekit.contracts import Table
from stagekit.program import DataError

from tasks import layout

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
    table.check_keys([("P", "A01"), ("P", "A02"), ("Q", "A01")], "P.csv")
    TABLE.check_keys([(), ()], "P.csv")  # has no key
    with pytest.raises(DataError) as failure:
        table.check_keys([("P", "A01"), ("P", "A02"), ("P", "A01")], "P.csv")

    assert str(failure.value) == "P.csv: plate well P A01 stands there twice; a row is one of each, keep one"


def test_every_key_is_made_of_columns_that_must_be_there() -> None:
    assert [table.name for table in tables() if not {*table.key} <= {*table.required}] == []


def test_the_page_shows_every_contract_as_it_is() -> None:
    lines = (layout.REPOSITORY / "docs/data_contracts.md").read_text().splitlines()
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    described = {cells[0]: (cells[1], cells[2]) for cells in shown if len(cells) == 4}

    assert described == {table.name: (code(table.key), code(columns(table))) for table in tables()}


def tables() -> list[Table]:
    return [value for value in vars(contracts).values() if isinstance(value, Table)]


def columns(table: Table) -> list[str]:
    return [*table.required, *(f"{prefix}*" for prefix in table.prefixes)]


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

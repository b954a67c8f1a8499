"""The data contracts: a table that breaks one is named, with the column and what it has instead."""

from __future__ import annotations

import pytest
from stagekit import contracts
from stagekit.contracts import Table
from stagekit.program import DataError

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

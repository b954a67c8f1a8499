"""How a table is described: its columns, what they hold, and its key; and how it is checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Iterable, List, NamedTuple, Optional, Pattern, Sequence, Set, Tuple

from stagekit.program import DataError

TEXT, WHOLE, NUMBER, FINITE = "text", "whole number", "number", "finite number"
KINDS = {TEXT: "a text", WHOLE: "a whole number", NUMBER: "a number", FINITE: "a finite number"}


class Form(NamedTuple):
    """What a text looks like."""

    words: str
    pattern: Pattern[str]


@dataclass(frozen=True)
class Values:
    """What the values of a column are: `columns` is its name, or a prefix and a star; `kind` is one of KINDS."""

    columns: str
    kind: str
    needed: bool = True
    """Whether every row has a value; a missing number may be written nan."""
    form: Optional[Form] = None
    choices: Tuple[str, ...] = ()
    least: float = -math.inf

    def are_of(self, column: str) -> bool:
        """Say whether the rule is one for this column."""
        return column.startswith(self.columns[:-1]) if self.columns.endswith("*") else column == self.columns

    def fault(self, text: str) -> str:
        """Return what is wrong with a value as it is written; nothing if it is good."""
        if not text or self.kind != TEXT and text.lower() == "nan":
            return "is empty" if self.needed else ""
        if self.kind == TEXT:
            fits = not self.form or self.form.pattern.fullmatch(text)
            good = bool(fits) and text in (self.choices or (text,))
        else:
            good = self._is_number(text)
        return "" if good else f"is {text!r}, not {self.words()}"

    def words(self) -> str:
        """Return what is allowed."""
        words = self.form.words if self.form else " or ".join(map(repr, self.choices)) or KINDS[self.kind]
        return words + (f" of at least {self.least:g}" if self.least > -math.inf else "")

    def _is_number(self, text: str) -> bool:
        try:
            number = float(text)
        except ValueError:
            return False
        finite = self.kind == NUMBER or math.isfinite(number)
        return finite and number >= self.least and (self.kind != WHOLE or number.is_integer())


@dataclass(frozen=True)
class Table:
    """What a table must have: the columns `required`, one for each of `prefixes`, and no two rows with the same `key`.

    `values` says what the columns hold, where they are there. docs/data_contracts.md shows all of them.
    """

    name: str
    required: Tuple[str, ...]
    prefixes: Tuple[str, ...] = ()
    key: Tuple[str, ...] = ()
    values: Tuple[Values, ...] = ()

    def check(self, columns: Iterable[str], where: str) -> None:
        """Raise DataError, naming `where`, if a column is missing, unnamed or there twice."""
        names = list(columns)
        missing = [name for name in self.required if name not in names]
        missing += [f"{prefix}*" for prefix in self.prefixes if not any(name.startswith(prefix) for name in names)]
        if missing:
            raise DataError(f"{where}: a {self.name} table needs the column {', '.join(missing)}; it has {_few(names)}")
        if any(not name or name.startswith("Unnamed:") for name in names):
            raise DataError(f"{where}: a column has no name; remove the stray index column")
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise DataError(f"{where}: the column {', '.join(twice[:5])} stands there twice")

    def check_rows(self, columns: Sequence[str], rows: Iterable[Sequence[str]], where: str) -> None:
        """Raise DataError, naming `where`, for a value that breaks its rule, a cut row, or a key that is there twice.

        Rows are texts as they are written. Thousands of columns of numbers (Cells_* ...) are left to the programs that
        read and write them as numbers.
        """
        own_rules = [rule for rule in self.values if rule.kind in (TEXT, WHOLE) or not rule.columns.endswith("*")]
        rules = [(at, name, rule) for at, name in enumerate(columns) for rule in own_rules if rule.are_of(name)]
        key = [columns.index(name) for name in self.key]
        seen: Set[Tuple[str, ...]] = set()
        for number, row in enumerate(rows, start=2):
            if len(row) != len(columns):
                message = f"{where}: row {number} has {len(row)} fields, the header {len(columns)}; complete the row"
                raise DataError(message)
            for at, name, rule in rules:
                fault = rule.fault(row[at])
                if fault:
                    raise DataError(f"{where}: row {number}: {name} {fault}; correct it")
            own = tuple(row[at] for at in key)
            if key and own in seen:
                raise DataError(f"{where}: {self._twice(own)}")
            seen.add(own)

    def _twice(self, key: Tuple[str, ...]) -> str:
        shown = " ".join(key) or "(empty)"
        return f"{' '.join(self.key)} {shown} stands there twice; a row is one of each, keep one"

    def finite(self, column: str) -> bool:
        """Say whether a column of numbers may hold no infinity."""
        return any(rule.are_of(column) and rule.kind in (WHOLE, FINITE) for rule in self.values)

    def whole(self, column: str) -> bool:
        """Say whether a column holds whole numbers."""
        return any(rule.are_of(column) and rule.kind == WHOLE for rule in self.values)


def _few(names: List[str]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names)} columns)" if len(names) > 6 else "") if names else "none"

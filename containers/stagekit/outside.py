"""Tables that come from outside: every row is checked before anything is computed, and all faults are found.

`contracts` says what their columns hold. Here a fault names its line in the file, blank lines counted, and a value that
is compared with others may have no blank around it: `BRD-1 ` would be another compound than `BRD-1`.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from stagekit import contracts, tables
from stagekit.program import DataError
from stagekit.rules import TEXT, Table, Values

SHOWN = 5  # of the faults of a table
FORM, CUT, TWICE, BLANK = "form", "cut", "twice", "blank"
EVERY = ("*",)
Row = Tuple[int, Sequence[str]]
"""The number of its line in the file, and its cells."""


class Kind(NamedTuple):
    """What is checked of a kind of table, beside the columns that its contract asks for."""

    contract: Table
    key: Tuple[str, ...]
    """No two rows share it; empty: rows may repeat."""
    compared: Tuple[str, ...]
    """Columns whose values are compared with those of other tables or of settings; EVERY: all."""
    values: Tuple[Values, ...] = ()
    """What columns hold, beside what the contract says."""


class Fault(NamedTuple):
    """What is wrong with a row; `rule` is FORM, CUT, TWICE or BLANK, `column` is empty if it is no single one."""

    line: int
    rule: str
    column: str
    said: str

    def __str__(self) -> str:
        return f"line {self.line}: " + (f"{self.column} " if self.column else "") + self.said


def _kind(contract: Table, compared: Tuple[str, ...], *values: Values) -> Kind:
    return Kind(contract, contract.key, compared, values)


BARCODE_PLATEMAP = _kind(contracts.BARCODE_PLATEMAP, ("Assay_Plate_Barcode", "Plate_Map_Name"))
PLATEMAP = _kind(contracts.PLATEMAP, ("well_position", "broad_sample"))
EXTERNAL_METADATA = _kind(contracts.EXTERNAL_METADATA, ("broad_sample", "pert_type", "control_type"))
EXPERIMENT_METADATA = Kind(
    contracts.EXPERIMENT_METADATA,
    key=("Batch", "Assay_Plate_Barcode"),
    compared=EVERY,
    values=tuple(Values(name, TEXT, form=contracts.NAME) for name in ("Batch", "Assay_Plate_Barcode")),
)
LABELS = Kind(Table("labels", ("broad_sample",)), key=(), compared=("broad_sample",))
CHECKSUMS = Kind(contracts.CHECKSUMS, key=("path",), compared=("path", "sha256"))
QUALITY_SUMMARY = _kind(contracts.QUALITY_SUMMARY, ())
IN_PROFILES = ("Metadata_broad_sample", "Metadata_control_type", "Metadata_pert_type")

# A column x of the platemap or of the external metadata becomes Metadata_x of the profiles.
PREFIX = "Metadata_"
TAKEN = ("Plate", "Well", "Site_Count", "Object_Count", "Count_*", f"{PREFIX}*")
"""Names that such a column may not have: the profiles have one of that name, or would have the prefix twice."""


def of_profiles(contract: Table) -> Kind:
    """Return what is checked of profiles under a contract."""
    return _kind(contract, IN_PROFILES)


def of_load_data(contract: Table) -> Kind:
    """Return what is checked of a list of images under a contract."""
    return _kind(contract, contract.key)


def read(kind: Kind, path: Path, separator: str = ",") -> List[Dict[str, str]]:
    """Return the rows of a table that is good; raise DataError, naming the file and its faults, if it is not."""
    header, rows = split(path, separator)
    check(kind, header, rows, path.name)
    return [dict(zip(header, row)) for _, row in rows]


def split(path: Path, separator: str = ",") -> Tuple[List[str], List[Row]]:
    """Return the header, and the rows with the numbers of their lines."""
    (_, header), *rows = tables.numbered(path, separator) or [(1, [])]
    return header, list(rows)


def check(kind: Kind, columns: Sequence[str], rows: Sequence[Row], where: str) -> None:
    """Raise DataError for a table that breaks a rule: the first faults, and how many there are."""
    check_columns(kind, columns, where)
    if not rows:
        raise DataError(f"{where}: it holds no row below its header; is it the right file?")
    refuse(list(faults(kind, columns, rows)), where)


def check_columns(kind: Kind, columns: Sequence[str], where: str) -> None:
    """Raise DataError for a column that is missing, unnamed or there twice, or whose name has a blank around it."""
    odd = [name for name in columns if _hidden(name)]
    if odd:
        raise DataError(f"{where}: the column {odd[0]!r} {_hidden(odd[0])}; correct its name in the header")
    kind.contract.check(columns, where)


def refuse(found: Sequence[Fault], where: str) -> None:
    """Raise DataError with the first of the faults, if there are any."""
    if found:
        more = f" (and {len(found) - SHOWN} more faults)" if len(found) > SHOWN else ""
        raise DataError(f"{where}: {'; '.join(map(str, found[:SHOWN]))}{more}; correct the file")


def faults(kind: Kind, columns: Sequence[str], rows: Sequence[Row]) -> Iterator[Fault]:
    """Yield what is wrong with the rows of a table that has the columns of its contract."""
    compared = [(at, name) for at, name in enumerate(columns) if kind.compared == EVERY or name in kind.compared]
    own_rules = [rule for rule in (*kind.contract.values, *kind.values) if _is_checked(rule)]
    rules = [(at, name, rule) for at, name in enumerate(columns) for rule in own_rules if rule.are_of(name)]
    key = [columns.index(name) for name in kind.key]
    first: Dict[Tuple[str, ...], int] = {}
    for line, row in rows:
        if len(row) != len(columns):
            yield Fault(line, CUT, "", f"it has {len(row)} fields, the header {len(columns)}")
            continue
        yield from _wrong_values(line, row, compared, rules)
        own = tuple(row[at].strip() for at in key)
        if key and own in first:
            said = f"{' '.join(own).strip() or '(empty)'} is on line {first[own]} already; keep one row"
            yield Fault(line, TWICE, ", ".join(kind.key), said)
        first.setdefault(own, line)


def _wrong_values(
    line: int,
    row: Sequence[str],
    compared: Sequence[Tuple[int, str]],
    rules: Sequence[Tuple[int, str, Values]],
) -> Iterator[Fault]:
    """Yield the values of a row that are not what they must be, one fault a column."""
    hidden = {name: _hidden(row[at]) for at, name in compared if _hidden(row[at])}
    for at, name in compared:
        if name in hidden:
            yield Fault(line, BLANK, name, f"is {row[at]!r}: it {hidden[name]}")
    for at, name, rule in rules:
        said = rule.fault(row[at])
        if said and name not in hidden:
            yield Fault(line, FORM, name, said)


def clashes(columns: Sequence[str], others: Sequence[str] = (), profiles: Sequence[str] = ()) -> Dict[str, str]:
    """Return why columns of a platemap or of external metadata cannot become Metadata_ columns, by their names.

    `others` are the columns of the table that is joined with it, without the one that they are joined by; `profiles`
    are those of the profiles.
    """
    found = {name: "the profiles have a column of this name themselves" for name in columns if _is_taken(name)}
    found |= {name: f"{PREFIX} is put before it anyway" for name in columns if name.startswith(PREFIX)}
    found |= {name: f"the profiles have {PREFIX}{name} already" for name in columns if PREFIX + name in profiles}
    return found | {name: "the other table has it too" for name in columns if name in others}


def refuse_clashes(found: Dict[str, str], where: str) -> None:
    """Raise DataError for columns that cannot become Metadata_ columns, if there are any."""
    if found:
        told = "; ".join(f"the column {name}: {why}" for name, why in found.items())
        raise DataError(f"{where}: {told}; give it another name")


def _is_taken(name: str) -> bool:
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in TAKEN)


def _is_checked(rule: Values) -> bool:
    """Say whether a rule is checked here: thousands of columns of numbers are left to who reads them as numbers."""
    return rule.kind == TEXT or not rule.columns.endswith("*") or rule.columns.startswith(PREFIX)


def _hidden(text: str) -> str:
    """Return what of a text is not seen: a blank around it, or a character that nothing shows."""
    if text != text.strip():
        return "has a blank before or behind it"
    if text.isascii() and text.isprintable():
        return ""
    odd = next((each for each in text if unicodedata.category(each) in ("Cc", "Cf")), "")
    return f"holds the character U+{ord(odd):04X}, which cannot be seen" if odd else ""

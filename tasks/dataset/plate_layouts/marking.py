"""Say of every well of a layout what it holds, and whether it is a control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.dataset.plate_layouts import controls
from tasks.dataset.plate_layouts.tables import Row, Table
from tasks.errors import SettingsError

TREATMENT, CONTROL, EMPTY = "trt", "control", "empty"


@dataclass(frozen=True)
class Controls:
    """luigi.cfg's [controls]: names by commas, or queries; empty: by what the layout says, else DMSO."""

    negative: str = ""
    positive: str = ""


@dataclass(frozen=True)
class Marked:
    """What a well holds; `key` is its broad_sample: no two kinds of control share one."""

    perturbation: str
    control_type: str
    key: str

    @property
    def pert_type(self) -> str:
        return CONTROL if self.control_type else TREATMENT if self.perturbation else EMPTY


def mark(
    table: Table, held: Mapping[str, Row], given: Controls, compounds: Mapping[str, Mapping[str, str]]
) -> list[Marked]:
    """Return what each well holds, in the order of the wells.

    Raises SettingsError for a setting that names a column or a negative control that is not there, TableError for a
    word in the layout's own column of controls that means nothing here. A plate may have no positive controls: others
    of its batch have them.
    """
    found = [(_perturbation(table, row), row) for row in held.values()]
    by = _tests(table, given, found)
    types = [_type(table, name, row, by, compounds) for name, row in found]
    if not (given.negative or "control" in table.names or any(kind.startswith(controls.NEGATIVE) for kind in types)):
        types = [_usual(name, kind) for (name, _), kind in zip(found, types, strict=True)]
    kinds: dict[str, list[str]] = {}
    for (name, _), kind in zip(found, types, strict=True):
        if kind not in kinds.setdefault(name, []):
            kinds[name].append(kind)
    return [Marked(name, kind, _key(name, kind, kinds[name])) for (name, _), kind in zip(found, types, strict=True)]


def _usual(name: str, kind: str) -> str:
    return controls.NEGATIVE if name.upper() in controls.USUAL and not kind else kind


def _perturbation(table: Table, row: Row) -> str:
    """Return what a well holds: where the layout says nothing, its solvent."""
    name = row.values[table.names.columns["perturbation"]]
    return name or (row.values[table.names.solvent] if table.names.solvent else "")


def _key(name: str, kind: str, kinds: Iterable[str]) -> str:
    """Return a well's broad_sample: the perturbation, and the kind of control where its wells are of several.

    What holds nothing stays empty, also where other wells of no name are controls.
    """
    return name if len(list(kinds)) == 1 or not (name or kind) else f"{name} ({kind or 'treated'})".strip()


def _tests(table: Table, given: Controls, found: Sequence[tuple[str, Row]]) -> dict[str, controls.Test]:
    by = {}
    for kind, setting in ((controls.NEGATIVE, given.negative), (controls.POSITIVE, given.positive)):
        if not setting:
            continue
        where = f"luigi.cfg [controls] {'negative' if kind == controls.NEGATIVE else 'positive'} = {setting}"
        known = {*table.columns, "perturbation"}
        for name in sorted(controls.columns_of(setting) - known):
            raise SettingsError(f"{where}: {table.where} has no column {name}; it has {', '.join(table.columns)}")
        by[kind] = controls.test(setting)
        if kind == controls.NEGATIVE and not any(by[kind](name, row.values) for name, row in found):
            shown = ", ".join(sorted({name for name, _ in found if name})[:8])
            raise SettingsError(f"{where}: no well of {table.where} is one; they hold {shown}, ...")
    return by


def _type(
    table: Table,
    name: str,
    row: Row,
    by: Mapping[str, controls.Test],
    compounds: Mapping[str, Mapping[str, str]],
) -> str:
    meant = [kind for kind, test in by.items() if test(name, row.values)]
    if len(meant) > 1:
        column = table.names.columns["perturbation"]
        raise row.wrong(
            column, "is a negative and a positive control by luigi.cfg [controls]; make one of them narrower"
        )
    if meant:
        return meant[0]
    if "control" not in table.names:
        laid = row.values[table.names.columns["perturbation"]]  # empty for solvent, in CPJUMP1's own tables
        own = compounds.get(name, compounds.get(laid, {})).get("control_type", "")
        return "" if controls.NEGATIVE in by and own.startswith(controls.NEGATIVE) else own
    column = table.names.columns["control"]
    told = controls.said(row.values[column])
    if told is None:
        raise row.wrong(column, "says nothing of a control that is known: negative, positive, treatment")
    return "" if controls.NEGATIVE in by and told.startswith(controls.NEGATIVE) else told

"""Bring a laboratory's layout of a plate into the form of a platemap, and make the table of its perturbations."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit import outside, wells

from tasks.dataset.plate_layouts import cells, names, sheets, tables
from tasks.dataset.plate_layouts import controls as kinds
from tasks.dataset.plate_layouts.marking import Controls, Marked, mark
from tasks.dataset.plate_layouts.tables import Row, Table
from tasks.errors import TableError

WELL, KEY, DOSE, UNIT, PERTURBATION = "well_position", "broad_sample", "dose", "dose_unit", "perturbation"
PERT_TYPE, CONTROL_TYPE = "pert_type", "control_type"
OWN = (WELL, KEY, DOSE, UNIT, PERTURBATION, PERT_TYPE, CONTROL_TYPE)
RENAMED = "layout_"
"""Stands before a column whose name the profiles have themselves."""


@dataclass(frozen=True)
class Converted:
    """A layout in the form of CPJUMP1's tables: each a header and rows."""

    platemap: Sequence[Sequence[str]]
    external_metadata: Sequence[Sequence[str]]
    source: Path
    sha256: str
    """Of the source file."""
    mapping: str
    """Which column was taken for what."""
    notes: Sequence[str]


def convert(path: Path, plate: str, given: Mapping[str, str], controls: Controls, compounds: Path | None) -> Converted:
    """Return a plate's layout as a platemap and a table of perturbations.

    `given` is luigi.cfg's [platemap], `compounds` a laboratory's own table of compounds, by broad_sample, or None.
    Raises TableError with the file, the sheet, the cell and the value that cannot be used.
    """
    table = tables.make(sheets.read(path), {role: text for role, text in given.items() if text}, plate)
    _check_names(table, controls)
    own, notes = _of_plate(table, plate)
    held = _wells(table, own)
    known = _compounds(compounds)
    marked = mark(table, held, controls, known)
    doses = [_dose(table, row) if "dose" in table.names else () for row in held.values()]
    _check_units(table, held, marked, doses)
    extra = _others(table, known)
    header = [WELL, KEY, PERTURBATION, *([DOSE, UNIT] if "dose" in table.names else []), *extra.values()]
    rows = [
        [
            well,
            each.key,
            each.perturbation,
            *dose,
            *(row.values[old] for old in extra),
        ]
        for (well, row), each, dose in zip(held.items(), marked, doses, strict=True)
    ]
    said = [*table.notes, *notes, *_told(table, marked, doses), *_no_positive(held, marked, controls)]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Converted([header, *rows], _perturbations(marked, known), path, digest, table.names.told(), said)


def _check_names(table: Table, controls: Controls) -> None:
    """Raise TableError if nothing says what a well holds, or a role that matters might be several columns'."""
    matter = {
        **dict.fromkeys(("well", "perturbation", "dose"), True),
        "unit": "dose" in table.names,
        "control": not controls.negative,
    }
    for role, might in (table.names.doubtful or {}).items():
        tells_apart = any(len({row.values[name] for row in table.rows}) > 1 for name in might)
        if matter.get(role, role == "plate" and tells_apart):
            told = f"{table.where}: {' and '.join(might)} may each be the {role}"
            raise TableError(f"{told}; say which: [platemap] {role} = {might[0]}")
    if "perturbation" not in table.names:
        others = [name for name in table.columns if name not in table.names.columns.values()]
        told = f"{table.where}: no column says what a well holds; name it: [platemap] perturbation ="
        raise TableError(f"{told} one of {', '.join(others) or 'none is left'}")


def _of_plate(table: Table, plate: str) -> tuple[Sequence[Row], list[str]]:
    """Return the rows of a plate: all of a table of one plate, else those that bear its name."""
    column = table.names.columns.get("plate", "")
    rows = [row for row in table.rows if any(row.values.values())]
    plates = {row.values[column] for row in rows if row.values[column]} if column else set()
    if len(plates) <= 1:
        return rows, []
    mine = [row for row in rows if row.values[column] == plate or row.values[column].startswith(f"{plate}__")]
    if not mine:
        shown = ", ".join(sorted(plates)[:8])
        told = f"{table.where}: it is of {len(plates)} plates ({column}), and {plate} is none of them: {shown}"
        raise TableError(f"{told}; if {column} is no plate, name another column: [platemap] plate = ...")
    return mine, [f"of {len(plates)} plates in it the rows of {plate}"]


def _wells(table: Table, rows: Sequence[Row]) -> dict[str, Row]:
    """Return the rows by their wells, in the plate's order."""
    found: dict[str, Row] = {}
    for row in rows:
        well = _well(table, row)
        if well in found and row.values != found[well].values:
            column = table.names.columns.get("well") or table.names.columns["row"]
            sheet, line, at = found[well].place(column)
            raise row.wrong(column, f"is well {well}, which {sheet.place(line, at)} has already; keep one row a well")
        found[well] = row
    if not found:
        raise TableError(f"{table.where}: it holds no well below its header; is it the right file?")
    return dict(sorted(found.items(), key=lambda each: wells.place(each[0])))


def _well(table: Table, row: Row) -> str:
    columns = table.names.columns
    if "well" in columns:
        text = row.values[columns["well"]]
        well = cells.well(text)
        if well is None:
            raise row.wrong(columns["well"], "is no well; wells are written A01, A1 or a1, up to AF48")
        return well
    parts = [row.values[columns[part]].strip("\"' ") for part in ("row", "column")]  # Excel's '03, and worse
    if not parts[1].isdecimal():
        raise row.wrong(columns["column"], "is no column of a plate: a number")
    well = cells.placed(*parts)
    if well is None:
        raise row.wrong(columns["row"], f"and column {parts[1]} are no well of a plate")
    return well


def _dose(table: Table, row: Row) -> tuple[str, str]:
    """Return a well's dose and its unit, molar ones in uM; both empty if it has none."""
    column = table.names.columns.get("dose", "")
    if not column or cells.is_nothing(row.values[column]):
        return "", ""
    found = cells.number(row.values[column], row.place(column)[0].decimal_comma)
    if found is None or found[0] < 0:
        raise row.wrong(column, "is no dose: a number of at least 0, written 1000 or 0.5, perhaps with its unit")
    by_column = row.values[table.names.columns["unit"]] if "unit" in table.names else table.names.unit
    return cells.in_micromolar(found[0], cells.unit(found[1] or by_column))


def _check_units(
    table: Table, held: Mapping[str, Row], marked: Sequence[Marked], doses: Sequence[Sequence[str]]
) -> None:
    """Raise TableError for a dose that is in another unit than others of its perturbation: nobody could order them."""
    first: dict[str, str] = {}
    for row, each, dose in zip(held.values(), marked, doses, strict=True):
        number, unit = dose or ("", "")
        if number in ("", "0") or each.control_type.startswith(kinds.NEGATIVE):
            continue
        if first.setdefault(each.perturbation, unit) != unit:
            units = (
                f"{unit or 'no unit'}, and other wells of {each.perturbation} in {first[each.perturbation] or 'none'}"
            )
            raise row.wrong(table.names.columns["dose"], f"is in {units}; give them in one ([platemap] unit = uM)")


def _others(table: Table, compounds: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the columns that pass through, each with the name that it will have behind Metadata_."""
    used = set(table.names.columns.values())
    found: dict[str, str] = {}
    both = {name for own in compounds.values() for name in own}
    for old in table.columns:
        if old in used:
            continue
        name = "_".join(old.split())
        name = name[len(outside.PREFIX) :] if name.lower().startswith(outside.PREFIX.lower()) else name
        if name in OWN or name in found.values() or name in both or outside.clashes([name]):
            name = f"{RENAMED}{name}"
        found[old] = name
    return found


def _compounds(path: Path | None) -> dict[str, dict[str, str]]:
    """Return what a laboratory's own table says of its compounds, by broad_sample."""
    if path is None:
        return {}
    table = tables.rows_of(sheets.read(path)[0])
    column = next((name for name in table.columns if names.plain(name) in names.KNOWN["perturbation"]), "")
    if not column:
        raise TableError(f"{path}: no column is called {KEY} or compound: by which are its rows found?")
    return {
        row.values[column]: {name: text for name, text in row.values.items() if name != column} for row in table.rows
    }


def _perturbations(marked: Sequence[Marked], known: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    extra = list(dict.fromkeys(name for own in known.values() for name in own if name not in (PERT_TYPE, CONTROL_TYPE)))
    unique = {each.key: each for each in marked}
    rows = [
        [key, each.pert_type, each.control_type, *(known.get(each.perturbation, {}).get(name, "") for name in extra)]
        for key, each in sorted(unique.items())
    ]
    return [[KEY, PERT_TYPE, CONTROL_TYPE, *extra], *rows]


def _told(table: Table, marked: Sequence[Marked], doses: Sequence[Sequence[str]]) -> list[str]:
    """Return sentences about what was found."""
    counts = {kind: sum(each.control_type.startswith(kind) for each in marked) for kind in ("negcon", "poscon")}
    treated = {each.perturbation for each in marked if not each.control_type and each.perturbation}
    said = [f"wells: {len(marked)}; perturbations: {len(treated)}; {_controls(marked, counts)}"]
    if "dose" in table.names:
        units = sorted({unit for _, unit in doses if unit})
        several = len({dose for dose, _ in doses if dose})
        said.append(
            f"doses: {several}" + (f" in {', '.join(units)}" if units else ", of no unit: [platemap] unit = uM")
        )
    empty = sum(not each.perturbation for each in marked)
    return said + ([f"wells that hold nothing by the layout: {empty}"] if empty else [])


def _no_positive(held: Mapping[str, Row], marked: Sequence[Marked], given: Controls) -> list[str]:
    """Return that luigi.cfg names positive controls which this plate has not: others of its batch may have them."""
    meant = kinds.test(given.positive)
    if not given.positive or any(
        meant(each.perturbation, row.values) for row, each in zip(held.values(), marked, strict=True)
    ):
        return []
    return [f"no well is a positive control by [controls] positive = {given.positive}"]


def _controls(marked: Sequence[Marked], counts: Mapping[str, int]) -> str:
    which = sorted({each.perturbation or "(empty)" for each in marked if each.control_type.startswith("negcon")})
    if not which:
        return "no negative controls: name them, [controls] negative = ..."
    return f"negative controls: {counts['negcon']} ({', '.join(which[:3])}); positive: {counts['poscon']}"

"""Make one table of a layout's sheets: a row a well, whichever way it was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stagekit import wells

from tasks.dataset.plate_layouts import cells, grids, names
from tasks.dataset.plate_layouts.grids import Grid
from tasks.dataset.plate_layouts.names import Names
from tasks.dataset.plate_layouts.sheets import LOOKED_AT, Sheet
from tasks.errors import TableError

GRID_WELL = "well"
Place = tuple[Sheet, int, int]


@dataclass(frozen=True)
class Row:
    """What a layout says of a well: values by the names of columns, and where each of them is in the file."""

    values: Mapping[str, str]
    place: Callable[[str], Place]

    def wrong(self, column: str, why: str) -> TableError:
        """Return the error of one of the cells."""
        sheet, row, at = self.place(column)
        return sheet.wrong(row, at, self.values.get(column, ""), why)


@dataclass(frozen=True)
class Table:
    """A layout as one table."""

    where: str
    columns: Sequence[str]
    rows: Sequence[Row]
    names: Names
    notes: Sequence[str] = field(default_factory=tuple)


def make(found: Sequence[Sheet], given: Mapping[str, str], plate: str) -> Table:
    """Return the table of a layout; `given` are the settings of [platemap], `plate` may choose a sheet by its name.

    Raises TableError if no sheet is a layout, or several are and none is chosen.
    """
    wanted = given.get("sheet", "")
    chosen = [sheet for sheet in found if not (wanted and sheet.name) or sheet.name == wanted]  # a text file has none
    if not chosen:
        known = ", ".join(sheet.name for sheet in found)
        raise TableError(f"{found[0].file}: there is no sheet {wanted!r} ([platemap] sheet); it has {known}")
    chosen = [sheet for sheet in chosen if sheet.name == plate] or chosen
    blocks = {sheet.name: grids.find(sheet) for sheet in chosen}
    if any(blocks.values()):
        rest = [name for name, own in blocks.items() if not own]
        return _of_grids([grid for own in blocks.values() for grid in own], given, rest, plate)
    tables = [table for sheet in chosen if (table := _of_rows(sheet, given))]
    if len(tables) > 1:
        raise TableError(f"{found[0].file}: several sheets are a layout: name one, [platemap] sheet = {chosen[0].name}")
    if not tables:
        raise TableError(_no_wells(chosen[0]))
    return tables[0]


def _no_wells(sheet: Sheet) -> str:
    header = ", ".join(cell for cell in sheet.rows[0][1] if cell)[:200]
    said = f"{sheet.where}: no column says which well a row is of, and nothing is drawn like a plate"
    return f"{said}; name the column: [platemap] well = ... (the first line holds: {header})"


def _of_rows(sheet: Sheet, given: Mapping[str, str]) -> Table | None:
    """Return a table with a row a well; None if no line of it is a header that names wells."""
    own = {role: name for role, name in given.items() if role != "sheet"}
    for at, (number, header) in enumerate(sheet.rows[:LOOKED_AT]):
        columns = [name for name in header if name]
        where_wells_are = own | {role: "" for role in own if role not in ("well", "row", "column")}
        try:
            spotted = names.find(columns, where_wells_are)
        except KeyError:
            continue
        if not ("well" in spotted or {"row", "column"} <= set(spotted.columns)) or len(columns) < 2:
            continue
        twice = [name for name in columns if columns.count(name) > 1]
        if twice:
            raise TableError(
                f"{sheet.where}, row {number}: the column {twice[0]} is there twice; name one of them anew"
            )
        places = _places(header)
        below = [(line, cut) for line, cut in sheet.rows[at + 1 :] if not _is_remark(cut, places, spotted)]
        rows = [_row(sheet, places, line, cut) for line, cut in below]
        return Table(sheet.where, columns, rows, named(columns, own, sheet.where))
    return None


def _is_remark(cut: Sequence[str], places: Mapping[str, int], spotted: Names) -> bool:
    """Say whether a line is a remark: it begins with #, and names no well, for a compound may be called #12."""
    if not cut[0].startswith("#"):
        return False
    wanted = [places[spotted.columns[role]] for role in ("well", "row", "column") if role in spotted]
    texts = [cut[at] if at < len(cut) else "" for at in wanted]
    return (cells.well(*texts) if "well" in spotted else cells.placed(*texts)) is None


def _places(header: Sequence[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(header) if name}


def _row(sheet: Sheet, places: Mapping[str, int], line: int, values: Sequence[str]) -> Row:
    width = max(places.values()) + 1
    if any(values[width:]):
        extra = next(at for at, value in enumerate(values) if at >= width and value)
        raise sheet.wrong(line, extra, values[extra], f"is beyond the header's {width} columns")
    for at in places.values():
        sheet.check(line, at)
    full = values if len(values) >= width else [*values, *[""] * (width - len(values))]
    return Row({name: full[at] for name, at in places.items()}, lambda column: (sheet, line, places[column]))


def named(columns: Sequence[str], given: Mapping[str, str], where: str) -> Names:
    """Return which column is which; raise TableError for a setting that names a column that is not there."""
    try:
        return names.find(columns, given)
    except KeyError as error:
        role = str(error.args[0])
        told = f"{where}: there is no column {given[role]!r} (luigi.cfg [platemap] {role})"
        raise TableError(f"{told}; it has {', '.join(columns)}") from error


def _of_grids(found: Sequence[Grid], given: Mapping[str, str], rest: Sequence[str], plate: str) -> Table:
    file = found[0].sheet.file
    called = [grid.name if grid.name != plate else "" for grid in found]  # of a sheet, it says nothing of its wells
    titles = [name or ("perturbation" if len(found) == 1 else "") for name in called]
    for grid, title in zip(found, titles, strict=True):
        if not title or titles.count(title) > 1:
            said = f"what it holds ({title or 'nothing says it'}) must stand above each grid, or name its sheet"
            raise TableError(f"{grid.sheet.where}: there are {len(found)} grids; {said}, and no two may be alike")
    held = sorted({well for grid in found for well in grid.values}, key=wells.place)
    if not held:
        raise TableError(f"{file}: its grids are empty; fill them in")
    rows = [_of_well(well, dict(zip(titles, found, strict=True))) for well in held]
    own = {role: name for role, name in given.items() if role not in ("sheet", "well", "row", "column")}
    notes = [f"sheets without a grid are passed over: {', '.join(rest)}"] if rest else []
    table = named(titles, own, str(file))
    full = [title for title, grid in zip(titles, found, strict=True) if grid.values]
    return Table(
        str(file),
        [GRID_WELL, *full],
        rows,
        Names({**table.columns, "well": GRID_WELL}, table.unit, table.doubtful, table.solvent),
        notes,
    )


def _of_well(well: str, found: Mapping[str, Grid]) -> Row:
    held = {title: grid.values[well] for title, grid in found.items() if well in grid.values}
    values = {GRID_WELL: well, **dict.fromkeys(found, ""), **{title: each[0] for title, each in held.items()}}

    def place(column: str) -> Place:
        title = column if column in held else next(iter(held))
        return found[title].sheet, held[title][1], held[title][2]

    return Row(values, place)


def rows_of(sheet: Sheet) -> Table:
    """Return a table of something else than wells: its first line is the header."""
    (number, header), *lines = sheet.rows
    columns = [name for name in header if name]
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise TableError(f"{sheet.where}, row {number}: the column {twice[0]} is there twice; name one of them anew")
    places = _places(header)
    return Table(sheet.where, columns, [_row(sheet, places, line, values) for line, values in lines], Names({}))

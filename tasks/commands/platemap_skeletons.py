"""Lay what a batch's tables need for a new plate, where there is nothing; what a person wrote stays as it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from stagekit import tables, whole

from tasks.commands.added import Added
from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.dataset.plate_layouts.sheets import SUFFIXES
from tasks.errors import TableError
from tasks.workflow import plate_layouts

UNKNOWN = "unknown"
"""What a well of a skeleton holds: an empty cell would mean nothing, or solvent."""
HEADER = "Well,Compound,Concentration (uM)"
"""A layout of a row a well, which needs no table of compounds (docs/plate_layouts.md)."""
SUFFIX = ".csv"


def missing(layout: Layout, batch: str, plate: str) -> list[Path]:
    """Return the files that `write` would write or add a line to."""
    listed = _listed(layout, batch)
    name = listed.get(plate, plate)
    own = [] if plate in listed else [layout.barcode_platemap(batch)]
    return own + ([] if lookup.laid_platemaps(layout, batch, name) else [_skeleton(layout, batch, name)])


def read(path: Path, layout: Layout, batch: str, each: Added) -> list[str]:
    """Return what a laboratory's layout says of a plate, and how its wells differ from the images'.

    Raises TableError or SettingsError if it cannot be used, or the plate has another platemap already.
    """
    target = _target(path, layout, batch, each.name)
    laid = lookup.laid_platemaps(layout, batch, target.name.removesuffix(_suffix(path)))
    other = [found for found in laid if found != target or found.read_bytes() != path.read_bytes()]
    other = [found for found in other if not is_blank(found)]
    if other:
        raise TableError(f"{other[0]}: plate {each.name} has this platemap already; move it away to use {path.name}")
    made = plate_layouts.of_file(path, each.name, None)
    wells = {row[0] for row in made.platemap[1:]}
    absent = [well for well in each.found.wells if well not in wells]
    if absent:
        raise TableError(f"{path}: it lacks {len(absent)} wells that have images: {', '.join(absent[:8])}")
    return [*plate_layouts.sentences(made), *_idle(len(wells) - len(each.found.wells))]


def _idle(count: int) -> list[str]:
    return [f"wells of the layout without images: {count}"] if count > 0 else []


def lay(path: Path, layout: Layout, batch: str, plate: str) -> list[Path]:
    """Copy a laboratory's layout to where platemaps lie; return where, or nothing if it is there."""
    target = _target(path, layout, batch, plate)
    name = target.name.removesuffix(_suffix(path))
    blank = [found for found in lookup.laid_platemaps(layout, batch, name) if is_blank(found)]
    if target.is_file() and target not in blank:
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    whole.write(target, path.read_bytes())
    for found in blank:
        if found != target:
            found.unlink()
    return [target]


def _target(path: Path, layout: Layout, batch: str, plate: str) -> Path:
    platemap = layout.platemap(batch, _listed(layout, batch).get(plate, plate))
    return platemap.with_name(f"{platemap.name.removesuffix('.txt')}{_suffix(path)}")


def _suffix(path: Path) -> str:
    found = next((suffix for suffix in reversed(SUFFIXES) if path.name.lower().endswith(suffix)), "")
    if not found:
        raise TableError(f"{path}: a layout is one of {', '.join(SUFFIXES)}")
    return found


def write(layout: Layout, batch: str, plate: str, wells: Sequence[str]) -> list[Path]:
    """Write a platemap with the plate's wells if it has none, and list the plate; return what was written."""
    wanted = missing(layout, batch, plate)
    listing = layout.barcode_platemap(batch)
    for path in reversed(wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path != listing:
            whole.write(path, "".join(f"{line}\n" for line in [HEADER, *_rows(wells)]))
        else:
            whole.write(path, _with_row(listing, plate))
    return wanted


def is_blank(path: Path) -> bool:
    """Say whether a platemap is a skeleton that nobody has filled in."""
    if path.suffix != SUFFIX:
        return False
    header, *rows = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() or [""]
    return header == HEADER and all(row.endswith(f",{UNKNOWN},") for row in rows)


def _skeleton(layout: Layout, batch: str, name: str) -> Path:
    return layout.platemap(batch, name).with_name(f"{name}{SUFFIX}")


def _rows(wells: Sequence[str]) -> list[str]:
    return [f"{well},{UNKNOWN}," for well in wells]


def _listed(layout: Layout, batch: str) -> dict[str, str]:
    return lookup.platemap_names(layout, batch) if layout.barcode_platemap(batch).is_file() else {}


def _with_row(path: Path, plate: str) -> str:
    """Return the list of a batch's plates with one line more, the others as they are."""
    old = path.read_text(encoding="utf-8-sig") if path.is_file() else "Assay_Plate_Barcode,Plate_Map_Name\n"
    columns = tables.lines(path)[0] if path.is_file() else ["Assay_Plate_Barcode", "Plate_Map_Name"]
    row = io.StringIO()
    given = {"Assay_Plate_Barcode": plate, "Plate_Map_Name": plate}
    csv.writer(row, lineterminator="\n").writerow([given.get(column, "") for column in columns])
    return (old if old.endswith("\n") else f"{old}\n") + row.getvalue()

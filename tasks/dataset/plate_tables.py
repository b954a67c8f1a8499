"""Check a plate's own tables, row by row, before anything is computed from its images.

The platemap and the external metadata are read when the profiles are annotated. A fault in them would be found after
the plate was measured, so they are checked while the run is planned.
"""

from __future__ import annotations

import functools
from pathlib import Path

from stagekit import outside
from stagekit.outside import Kind
from stagekit.program import DataError

from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, TableError

KEY = "broad_sample"


def check(layout: Layout, batch: str, plate: str, pattern: str) -> None:
    """Raise TableError if the platemap or the external metadata cannot be used, by themselves or together.

    External metadata that is not there yet is no fault: not every stage needs it.
    """
    platemap = lookup.platemap(layout, batch, plate)
    try:
        external: Path | None = lookup.external_metadata(layout, batch, plate, pattern)
    except MissingInputError:
        external = None
    check_both(platemap, external)


def check_both(platemap: Path, external: Path | None) -> None:
    """Raise TableError if the two tables cannot be used, by themselves or together."""
    columns = good_columns(outside.PLATEMAP, platemap)
    _refuse(outside.clashes(columns), platemap)
    if external is None:
        return
    others = [name for name in columns if name != KEY]
    own = good_columns(outside.EXTERNAL_METADATA, external)
    _refuse(outside.clashes(own, [*others, "well_position"]), external, f" (the other table is {platemap})")


def good_columns(kind: Kind, path: Path, separator: str = "\t") -> tuple[str, ...]:
    """Return the columns of a table that is good; raise TableError, naming the file, if it is not."""
    state = path.stat()
    return _columns(kind, path, separator, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=256)
def _columns(kind: Kind, path: Path, separator: str, changed: int, size: int) -> tuple[str, ...]:
    """Read a table once for all plates, and again only if it was changed."""
    try:
        columns, rows = outside.split(path, separator)
        outside.check(kind, columns, rows, path.name)
    except DataError as error:
        raise TableError(f"{path.parent}/{error}") from error
    return tuple(columns)


def _refuse(found: dict[str, str], path: Path, note: str = "") -> None:
    try:
        outside.refuse_clashes(found, path.name)
    except DataError as error:
        raise TableError(f"{path.parent}/{error}{note}") from error

"""Check a plate's platemap, and hold the wells that have images against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from faults import Fault
from image_index import Site
from stagekit import outside, wells

WELL = "well_position"


def check(sites: Iterable[Site], platemap: Path) -> list[Fault]:
    """Return faults of the platemap's rows and columns, wells that it does not know, and wells without images."""
    columns, rows = outside.split(platemap, "\t")
    outside.check_columns(outside.PLATEMAP, columns, platemap.name)
    at = columns.index(WELL)
    mapped = {row[at] for _, row in rows if len(row) == len(columns)}
    odd = {well for well in mapped if wells.normal(well) != well}
    known = mapped | {wells.normal(well) for well in odd}
    imaged = {site.well for site in sites}
    return [
        *_own(columns, rows, platemap.name),
        *(
            Fault("well_not_in_platemap", well, platemap.name, "it has images but no row")
            for well in sorted(imaged - known, key=wells.place)
        ),
        *(
            Fault("well_without_images", well, "", "the platemap has it")
            for well in sorted(mapped - imaged - odd, key=wells.place)
        ),
    ]


def _own(columns: list[str], rows: list[outside.Row], name: str) -> Iterator[Fault]:
    """Yield what is wrong with the platemap itself."""
    for column, why in outside.clashes(columns).items():
        yield Fault("platemap_column", "", name, f"the column {column}: {why}")
    for fault in outside.faults(outside.PLATEMAP, columns, rows):
        rule = "well_form" if (fault.rule, fault.column) == (outside.FORM, WELL) else "platemap_row"
        yield Fault(rule, "", name, str(fault))

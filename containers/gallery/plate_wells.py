"""Hold the wells that have images against the platemap's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from faults import Fault
from image_index import Site, normal_well
from stagekit import contracts, tables


def check(sites: Iterable[Site], platemap: Path) -> list[Fault]:
    """Return wells that the platemap does not know or writes otherwise, and wells without images."""
    columns, rows = tables.records(platemap, "\t")
    contracts.PLATEMAP.check(columns, platemap.name)
    mapped = {row["well_position"] for row in rows}
    odd = sorted(well for well in mapped if normal_well(well) != well)
    known = mapped | {normal_well(well) for well in odd}
    imaged = {site.well for site in sites}
    return [
        *(Fault("well_form", "", platemap.name, f"well_position is {well!r}") for well in odd),
        *(
            Fault("well_not_in_platemap", well, platemap.name, "it has images but no row")
            for well in sorted(imaged - known)
        ),
        *(Fault("well_without_images", well, "", "the platemap has it") for well in sorted(mapped - imaged - set(odd))),
    ]

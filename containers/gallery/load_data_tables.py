"""Write the tables that list a plate's images, once all that is known of them is read."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import preflight
import tables
from faults import Fault
from image_index import Found
from preflight import Usable
from stagekit import program

Row = dict[str, str]
Stage = Mapping[str, tuple[str, str]]
"""file name -> where the microscope's stage stood: PositionX, PositionY as written."""


def add_flags(flags: argparse.ArgumentParser) -> None:
    preflight.add_flags(flags)
    flags.add_argument("--image_folder", required=True, help="the TIFFs' folder below the gallery's root")
    flags.add_argument("--illumination_folder", required=True, help="the illumination functions' folder, likewise")
    flags.add_argument("--write_load_data", required=True, type=Path)
    flags.add_argument("--write_load_data_with_illum", required=True, type=Path)


def finish(
    args: argparse.Namespace, images: Found, wrong: Sequence[Fault], stage: Stage, report: program.Report
) -> None:
    """Settle which sites are used, and write both tables."""
    usable = preflight.settle(args, images, wrong, report)
    table = rows(args.plate, usable, args.image_folder, stage)
    tables.write(args.write_load_data, table)
    tables.write(args.write_load_data_with_illum, illuminated(table, args.plate, usable, args.illumination_folder))
    preflight.record(usable, wrong, report)


def rows(plate: str, usable: Usable, image_folder: str, stage: Stage) -> list[Row]:
    """Return the table's rows; with the stage's positions only if those of every site are known."""
    table = []
    for site, names in usable.images.items():
        row = {f"FileName_Orig{channel}": name for channel, name in names.items()}
        row.update({f"PathName_Orig{channel}": image_folder for channel in names})
        row.update({"Metadata_Plate": plate, "Metadata_Well": site.well, "Metadata_Site": str(site.number)})
        table.append(row)
    known = [next((stage[name] for name in names.values() if name in stage), None) for names in usable.images.values()]
    if all(known):
        for row, place in zip(table, known):
            row["Metadata_PositionX"], row["Metadata_PositionY"] = place  # type: ignore[misc]
    return table


def illuminated(table: Sequence[Row], plate: str, usable: Usable, folder: str) -> list[Row]:
    """Return the rows with the plate's own illumination functions named on each."""
    names = {f"FileName_Illum{channel}": f"{plate}_Illum{channel}.npy" for channel in usable.channels}
    folders = {f"PathName_Illum{channel}": folder for channel in usable.channels}
    return [{**row, **names, **folders} for row in table]

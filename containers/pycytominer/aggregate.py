"""Average the single cells of every well of a plate, as pycytominer's SingleCells.aggregate_profiles does."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path
from typing import Callable, Dict, List

import backend
import copies
import measurements
import numpy as np
import pandas as pd
import parquet
import profiles
import well_tables
from single_cells import AnyWell, Plate
from stagekit import contracts, program, quarantine
from stagekit.contracts import COMPARTMENTS

METHODS: Dict[str, Callable[..., np.ndarray]] = {"mean": np.nanmean, "median": np.nanmedian}
READERS: Dict[str, Callable[[Path, str], Plate]] = {
    "analysis": measurements.reader,
    "backend": backend.Reader,
    "cells": parquet.Reader,
}

USUAL_COUNTS = ("Metadata_Site_Count", "Metadata_Object_Count")
COUNTS = (USUAL_COUNTS[0], *(f"Metadata_Count_{table}" for table in COMPARTMENTS), USUAL_COUNTS[1])
"""As pycytominer's SingleCells names them: Metadata_Count_* are the sums of the Image table's Count_* columns."""


def main() -> None:
    """Read the flags, average, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--source", required=True, choices=sorted(READERS), help="which of the next three to read")
    flags.add_argument(
        "--analysis",
        required=True,
        type=Path,
        nargs="*",
        help="what was measured: the folder of site folders, or of Parquet files",
    )
    flags.add_argument("--backend", required=True, type=Path, nargs="*", help="the plate's sqlite of single cells")
    flags.add_argument("--cells", required=True, type=Path, nargs="*", help="the folder of Parquet files")
    flags.add_argument("--method", required=True, choices=sorted(METHODS))
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS, help="as_published: without counts")
    flags.add_argument("--compartment_counts", required=True, choices=("true", "false"), help="objects of each, too")
    quarantine.add_flag(flags)
    flags.add_argument("--write_profiles", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    paths = getattr(args, args.source)
    if len(paths) != 1:
        flags.error(f"--source {args.source} needs one --{args.source}")
    with program.Report(args.output) as report:
        table = _aggregate(paths[0], args, report)
        dropped = [name for name in COUNTS if not _counted(name, args)]
        copy = copies.wanted(args.write_parquet, args)
        profiles.write(table.drop(columns=dropped), args.write_profiles, contracts.PROFILES, copy)


def _counted(name: str, args: argparse.Namespace) -> bool:
    """Say whether a count is asked for: the published files have none."""
    return args.behaviour == "corrected" and (name in USUAL_COUNTS or args.compartment_counts == "true")


def _aggregate(path: Path, args: argparse.Namespace, report: program.Report) -> pd.DataFrame:
    try:
        cells = READERS[args.source](path, args.plate)
        if isinstance(cells, (measurements.Reader, well_tables.Reader)):
            cells.tell_columns(report)
        return aggregate(cells, args.plate, METHODS[args.method], report, args.max_failed_fraction)
    except sqlite3.DatabaseError as error:
        raise program.DataError(f"{path.name}: not a backend of single cells: {error}") from error


def aggregate(
    cells: Plate,
    plate: str,
    method: Callable[..., np.ndarray],
    report: program.Report,
    max_failed_fraction: float,
) -> pd.DataFrame:
    """Return one row a well: plate, well, COUNTS, and every feature of the three compartments.

    As in pycytominer a well needs cells in each compartment; the others are left out, and told.
    """
    rows: List[np.ndarray] = []
    places: List[Dict[str, object]] = []
    absent: List[str] = []
    for well in cells.wells():
        if not all(well.objects(compartment) for compartment in COMPARTMENTS):
            absent.append(well.name)
            continue
        rows.append(np.concatenate([well.reduced(compartment, method) for compartment in COMPARTMENTS]))
        places.append({"Metadata_Plate": plate, "Metadata_Well": well.name, **_counts(well)})
    quarantine.settle(report, plate, cells.sites, cells.quarantined, max_failed_fraction)
    if not rows:
        raise program.DataError("the plate has no well with cells in every compartment; look at the outlines")
    if absent:
        report.warn(f"{len(absent)} wells have no cell and so no profile: {', '.join(absent[:10])}")
    features = [name for compartment in COMPARTMENTS for name in cells.features[compartment]]
    report.fact("wells", len(rows))
    report.fact("wells_without_cells", absent)
    report.fact("features", len(features))
    report.fact("cells", sum(place["Metadata_Object_Count"] for place in places))
    table = pd.DataFrame(places).join(pd.DataFrame(np.stack(rows), columns=features))
    return table.sort_values("Metadata_Well", ignore_index=True)


def _counts(well: AnyWell) -> Dict[str, object]:
    """Return the values of COUNTS; sites that were left out do not count."""
    counts = (well.sites, *(well.objects(table) for table in COMPARTMENTS), well.objects("Cells"))
    return dict(zip(COUNTS, counts, strict=True))


if __name__ == "__main__":
    program.run(main)

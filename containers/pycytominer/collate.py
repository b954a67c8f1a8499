"""Join what was measured of a plate into one sqlite of single cells, and into a Parquet file a well.

The sqlite is laid out as cytominer-database did it: tables Image, Cells, Cytoplasm, Nuclei share the key (TableNumber,
ImageNumber), a number for each site. Image columns keep their names (`Metadata_Plate`, `Count_Cells`); object columns
get their table's (`Cells_AreaShape_Area`), but for `ObjectNumber`: this is what pycytominer's SingleCells reads with
its defaults. In the Parquet files (parquet.py) a row is a cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import backend
import measurements
import parquet
from stagekit import program, quarantine
from stagekit.contracts import COMPARTMENTS

FLAGS = ("true", "false")
Plate = Union[measurements.Measurements, measurements.Tables]


def main() -> None:
    """Read the flags and write what is asked for, a well at a time."""
    flags = program.parser(__doc__)
    flags.add_argument("--analysis", required=True, type=Path, help="the folder of <plate>-<well>-<site> folders")
    flags.add_argument("--sqlite", required=True, choices=FLAGS, help="whether to write the sqlite")
    flags.add_argument("--parquet", required=True, choices=FLAGS, help="whether to write the Parquet files")
    flags.add_argument("--write_backend", required=True, type=Path, help="the sqlite")
    flags.add_argument("--write_cells", required=True, type=Path, help="the folder of the Parquet files")
    quarantine.add_flag(flags)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        plate = measurements.of(args.analysis, args.plate)
        plate.tell_columns(report)
        database = backend.Writer(args.write_backend, plate.layout) if args.sqlite == "true" else None
        cells = args.write_cells if args.parquet == "true" else None
        rows, empty = collate(plate, database, cells, args.max_failed_fraction)
        quarantine.settle(report, args.plate, plate.sites, plate.quarantined, args.max_failed_fraction)
        if empty:
            report.warn(f"{len(empty)} of {len(plate.sites)} sites have no cell: {', '.join(empty[:10])}")
        report.fact("sites", rows["Image"])
        report.fact("sites_without_cells", empty)
        report.fact("rows", rows)


def collate(
    plate: Plate, database: Optional[backend.Writer], cells: Optional[Path], max_failed_fraction: float
) -> Tuple[Dict[str, int], List[str]]:
    """Read every site once; return the rows of each table, and the sites that have no cell.

    Once too many sites are bad nothing more is written, and the others are read only to name those that are bad too.
    """
    rows, empty = dict.fromkeys(("Image", *COMPARTMENTS), 0), []
    for well, entries in plate.by_well():
        if not entries or quarantine.exceeds(len(plate.quarantined), len(plate.sites), max_failed_fraction):
            continue
        for entry in entries:
            if database:
                database.add(entry.number, entry.measured)
            rows["Image"] += 1
            for table in COMPARTMENTS:
                rows[table] += len(entry.measured.tables[table])
            empty += [] if len(entry.measured.tables["Cells"]) else [entry.site.name]
        if cells:
            parquet.write(cells / f"{well}.parquet", plate.layout, entries)
    if database:
        database.close()
    return rows, empty


if __name__ == "__main__":
    program.run(main)

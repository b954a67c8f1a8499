"""Join the site csv files of a plate into one sqlite of single cells, and into a Parquet file a well.

The sqlite is laid out as cytominer-database did it: tables Image, Cells, Cytoplasm, Nuclei share the key (TableNumber,
ImageNumber), a number for each site. Image columns keep their names (`Metadata_Plate`, `Count_Cells`); object columns
get their table's (`Cells_AreaShape_Area`), but for `ObjectNumber`: this is what pycytominer's SingleCells reads with
its defaults. In the Parquet files (parquet.py) a row is a cell.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import backend
import parquet
import sites
from stagekit import program
from stagekit.contracts import COMPARTMENTS

FLAGS = ("true", "false")


def main() -> None:
    """Read the flags and write what is asked for, a well at a time."""
    flags = program.parser(__doc__)
    flags.add_argument("--analysis", required=True, type=Path, help="the folder of <plate>-<well>-<site> folders")
    flags.add_argument("--sqlite", required=True, choices=FLAGS, help="whether to write the sqlite")
    flags.add_argument("--parquet", required=True, choices=FLAGS, help="whether to write the Parquet files")
    flags.add_argument("--write_backend", required=True, type=Path, help="the sqlite")
    flags.add_argument("--write_cells", required=True, type=Path, help="the folder of the Parquet files")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        found = sites.find(args.analysis, args.plate)
        layout = {table: sites.header(found[0], table) for table in sites.TABLES}
        database = backend.Writer(args.write_backend, layout) if args.sqlite == "true" else None
        cells = args.write_cells if args.parquet == "true" else None
        rows, empty = collate(found, layout, database, cells)
        if empty:
            report.warn(f"{len(empty)} of {len(found)} sites have no cell: {', '.join(empty[:10])}")
        report.fact("sites", len(found))
        report.fact("sites_without_cells", empty)
        report.fact("rows", rows)


def collate(
    found: List[sites.Site], layout: Dict[str, List[str]], database: Optional[backend.Writer], cells: Optional[Path]
) -> Tuple[Dict[str, int], List[str]]:
    """Read every site once; return the rows of each table, and the sites that have no cell."""
    rows, empty = {"Image": len(found), **dict.fromkeys(COMPARTMENTS, 0)}, []
    numbered = enumerate(found, start=1)
    for well, group in groupby(numbered, key=lambda entry: entry[1].well):
        measured = []
        for number, site in group:
            tables = sites.read(site, layout)
            if database:
                database.add(number, tables)
            for table in COMPARTMENTS:
                rows[table] += len(tables.tables[table])
            empty += [] if len(tables.tables["Cells"]) else [site.name]
            measured.append((number, site, tables))
        if cells:
            parquet.write(cells / f"{well}.parquet", layout, measured)
    if database:
        database.close()
    return rows, empty


if __name__ == "__main__":
    program.run(main)

"""Bring single cells of another laboratory or program into the toolkit's form, and average those of every well.

What is read: folders of CellProfiler's csv files, ExportToDatabase's and cytominer-database's sqlite, CytoTable's
Parquet, our own `_cells` Parquet files, a csv of single cells. The averages are over all objects of a kind in the well.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import foreign
import foreign_cells
import foreign_csv
import foreign_merged
import foreign_sqlite
import numpy as np
import pandas as pd
import profiles
import pyarrow
import pyarrow.parquet
from foreign_cells import NUMBER, Asked, Reader, Well
from single_cells import LINKS
from stagekit import contracts, program, quarantine

METHODS: Dict[str, Callable[..., np.ndarray]] = {"mean": np.nanmean, "median": np.nanmedian}
ROLES = ("plate", "well", "site")
SQLITE = b"SQLite format 3\0"


def main() -> None:
    """Read the flags, convert, average, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--table", required=True, type=Path, help="a folder, a sqlite, a Parquet file or a csv")
    for role in ROLES:
        flags.add_argument(f"--{role}_column", required=True, help="its column; empty: the one whose name says so")
    foreign.add_flag(flags)
    flags.add_argument("--objects", required=True, help="Cells=cellbody,Nuclei=nucleus; empty: all, by their own names")
    flags.add_argument("--method", required=True, choices=sorted(METHODS))
    quarantine.add_flag(flags)
    flags.add_argument("--cells", required=True, choices=("true", "false"), help="write the single cells, too")
    flags.add_argument("--write_profiles", required=True, type=Path)
    flags.add_argument("--write_cells", required=True, type=Path, help="the folder of a Parquet file a well")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        columns = {role: getattr(args, f"{role}_column") for role in ROLES if getattr(args, f"{role}_column")}
        reader = open_table(args.table, Asked(args.plate, columns, _objects(args.objects), args.bears_plate == "true"))
        cells = args.write_cells if args.cells == "true" else None
        table = average(reader, METHODS[args.method], args, cells, report)
        profiles.write(table, args.write_profiles, contracts.PROFILES)


def _objects(text: str) -> Dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def open_table(path: Path, asked: Asked) -> Reader:
    """Return the reader of a table, by what it is and not by its name alone."""
    if path.is_dir():
        has_parquet = any(path.glob("*.parquet"))
        return foreign_merged.Reader(path, asked) if has_parquet else foreign_csv.Reader(path, asked)
    with open(path, "rb") as file:
        begins = file.read(len(SQLITE))
    if not begins:
        raise program.DataError(f"{path.name}: it is empty (0 bytes); copy it again")
    return foreign_sqlite.Reader(path, asked) if begins == SQLITE else foreign_merged.Reader(path, asked)


def average(
    reader: Reader,
    method: Callable[..., np.ndarray],
    args: argparse.Namespace,
    cells: Optional[Path],
    report: program.Report,
) -> pd.DataFrame:
    """Return one row a well: plate, well, counts, and every feature; write the cells of each well on the way."""
    rows: List[np.ndarray] = []
    places: List[Dict[str, Any]] = []
    empty: List[str] = []
    kept = {name: [each for each in names if each not in LINKS] for name, names in reader.features.items()}
    for well in reader.wells():
        if not len(well.cells):
            empty.append(well.name)
            continue
        if cells:
            _write(well, reader, cells)
        rows.append(np.concatenate([_reduced(well, name, kept[name], method) for name in kept]))
        places.append({"Metadata_Plate": args.plate, "Metadata_Well": well.name, **_counts(well, list(kept))})
    quarantine.settle(report, args.plate, reader.sites, reader.quarantined, args.max_failed_fraction)
    if not rows:
        raise program.DataError(
            f"{args.table.name}: plate {args.plate} has no cell in any well; is it the right table?"
        )
    if empty:
        report.warn(f"{len(empty)} wells have no cell and so no profile: {', '.join(empty[:10])}")
    names = [name for each in kept.values() for name in each]
    report.fact("wells", len(rows))
    report.fact("wells_without_cells", empty)
    report.fact("features", len(names))
    report.fact("objects", {name: sum(int(place[f"Metadata_Count_{name}"]) for place in places) for name in kept})
    return pd.DataFrame(places).join(pd.DataFrame(np.stack(rows), columns=names))


def _reduced(well: Well, name: str, features: List[str], method: Callable[..., np.ndarray]) -> np.ndarray:
    """Return what the objects of a kind come to in a well; NaN where none has the feature."""
    own = well.cells[well.cells[NUMBER.format(name)].notna()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN
        return method(own[features].to_numpy(dtype="float64"), axis=0)


def _counts(well: Well, objects: List[str]) -> Dict[str, object]:
    """Return the sites of a well, its objects of every kind, and its cells, or if there are none, its first objects."""
    counts = {name: int(well.cells[NUMBER.format(name)].notna().sum()) for name in objects}
    told = {"Metadata_Site_Count": well.sites, **{f"Metadata_Count_{name}": count for name, count in counts.items()}}
    return {**told, "Metadata_Object_Count": counts.get("Cells", next(iter(counts.values())))}


def _write(well: Well, reader: Reader, folder: Path) -> None:
    """Write a well as our `_cells` files are: places and numbers of objects, then features; the sites it has."""
    numbers = [NUMBER.format(name) for name in reader.features]
    features = [name for names in reader.features.values() for name in names]
    columns = {
        name: pyarrow.array(well.cells[name].astype("str"), pyarrow.string()) for name in foreign_cells.PLACE[:3]
    }
    columns[foreign_cells.PLACE[3]] = pyarrow.array(well.cells[foreign_cells.PLACE[3]].to_numpy(dtype="int64"))
    for name in numbers:
        columns[name] = pyarrow.array(well.cells[name].to_numpy(), from_pandas=True).cast("int32")
    for name in features:
        columns[name] = pyarrow.array(well.cells[name].to_numpy(dtype="float64"), from_pandas=True)
    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns).replace_schema_metadata({foreign_merged.SITES: str(well.sites)})
    pyarrow.parquet.write_table(
        table,
        folder / f"{well.name}.parquet",
        compression="zstd",
        row_group_size=max(len(well.cells), 1),
        use_dictionary=list(foreign_cells.PLACE),
        column_encoding=dict.fromkeys(features, "BYTE_STREAM_SPLIT"),
    )


if __name__ == "__main__":
    program.run(main)

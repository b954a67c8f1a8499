"""Write profiles, and single cells, as AnnData: a row a well or cell, `.obs` the metadata, `.var` what a feature is.

`.X` holds the well averages scaled against the negative controls; `.layers` the steps before: `augmented` (as
measured) and `normalized` (scaled against all wells), without a value where a step has not the feature. Rows are named
<plate>_<well>, and <plate>_<well>_<site>_<object number> of single cells. Every number is the one of the table.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path
from typing import Dict, List, Sequence

import anndata
import feature_names
import numpy as np
import pandas as pd
from stagekit import contracts, features, program

STEPS = ("augmented", "normalized", "normalized_negcon")
"""The ends of the files' names, in the order of the work; the last one is `.X`."""
IMPORTED = "wells"  # the end of profiles that came from another laboratory, which need no platemap
MISSING = ["", "nan", "NaN", "NA"]
NUMBER = "Metadata_{}_ObjectNumber"


def main() -> None:
    """Read the flags and write what is asked for."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="of every plate, of each step")
    flags.add_argument(
        "--cells", required=True, type=Path, nargs="*", help="of every plate, the folder of Parquet files"
    )
    flags.add_argument("--single_cells", required=True, choices=("true", "false"), help="write the single cells, too")
    flags.add_argument("--write_profiles", required=True, type=Path)
    flags.add_argument("--write_cells", required=True, type=Path, nargs="+", help="of every plate, a folder")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        made = of_profiles(args.profiles)
        args.write_profiles.parent.mkdir(parents=True, exist_ok=True)
        made.write_h5ad(args.write_profiles, compression="gzip")
        report.fact("wells", made.n_obs)
        report.fact("features", made.n_vars)
        if args.single_cells == "true":
            report.fact("cells", _write_cells(args))


def _write_cells(args: argparse.Namespace) -> int:
    """Write a file for every well: a plate's cells need not fit into memory, then or later."""
    if len(args.cells) != len(args.write_cells):
        message = f"{len(args.cells)} of {len(args.write_cells)} plates have Parquet files of single cells"
        raise program.DataError(f"{message}; set [collate] parquet = true, or [anndata] single_cells = false")
    count = 0
    for folder, target in zip(args.cells, args.write_cells):
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.parquet")):
            made = of_cells(path)
            made.write_h5ad(target / f"{path.stem}.h5ad", compression="gzip")
            count += made.n_obs
    return count


def of_profiles(paths: Sequence[Path]) -> anndata.AnnData:
    """Return the wells of all plates, by plate and well; every step that the plates have is a layer."""
    steps = {step: [path for path in paths if _step(path) == step] for step in STEPS}
    tables = {
        step: pd.concat([_read(path) for path in found], ignore_index=True) for step, found in steps.items() if found
    }
    if STEPS[-1] not in tables:
        raise program.DataError(f"{paths[0].name}: no plate has profiles {STEPS[-1]}; make them first")
    for step, table in tables.items():
        table.index = pd.Index(table["Metadata_Plate"] + "_" + table["Metadata_Well"])
        if table.index.has_duplicates:
            raise program.DataError(f"{table.index[table.index.duplicated()][0]}: two rows of {step} are of one well")
    last = tables[STEPS[-1]]
    names = list(
        dict.fromkeys(name for table in tables.values() for name in map(str, table) if features.is_feature(name))
    )
    obs = last[[name for name in map(str, last) if name.startswith(features.METADATA)]]
    layers = {step: _values(table, last.index, names) for step, table in tables.items() if step != STEPS[-1]}
    return anndata.AnnData(
        X=_values(last, last.index, names), obs=_plain(obs), var=feature_names.table(names), layers=layers
    )


def _step(path: Path) -> str:
    stem = path.name[: -len(".csv.gz")]
    found = next((step for step in sorted(STEPS, key=len, reverse=True) if stem.endswith(f"_{step}")), "")
    return found or (STEPS[0] if stem.endswith(f"_{IMPORTED}") else "")


def _read(path: Path) -> pd.DataFrame:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            names = next(csv.reader(lines), [])
        contracts.ANNOTATED_PROFILES.check(names, path.name)
        kinds = {name: "float64" if features.is_feature(name) else "str" for name in names}
        missing = {name: MISSING for name, kind in kinds.items() if kind == "float64"}
        return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=missing, float_precision="round_trip")
    except (OSError, EOFError, ValueError) as error:
        raise program.DataError(f"{path.name}: not a whole table of profiles: {error}; make it again") from error


def _values(table: pd.DataFrame, rows: pd.Index, names: List[str]) -> np.ndarray:
    return table.reindex(index=rows, columns=names).to_numpy(dtype="float64")


def of_cells(path: Path) -> anndata.AnnData:
    """Return the cells of a well, from a Parquet file of our form."""
    import pyarrow  # takes a third of a second, which profiles need not wait for
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            table = file.read(use_threads=False).to_pandas()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise program.DataError(f"{path.name}: not a whole Parquet file: {error}; make it again") from error
    names = [name for name in table if features.is_feature(name)]
    obs = table[[name for name in table if name not in names]].copy()
    obs.index = _cell_names(obs, path.name)
    return anndata.AnnData(X=table[names].to_numpy(dtype="float64"), obs=_plain(obs), var=feature_names.table(names))


def _cell_names(obs: pd.DataFrame, where: str) -> pd.Index:
    """Return <plate>_<well>_<site>_<object number>; of a row without a cell, with the object that it has (nuclei12)."""
    numbers = [name for name in map(str, obs) if name.endswith("_ObjectNumber") and name != NUMBER]
    first = [NUMBER.format("Cells")] if NUMBER.format("Cells") in numbers else numbers[:1]
    order = [*first, *(name for name in numbers if name not in first)]
    place = (
        obs["Metadata_Plate"].astype(str)
        + "_"
        + obs["Metadata_Well"].astype(str)
        + "_"
        + obs["Metadata_Site"].astype(str)
    )
    names: List[str] = []
    for start, row in zip(place, obs[order].itertuples(index=False, name=None)):
        at = next((at for at, number in enumerate(row) if number == number and number is not None), None)
        if at is None:
            raise program.DataError(f"{where}: a row is of no object; make the single cells again")
        kind = "" if at == 0 else order[at][len("Metadata_") : -len("_ObjectNumber")].lower()
        names.append(f"{start}_{kind}{int(row[at])}")
    return pd.Index(names)


def _plain(obs: pd.DataFrame) -> pd.DataFrame:
    """Return metadata as they are written to h5ad: text as it stands, whole numbers whole, without `Metadata_`."""
    made: Dict[str, object] = {}
    for name in map(str, obs):
        cells = obs[name]
        whole = name in ("Metadata_Site_Count", "Metadata_Object_Count") or name.startswith("Metadata_Count_")
        text = cells.dtype == object and not whole
        made[name[len(features.METADATA) :]] = cells.fillna("").astype(str) if text else pd.to_numeric(cells)
    return pd.DataFrame(made, index=obs.index)


if __name__ == "__main__":
    program.run(main)

"""Average the single cells of every well of a plate, as pycytominer's SingleCells.aggregate_profiles does."""

from __future__ import annotations

import sqlite3
import warnings
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple

import numpy as np
import pandas as pd
import profiles
from stagekit import program
from stagekit.contracts import COMPARTMENTS

METHODS: Dict[str, Callable[..., np.ndarray]] = {"mean": np.nanmean, "median": np.nanmedian}
LINKS = ("Cytoplasm_Parent_Cells", "Cytoplasm_Parent_Nuclei")  # pycytominer calls these metadata, not features
CELLS_AT_ONCE = 256  # a cell is some 100 kB while Python holds it, and 15 kB as an array


class Well(NamedTuple):
    """What a compartment's cells of one well come to."""

    cells: int
    values: np.ndarray


def main() -> None:
    """Read the flags, average, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--backend", required=True, type=Path, help="the plate's sqlite of single cells")
    flags.add_argument("--method", required=True, choices=sorted(METHODS))
    flags.add_argument("--write_profiles", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        try:
            database = sqlite3.connect(f"{args.backend.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            table = aggregate(database, args.plate, METHODS[args.method], report)
        except sqlite3.DatabaseError as error:
            raise program.DataError(f"{args.backend.name}: not a backend of single cells: {error}") from error
        profiles.write(table, args.write_profiles)


def aggregate(
    database: sqlite3.Connection, plate: str, method: Callable[..., np.ndarray], report: program.Report
) -> pd.DataFrame:
    """Return one row a well: Metadata_Plate, Metadata_Well, and every feature of the three compartments.

    As in pycytominer a well needs cells in each compartment; the others are left out, and told.
    """
    wells = _wells(database, plate)
    whole = pd.DataFrame({"Metadata_Plate": plate, "Metadata_Well": wells})
    parts, present, cells = [whole], pd.Series(True, index=whole.index), 0
    for compartment in COMPARTMENTS:
        features = _features(database, compartment)
        rows = [_well(database, compartment, features, well, method) for well in wells]
        parts.append(pd.DataFrame([row.values for row in rows], columns=features, dtype="float64"))
        present &= pd.Series([row.cells > 0 for row in rows], index=whole.index, dtype="bool")
        cells += sum(row.cells for row in rows) if compartment == "Cells" else 0
    table = pd.concat(parts, axis="columns")
    _tell(report, table, present, cells)
    return table[present].reset_index(drop=True)


def _wells(database: sqlite3.Connection, plate: str) -> List[str]:
    """Return the wells of the Image table by name; make the table `place`: which well an image belongs to."""
    names = {row[1] for row in database.execute('PRAGMA table_info("Image")')}
    # Older backends prefix the image's columns too.
    prefix = "Image_" if "Image_Metadata_Well" in names else ""
    columns = f"TableNumber, ImageNumber, {prefix}Metadata_Plate AS plate, {prefix}Metadata_Well AS well"
    database.execute(f"CREATE TEMP TABLE place AS SELECT {columns} FROM Image")
    database.execute("CREATE INDEX place_well ON place (well)")
    plates = [row[0] for row in database.execute("SELECT DISTINCT CAST(plate AS TEXT) FROM place ORDER BY 1")]
    if plates != [plate]:
        held = ", ".join(map(str, plates)) or "no image"
        raise program.DataError(f"the backend of plate {plate} holds {held}; give it the plate's own sqlite")
    query = "SELECT 1 FROM place GROUP BY TableNumber, ImageNumber HAVING count(*) > 1"
    if database.execute(query).fetchone():
        message = f"the backend of plate {plate} has a (TableNumber, ImageNumber) twice, so cells cannot be told apart"
        raise program.DataError(f"{message}; collate the plate again")
    return [row[0] for row in database.execute("SELECT DISTINCT well FROM place ORDER BY well")]


def _features(database: sqlite3.Connection, compartment: str) -> List[str]:
    names = [row[1] for row in database.execute(f'PRAGMA table_info("{compartment}")')]
    features = [name for name in names if name.startswith(f"{compartment}_") and name not in LINKS]
    if not features:
        raise program.DataError(f"the backend has no table {compartment}, or no feature in it; collate the plate again")
    return features


def _well(
    database: sqlite3.Connection, compartment: str, features: List[str], well: str, method: Callable[..., np.ndarray]
) -> Well:
    """Return what the cells of a well come to; NaN where no cell has the feature."""
    cells = np.concatenate([np.empty((0, len(features))), *_cells(database, compartment, features, well)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN, or no cell
        return Well(len(cells), method(cells, axis=0))


def _cells(database: sqlite3.Connection, compartment: str, features: List[str], well: str) -> Iterator[np.ndarray]:
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in features)
    # CROSS JOIN is SQLite's way to say: from the few images to their cells, by the index.
    query = f'SELECT {columns} FROM place CROSS JOIN "{compartment}" USING (TableNumber, ImageNumber) WHERE well = ?'
    rows = database.execute(query, (well,))
    while chunk := rows.fetchmany(CELLS_AT_ONCE):
        yield np.array(chunk, dtype="float64")


def _tell(report: program.Report, table: pd.DataFrame, present: pd.Series, cells: int) -> None:
    absent = table.loc[~present, "Metadata_Well"].tolist()
    if not present.any():
        raise program.DataError("the backend has no well with cells in every compartment; look at the outlines")
    if absent:
        report.warn(f"{len(absent)} wells have no cell and so no profile: {', '.join(absent[:10])}")
    report.fact("wells", int(present.sum()))
    report.fact("wells_without_cells", absent)
    report.fact("features", len(profiles.features_of(table)))
    report.fact("cells", cells)


if __name__ == "__main__":
    program.run(main)

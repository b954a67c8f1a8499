"""The single cells of a plate as Parquet: a folder with a file, of one row group, for every well.

A row is a cell: the objects of the three compartments that belong to each other, by the parents that Cytoplasm names.
An object without partners has a row of its own. One file for the plate would need a footer of hundreds of megabytes,
for Parquet describes every column (5,800) of every row group (384) there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import numpy as np
import pyarrow
import pyarrow.parquet
import sites
from measurements import Entry
from single_cells import LINKS, Well
from stagekit import program
from stagekit.contracts import COMPARTMENTS

SITES = b"sites"  # of the well, those without a cell too
OBJECT = "Metadata_{}_ObjectNumber"


def write(path: Path, layout: Dict[str, List[str]], measured: Sequence[Entry]) -> None:
    """Write the cells of a well's sites, each with our number of the site."""
    features = {table: sites.features(table, layout) for table in COMPARTMENTS}
    matched = [_match(entry.measured.tables, features["Cytoplasm"]) for entry in measured]
    texts = {name: [] for name in ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_ImageNumber")}
    for (number, site, _), rows in zip(measured, matched, strict=True):
        for values, value in zip(texts.values(), (site.plate, site.well, str(site.number), number), strict=True):
            values += [value] * len(rows["Cells"])
    columns: Dict[str, pyarrow.Array] = {name: pyarrow.array(values) for name, values in texts.items()}
    joined = {table: np.concatenate([rows[table] for rows in matched]) for table in COMPARTMENTS}
    for table in COMPARTMENTS:
        columns[OBJECT.format(table)] = pyarrow.array(joined[table][:, 0], from_pandas=True).cast("int32")
    for table, names in features.items():
        for at, name in enumerate(names, start=1):
            columns[name] = pyarrow.array(joined[table][:, at], from_pandas=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(
        pyarrow.table(columns).replace_schema_metadata({SITES: str(len(measured))}),
        path,
        compression="zstd",
        row_group_size=max(len(joined["Cells"]), 1),
        use_dictionary=list(texts),
        column_encoding=dict.fromkeys((name for names in features.values() for name in names), "BYTE_STREAM_SPLIT"),
    )


def _match(tables: Dict[str, np.ndarray], names: List[str]) -> Dict[str, np.ndarray]:
    """Return the tables of a site with a row for every cell, NaN where a compartment has no object for it."""
    parents = {"Cells": LINKS[0], "Nuclei": LINKS[1]}
    cytoplasm = tables["Cytoplasm"]
    rows, count = {"Cytoplasm": np.arange(len(cytoplasm))}, len(cytoplasm)
    for table, link in parents.items():
        own = tables[table][:, 0]
        wanted = cytoplasm[:, 1 + names.index(link)] if link in names else cytoplasm[:, 0]
        place = {number: at for at, number in enumerate(wanted.tolist())}
        alone = [number for number in own.tolist() if number not in place]
        place.update((number, count + at) for at, number in enumerate(alone))
        count += len(alone)
        rows[table] = np.array([place[number] for number in own.tolist()], dtype="int64")
    matched = {}
    for table, values in tables.items():
        matched[table] = np.full((count, values.shape[1]), np.nan)
        matched[table][rows[table]] = values
    return matched


def read(path: Path) -> pyarrow.Table:
    """Return a well's table, read on this thread: Arrow's own may abort the program as it ends (apache/arrow#34314)."""
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read(use_threads=False)


class Reader:
    """Reads the cells of a folder of Parquet files, a well at a time."""

    def __init__(self, folder: Path, plate: str) -> None:
        self.paths, self.plate = sorted(folder.glob("*.parquet")), plate
        self.sites, self.quarantined = [], {}
        if not self.paths:
            raise program.DataError(f"{folder.name}: holds no Parquet file; collate the plate again")
        names = pyarrow.parquet.read_schema(self.paths[0]).names
        self.features = {
            table: [name for name in names if name.startswith(f"{table}_") and name not in LINKS]
            for table in COMPARTMENTS
        }

    def wells(self) -> Iterator[Well]:
        """Yield a well for every file."""
        for path in self.paths:
            try:
                table = read(path)
            except (pyarrow.ArrowInvalid, OSError) as error:
                raise program.DataError(f"{path.name}: not a whole Parquet file: {error}") from error
            plates = sorted(set(table["Metadata_Plate"].to_pylist()))
            if plates not in ([], [self.plate]):
                raise program.DataError(f"{path.name}: holds cells of {', '.join(plates)}, not of {self.plate}")
            yield Well(path.stem, int(table.schema.metadata[SITES]), self._cells(table))

    def _cells(self, table: pyarrow.Table) -> Dict[str, np.ndarray]:
        cells = {}
        for compartment, names in self.features.items():
            values = np.column_stack([table[name].to_numpy() for name in names])
            cells[compartment] = values[table[OBJECT.format(compartment)].is_valid().to_numpy()]
        return cells

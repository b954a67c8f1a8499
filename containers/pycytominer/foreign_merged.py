"""Single cells that lie in one row each: CytoTable's Parquet, our own `_cells` Parquet files, pycytominer's csv.

The features of every object begin with its name; the row's well is a column (`Image_Metadata_Well`, `Metadata_Well`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import foreign
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
from foreign_cells import NO_OBJECTS, NUMBER, PLACE, Asked, Well, images, renamed
from stagekit import features, program

NUMBERS = ("Metadata_{}_ObjectNumber", "Metadata_{}_Number_Object_Number", "{}_Number_Object_Number")
IMAGE = ("Metadata_ImageNumber", "ImageNumber", "Image_ImageNumber")
SITES = b"sites"


class Reader:
    """Reads the cells of one table, or of a folder of Parquet files, a well at a time."""

    def __init__(self, path: Path, asked: Asked) -> None:
        self.name, self.asked, self.path = path.name, asked, path
        self.sites: List[str] = []
        self.quarantined: Dict[str, str] = {}
        self.table = None if path.is_dir() or path.suffix == ".parquet" else foreign.read(path)
        try:
            self.data: Any = self._dataset() if self.table is None else self.table
            self.parts = self._parts() if self.table is None else []
            self.names = list(self.data.columns if self.table is not None else self.data.schema.names)
            self._find()
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise program.DataError(f"{path.name}: not a whole Parquet file: {error}; write it anew") from error

    def _dataset(self) -> Any:
        return pyarrow.dataset.dataset(str(self.path), format="parquet")

    def _parts(self) -> List[Tuple[int, Any]]:
        """Return every group of rows of every file, after the number of its first row: a well lies in few of them."""
        found, start = [], 0
        for file in self.data.get_fragments():
            for part in file.split_by_row_group():
                found.append((start, part))
                start += sum(group.num_rows for group in part.row_groups)
        return found

    def _find(self) -> None:
        """Find the objects, and read where every cell lies."""
        stems = dict.fromkeys(name.split("_")[0] for name in self.names if features.is_feature(name))
        theirs = [name for name in stems if name not in NO_OBJECTS]
        self.asked.check(theirs, self.name)
        self.objects = {
            name: renamed(name, [each for each in self.names if each.startswith(f"{name}_")], self.asked)
            for name in theirs
            if self.asked.ours(name)
        }
        self.features = {self.asked.ours(name): list(names.values()) for name, names in self.objects.items()}
        columns = [
            name for name in self.names if "Metadata" in name or foreign.plain(name) in ("plate", "well", "site")
        ]
        columns += [name for name in self.asked.columns.values() if name in self.names and name not in columns]
        number = next((name for name in IMAGE if name in self.names), "")
        table = self._read([*columns, *([] if number in columns or not number else [number])], None).copy()
        table["ImageNumber"] = foreign.texts(table[number]) if number else "1"
        self.places = images(table, self.asked, self.name).reset_index(names="row")

    def _read(self, columns: List[str], rows: Any) -> pd.DataFrame:
        if self.table is not None:
            return self.table[columns] if rows is None else self.table[columns].iloc[rows]
        if rows is None:
            return self.data.to_table(columns=columns, use_threads=False).to_pandas()
        ends = [*(start for start, _ in self.parts[1:]), np.inf]
        tables = []
        for (start, part), end in zip(self.parts, ends):
            own = rows[(rows >= start) & (rows < end)] - start
            if len(own):
                table = part.to_table(schema=self.data.schema, columns=columns, use_threads=False)
                tables.append(table.take(pyarrow.array(own)))
        return pyarrow.concat_tables(tables).to_pandas()

    def wells(self) -> Iterator[Well]:
        """Yield every well of the plate."""
        for well, own in self.places.groupby("well"):
            sites = own.drop_duplicates(["site", "ImageNumber"])
            yield Well(str(well), self._told_sites(str(well)) or len(sites), self._cells(str(well), own))

    def _told_sites(self, well: str) -> int:
        """Return the well's sites as our own files say, those without a cell too; 0 if nothing says it."""
        path = self.path / f"{well}.parquet"
        told = pyarrow.parquet.read_schema(path).metadata if path.is_file() else None
        return int((told or {}).get(SITES, 0))

    def _cells(self, well: str, own: pd.DataFrame) -> pd.DataFrame:
        wanted = [name for names in self.objects.values() for name in names]
        numbered = {name: _number(name, self.names) for name in self.objects}
        more = [name for name in numbered.values() if name and name not in wanted]
        table = self._read([*wanted, *more], own["row"].to_numpy())
        made: Dict[str, object] = {PLACE[0]: [self.asked.plate] * len(own), PLACE[1]: [well] * len(own)}
        made[PLACE[2]] = own["site"].to_numpy()
        made[PLACE[3]] = [int(number) if number.isdigit() else 0 for number in own["ImageNumber"]]
        for name, names in self.objects.items():
            values = foreign.numbers(table, list(names), self.name).to_numpy()
            there = ~np.isnan(values).all(axis=1)
            number = numbered[name]
            told = np.arange(1.0, len(own) + 1)  # a table that numbers no object has a row for each
            if number:
                told = pd.to_numeric(table[number], errors="coerce").to_numpy(dtype="float64")
            made[NUMBER.format(self.asked.ours(name))] = np.where(
                there | (~np.isnan(told) & bool(number)), told, np.nan
            )
            made.update(zip(names.values(), values.T))
        return pd.DataFrame(made)


def _number(name: str, names: List[str]) -> str:
    """Return the column that numbers an object, as CytoTable, pycytominer or we call it; "" if there is none."""
    known = [form.format(name) for form in NUMBERS] + [f"Metadata_ObjectNumber_{name.lower()}"]
    return next((each for each in known if each in names), "")

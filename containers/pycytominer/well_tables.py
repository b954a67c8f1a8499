"""What measuring wrote of a plate as Parquet, a well at a time (well_files.py of the image cellprofiler says how).

A well's means are read from its sums alone; only what needs the cells reads them.
"""

from __future__ import annotations

import json
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import pyarrow
import pyarrow.parquet
import sites
from single_cells import LINKS, reduced
from stagekit import program
from stagekit.contracts import COMPARTMENTS

OBJECT = "Metadata_{}_ObjectNumber"
NEXT = "was the analysis copied whole? Else measure the plate again"


class Part(NamedTuple):
    """The files of a well, or of some of its sites."""

    analysis: Path
    stem: str
    well: str
    sites: Tuple[str, ...]
    """Their names, `A01-1`, in the order of the rows."""
    objects: Dict[str, int]

    def read(self, folder: str, columns: Optional[List[str]] = None) -> pyarrow.Table:
        """Return one of its tables, or some columns of it."""
        return _read(self.analysis / folder / f"{self.stem}.parquet", columns)


def lie_in(analysis: Path) -> bool:
    """Say whether a plate was measured into Parquet, be it beside csv files."""
    return (analysis / "sums").is_dir()


def parts(analysis: Path, plate: str) -> Dict[str, List[Part]]:
    """Return the files of every well of a plate, in the order of the wells; DataError if a site is there twice."""
    found = [_part(path, plate) for path in sorted((analysis / "sums").glob("*.parquet"))]
    if not found:
        raise program.DataError(f"{analysis.name}/sums: holds no Parquet file of plate {plate}; was it measured?")
    seen: Dict[str, Part] = {}
    for part in found:
        for site in part.sites:
            if seen.setdefault(site, part) is not part:
                files = f"sums/{seen[site].stem}.parquet and sums/{part.stem}.parquet"
                raise program.DataError(f"the site {site} is in {files}; measure the plate again")
    found.sort(key=lambda part: (len(part.well), part.well, _number(part.sites[0])))
    return {well: list(group) for well, group in groupby(found, key=lambda part: part.well)}


def _part(path: Path, plate: str) -> Part:
    try:
        told = json.loads((pyarrow.parquet.read_metadata(path).metadata or {})[b"well"])
    except (pyarrow.ArrowInvalid, OSError, KeyError) as error:
        raise program.DataError(f"sums/{path.name}: no whole file of a well's sums ({error}); {NEXT}") from error
    if told["plate"] != plate:
        raise program.DataError(f"sums/{path.name}: holds sums of {told['plate']}, not of {plate}")
    return Part(path.parents[1], path.stem, told["well"], tuple(told["sites"]), told["objects"])


def _read(path: Path, columns: Optional[List[str]] = None) -> pyarrow.Table:
    try:
        # On this thread: Arrow's own may abort the program as it ends (apache/arrow#34314).
        with pyarrow.parquet.ParquetFile(path) as file:
            return file.read(columns=columns, use_threads=False)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise program.DataError(
            f"{path.parent.name}/{path.name}: not a whole Parquet file ({error}); {NEXT}"
        ) from error


def _number(site: str) -> int:
    return int(site.rpartition("-")[2])


def nuclei(part: Part, pairs: Sequence[Tuple[str, str]]) -> Iterator[Tuple[int, float, float]]:
    """Yield the site and the centre of every nucleus, in order; the centre by the first pair that was measured."""
    path = part.analysis / "cells" / f"{part.stem}.parquet"
    names = {*pyarrow.parquet.read_schema(path).names}
    centre = next(([f"Nuclei_{x}", f"Nuclei_{y}"] for x, y in pairs if {f"Nuclei_{x}", f"Nuclei_{y}"} <= names), None)
    if not centre:
        tried = " nor ".join(pair[0] for pair in pairs)
        raise program.DataError(f"cells/{path.name} has neither {tried} of Nuclei: let the pipeline measure AreaShape")
    whole = part.read("cells", ["Metadata_Site", OBJECT.format("Nuclei"), *centre])
    site = _sites(whole)
    rows = _rows(whole, "Nuclei", site)
    columns = [whole[name].to_numpy()[rows].tolist() for name in centre]
    yield from zip(site[rows].tolist(), *columns, strict=True)


def _sites(whole: pyarrow.Table) -> np.ndarray:
    """Return the number of the site of every row."""
    return np.array([int(text) for text in whole["Metadata_Site"].to_pylist()], dtype=int)


class Plate:
    """A plate that was measured into Parquet."""

    def __init__(self, analysis: Path, plate: str) -> None:
        self.plate, self.parts = plate, parts(analysis, plate)
        self.quarantined: Dict[str, str] = {}

    @property
    def sites(self) -> List[str]:
        """Return the names of all sites, as their folders bear them, by well and number."""
        wells = [[site for part in found for site in part.sites] for found in self.parts.values()]
        return [f"{self.plate}-{site}" for well in wells for site in sorted(well, key=_number)]

    def tell_columns(self, report: program.Report) -> None:
        """Report that no site lacks a column: all were measured by one pipeline."""
        report.fact("columns_not_of_every_site", {})


class Reader(Plate):
    """Reads the wells of a plate."""

    def __init__(self, analysis: Path, plate: str) -> None:
        super().__init__(analysis, plate)
        first = next(iter(self.parts.values()))[0]
        self.names: List[str] = first.read("sums", ["feature"])["feature"].to_pylist()
        self.features = {
            table: [name for name in self.names if name.startswith(f"{table}_") and name not in LINKS]
            for table in COMPARTMENTS
        }

    def wells(self) -> Iterator[Well]:
        """Yield every well; its files must have the same columns as the others'."""
        for name, found in self.parts.items():
            yield Well(name, found, self.names, self.features)


class Well:
    """A well whose cells are read only if they are asked for."""

    def __init__(self, name: str, found: List[Part], names: List[str], features: Dict[str, List[str]]) -> None:
        self.name, self.parts, self.names, self.features = name, found, names, features
        self.sites = sum(len(part.sites) for part in found)

    def objects(self, table: str) -> int:
        """Return how many objects the well has in a compartment."""
        return sum(part.objects[table] for part in self.parts)

    def reduced(self, table: str, method: Callable[..., np.ndarray]) -> np.ndarray:
        """Return what its objects come to: means from the sums, but of a well that a failure cut, from the cells.

        Sums of parts, added up, would differ in the last bit.
        """
        if method is not np.nanmean or len(self.parts) > 1:
            return reduced(self.cells[table], method)
        with np.errstate(invalid="ignore"):  # 0 / 0: no object has the feature
            means = dict(zip(self.names, self._sums["sum"] / self._sums["count"], strict=True))
        return np.array([means[name] for name in self.features[table]])

    @cached_property
    def _sums(self) -> Dict[str, np.ndarray]:
        table = self.parts[0].read("sums")
        if table["feature"].to_pylist() != self.names:
            raise _differs(f"sums/{self.parts[0].stem}.parquet")
        return {name: table[name].to_numpy() for name in ("sum", "count")}

    @cached_property
    def cells(self) -> Dict[str, np.ndarray]:
        """The values (objects, features) of each compartment, by site and object number."""
        keys = [OBJECT.format(table) for table in COMPARTMENTS]
        wanted = [*keys, "Metadata_Site", *(name for table in COMPARTMENTS for name in self.features[table])]
        read = [part.read("cells") for part in self.parts]
        for part, table in zip(self.parts, read, strict=True):
            if [name for name in table.column_names if not name.startswith("Metadata_")] != self.names:
                raise _differs(f"cells/{part.stem}.parquet")
        whole = pyarrow.concat_tables([table.select(wanted) for table in read])
        site = _sites(whole)
        return {table: self._values(whole, table, site) for table in COMPARTMENTS}

    def _values(self, whole: pyarrow.Table, table: str, site: np.ndarray) -> np.ndarray:
        rows = _rows(whole, table, site)
        columns = [whole[name].to_numpy()[rows] for name in self.features[table]]
        # A column after the other, as the cells of csv files lie: numpy then adds them up in the same order.
        return np.array(columns, dtype="float64").reshape(len(columns), len(rows)).T


def _rows(whole: pyarrow.Table, table: str, site: np.ndarray) -> np.ndarray:
    """Return the rows of a table of cells that have an object of a compartment, by site and object number."""
    numbers = whole[OBJECT.format(table)].to_numpy().astype("float64")
    own = np.flatnonzero(~np.isnan(numbers))
    return own[np.lexsort((numbers[own], site[own]))]


def _differs(name: str) -> program.DataError:
    return program.DataError(f"{name} has other columns than the plate's first file; measure the plate again")


class Measured(Plate):
    """The sites of a plate as their csv files would have told them."""

    def __init__(self, analysis: Path, plate: str) -> None:
        super().__init__(analysis, plate)
        first = next(iter(self.parts.values()))[0]
        cells = pyarrow.parquet.read_schema(analysis / "cells" / f"{first.stem}.parquet").names
        of_images = pyarrow.parquet.read_schema(analysis / "images" / f"{first.stem}.parquet").names
        own = {table: [name for name in cells if name.startswith(f"{table}_")] for table in COMPARTMENTS}
        short = {table: [name[len(table) + 1 :] for name in names] for table, names in own.items()}
        self.layout = {"Image": of_images, **{table: [*sites.NUMBERS, *names] for table, names in short.items()}}
        self.names = own

    def entries(self) -> Iterator[Tuple[str, List[Tuple[int, sites.Site, sites.Measured]]]]:
        """Yield every well with its sites: each with its number on the plate, from 1."""
        numbers = {name: number for number, name in enumerate(self.sites, start=1)}
        for well, found in self.parts.items():
            measured = [each for part in found for each in self._of_part(part)]
            measured.sort(key=lambda each: each[0].number)
            yield well, [(numbers[site.name], site, values) for site, values in measured]

    def _of_part(self, part: Part) -> Iterator[Tuple[sites.Site, sites.Measured]]:
        images, cells = part.read("images"), part.read("cells")
        layout = [name for table in COMPARTMENTS for name in self.names[table]]
        if images.column_names != self.layout["Image"] or not {*layout} <= {*cells.column_names}:
            raise _differs(f"images/{part.stem}.parquet or cells/{part.stem}.parquet")
        of_rows = _sites(cells)
        tables = {table: self._table(cells, table, of_rows) for table in COMPARTMENTS}
        for row in images.to_pylist():
            number = int(row["Metadata_Site"])
            place = Path(f"{self.plate}-{part.well}-{row['Metadata_Site']}")
            own = {table: values[of == number] for table, (of, values) in tables.items()}
            yield sites.Site(place, self.plate, part.well, number), sites.Measured(self._image(row), own)

    def _table(self, cells: pyarrow.Table, table: str, site: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return the site of each object of a compartment, and its values, ObjectNumber first."""
        rows = _rows(cells, table, site)
        names = [OBJECT.format(table), *self.names[table]]
        return site[rows], np.column_stack([cells[name].to_numpy()[rows].astype("float64") for name in names])

    def _image(self, row: Dict[str, sites.Value]) -> sites.Image:
        stored = [(name, value) for name, value in row.items() if name not in sites.NUMBERS]
        values = [value if name.startswith(sites.TEXTS) else _typed(value) for name, value in stored]
        counts = {table: int(float(row[f"Count_{table}"] or 0)) for table in COMPARTMENTS if f"Count_{table}" in row}
        return sites.Image(str(row["ImageNumber"]), counts, values)


def _typed(value: sites.Value) -> sites.Value:
    return sites.value(value) if isinstance(value, str) else value

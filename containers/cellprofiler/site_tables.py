"""Write what was measured as Parquet, four files a well, and read a site of it again.

Below the folder of an analysis: cells/<well>.parquet (a row a cell: the objects of the three compartments that belong
to each other, by the parents that Cytoplasm names; an object without partners has a row of its own),
images/<well>.parquet (a row a site), sums/<well>.parquet (of every feature the sum over the well's objects and how many
have it) and experiment/<well>.csv. A file holds a whole well, so the number of shards changes nothing; if a failure cut
a well, the files of its parts bear the part's first site too: <well>_s<site>.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

import load_data
import site_folders
import site_objects
from site_folders import Site
from stagekit.contracts import COMPARTMENTS
from stagekit.program import DataError

PLACE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
NUMBER = "Metadata_ImageNumber"
OBJECT = "Metadata_{}_ObjectNumber"
TEXTS = ("Metadata_", "FileName_", "MD5Digest_")
"""What stays a text in the table of images, whatever it looks like."""
LINKS = {"Cells": "Parent_Cells", "Nuclei": "Parent_Nuclei"}


class Objects(NamedTuple):
    """The objects of a site in one compartment: ObjectNumber and the features' names, and (names, objects) values."""

    names: tuple[str, ...]
    values: np.ndarray


class Measured(NamedTuple):
    """What was measured of a site."""

    site: Site
    image: dict[str, str]
    """The columns of its Image.csv as they are published."""
    tables: dict[str, Objects]


Found = tuple[Site, Path, Mapping[str, str]]
"""A site, the folder of what CellProfiler wrote of it, and its row in the Image.csv there."""


def publish(
    produced: Path, plate: str, sites: Sequence[Site], whole: Sequence[str], kind: str, target: Path
) -> dict[str, site_objects.Tables]:
    """Write the files of every well below `target`; return what is told of each site's objects.

    `whole` names all sites of the plate, `kind` is the type of the cells' values: float64 or float32.
    """
    told: dict[str, site_objects.Tables] = {}
    experiment = site_folders.experiment(produced)
    for well, found in _by_well(produced, sites).items():
        measured = [_measured(plate, each) for each in found]
        names = [load_data.site_name(each.site.row) for each in measured]
        is_whole = {*names} >= {name for name in whole if name.rpartition("-")[0] == well}
        stem = well if is_whole else f"{well}_s{measured[0].site.row['Metadata_Site']}"
        _write_cells(target / "cells" / f"{stem}.parquet", measured, kind)
        _write_images(target / "images" / f"{stem}.parquet", measured)
        _write_sums(target / "sums" / f"{stem}.parquet", plate, well, measured)
        (target / "experiment").mkdir(exist_ok=True)
        site_folders.write(target / "experiment" / f"{stem}.csv", *experiment)
        told |= {name: _told(each) for name, each in zip(names, measured)}
    return told


def _by_well(produced: Path, sites: Sequence[Site]) -> dict[str, list[Found]]:
    """Return what CellProfiler wrote, by well and by the sites' numbers; each site must be there once."""
    found: dict[str, Found] = {}
    for path in sorted(produced.glob("**/Image.csv")):
        header, rows = site_folders.read(path)
        for row in rows:
            image = dict(zip(header, row))
            site = site_folders.site_of(image, sites, path)
            if found.setdefault(load_data.site_name(site.row), (site, path.parent, image))[2] is not image:
                raise DataError(f"site {load_data.site_name(site.row)} came out twice")
    site_folders.check_all(sites, found)
    wells: dict[str, list[Found]] = {}
    for each in sorted(found.values(), key=lambda each: _order(each[0].row["Metadata_Site"])):
        wells.setdefault(each[0].row["Metadata_Well"], []).append(each)
    return wells


def _order(site: str) -> tuple[int, str]:
    return (int(site) if site.isdigit() else 0), site


def _measured(plate: str, found: Found) -> Measured:
    site, folder, image = found
    tables = {}
    for name in COMPARTMENTS:
        objects = _objects(folder, name, image["ImageNumber"])
        site_folders.check_count(name, objects.values.shape[1], image, site)
        tables[name] = objects
    header, (cells,) = site_folders.image_table(list(image), list(image.values()), site)
    return Measured(site, dict(zip(header, cells)), tables)


def _objects(folder: Path, name: str, number: str) -> Objects:
    """Return the objects of an image: as the module handed them on, else from CellProfiler's csv."""
    handed = folder / f"{name}.npy"
    if handed.exists():
        names = tuple(handed.with_suffix(".names").read_text(encoding="utf-8").split("\n"))
        values = np.load(handed, mmap_mode="r")
        own = np.flatnonzero(values[0] == float(number))  # one after the other
        return Objects(names[1:], values[1:, own[0] : own[-1] + 1] if len(own) else values[1:, :0])
    header, groups = site_folders.by_image(folder / f"{name}.csv")
    kept = [at for at, column in enumerate(header) if at and not column.startswith("Metadata_")]
    rows = groups.get(number, [])
    try:
        values = np.array([[float(row[at] or "nan") for row in rows] for at in kept]).reshape(len(kept), len(rows))
    except ValueError as error:
        raise DataError(f"{name}.csv holds a text among its numbers: {error}; measure numbers only") from error
    return Objects(tuple(header[at] for at in kept), values)


def _told(measured: Measured) -> site_objects.Tables:
    """Return what is looked at of a site's objects and image."""
    told: dict[str, Sequence[site_objects.Row]] = {"Image": [site_objects.looked_at(measured.image)]}
    for name in ("Nuclei", "Cells"):
        names, values = measured.tables[name]
        kept = {column: values[at].tolist() for at, column in enumerate(names) if site_objects.is_looked_at(column)}
        told[name] = [{column: repr(own[at]) for column, own in kept.items()} for at in range(values.shape[1])]
    return told


def _write_cells(path: Path, well: Sequence[Measured], kind: str) -> None:
    """Write the joined objects of a well's sites, as one row group."""
    matched = [match(each.tables) for each in well]
    counts = [tables["Cells"].shape[1] for tables in matched]
    columns: dict[str, pyarrow.Array] = {}
    for name in PLACE:
        columns[name] = pyarrow.array([each.site.row[name] for each, count in zip(well, counts) for _ in range(count)])
    numbers = np.repeat([each.site.number for each in well], counts)
    columns[NUMBER] = pyarrow.array(numbers, pyarrow.int32())
    joined = {table: np.concatenate([tables[table] for tables in matched], axis=1) for table in COMPARTMENTS}
    for table in COMPARTMENTS:
        columns[OBJECT.format(table)] = pyarrow.array(joined[table][0], from_pandas=True).cast("int32")
    features = []
    for table in COMPARTMENTS:
        for name, values in zip(_features(well, table), joined[table][1:]):
            features.append(f"{table}_{name}")
            columns[features[-1]] = pyarrow.array(values.astype(kind, copy=False), from_pandas=True)
    _write(path, columns, dict.fromkeys(features, "BYTE_STREAM_SPLIT"), list(PLACE))


def _features(well: Sequence[Measured], table: str) -> tuple[str, ...]:
    """Return the features of a compartment, which all sites of the well must have."""
    (*others, first) = {each.tables[table].names: each.site for each in well}.items()
    if others:
        name = load_data.site_name(others[0][1].row)
        raise DataError(f"site {name}: {table} has other columns than {load_data.site_name(first[1].row)}")
    return first[0][1:]


def match(tables: Mapping[str, Objects]) -> dict[str, np.ndarray]:
    """Return the values of a site with a column for every cell, NaN where a compartment has no object for it."""
    names, cytoplasm = tables["Cytoplasm"]
    count = cytoplasm.shape[1]
    places = {"Cytoplasm": np.arange(count)}
    for table, link in LINKS.items():
        wanted = cytoplasm[names.index(link) if link in names else 0]
        place = {number: at for at, number in enumerate(wanted.tolist())}
        own = tables[table].values[0].tolist()
        alone = [number for number in own if number not in place]
        place.update((number, count + at) for at, number in enumerate(alone))
        count += len(alone)
        places[table] = np.array([place[number] for number in own], dtype=int)
    return {table: _placed(objects.values, places[table], count) for table, objects in tables.items()}


def _placed(values: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    if np.array_equal(places, np.arange(count)):
        return values
    placed = np.full((len(values), count), np.nan)
    placed[:, places] = values
    return placed


def _write_images(path: Path, well: Sequence[Measured]) -> None:
    """Write the table of a well's sites: texts as they are, all else as numbers if each is one."""
    names = list(dict.fromkeys(name for each in well for name in each.image))
    columns = {name: _image_column(name, [each.image.get(name, "") for each in well]) for name in names}
    _write(path, columns, {}, False)


def _image_column(name: str, texts: Sequence[str]) -> pyarrow.Array:
    if name == "ImageNumber":
        return pyarrow.array([int(text) for text in texts], pyarrow.int32())
    if not name.startswith(TEXTS):
        try:
            return pyarrow.array([float(text) if text else None for text in texts], pyarrow.float64())
        except ValueError:
            pass
    return pyarrow.array(texts, pyarrow.string())


def _write_sums(path: Path, plate: str, well: str, measured: Sequence[Measured]) -> None:
    """Write a row a feature: its sum over the well's objects, by np.sum over one column, and how many have it.

    Divided they are np.nanmean of the same column, to the last bit.
    """
    names: list[str] = []
    sums: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    for table in COMPARTMENTS:
        values = np.concatenate([each.tables[table].values[1:] for each in measured], axis=1)
        missing = np.isnan(values)
        names += [f"{table}_{name}" for name in _features(measured, table)]
        sums.append(np.ascontiguousarray(np.where(missing, 0, values)).sum(axis=1))
        counts.append((~missing).sum(axis=1))
    told = {
        "plate": plate,
        "well": well,
        "sites": [load_data.site_name(each.site.row) for each in measured],
        "objects": {table: sum(each.tables[table].values.shape[1] for each in measured) for table in COMPARTMENTS},
    }
    columns = {"feature": names, "sum": np.concatenate(sums), "count": np.concatenate(counts)}
    arrays = {name: pyarrow.array(values) for name, values in columns.items()}
    _write(path, arrays, {}, False, {"well": json.dumps(told)})


def _write(
    path: Path,
    columns: Mapping[str, pyarrow.Array],
    encodings: Mapping[str, str],
    dictionary: Sequence[str] | bool,
    told: Mapping[str, str] | None = None,
) -> None:
    # Of thousands of columns of few rows the description is the larger part: no statistics, no second schema.
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(dict(columns))
    options = {"compression": "zstd", "write_statistics": False, "store_schema": False, "use_dictionary": dictionary}
    with pyarrow.parquet.ParquetWriter(path, table.schema, column_encoding=dict(encodings) or None, **options) as out:
        out.write_table(table, row_group_size=max(len(table), 1))
        out.add_key_value_metadata(dict(told or {}))


def texts(analysis: Path, name: str) -> dict[str, list[list[str]]]:
    """Return the tables of a site by the names of their csv files, header first, as those csv files have them."""
    well, _, site = name.rpartition("-")
    stem, image = _find(analysis, well, site)
    found = {"Image.csv": [list(image), ["" if value is None else str(value) for value in image.values()]]}
    cells = pyarrow.parquet.read_table(analysis / "cells" / f"{stem}.parquet", use_threads=False)
    rows = cells.filter(pyarrow.compute.equal(cells[NUMBER], image["ImageNumber"]))
    for table in COMPARTMENTS:
        numbers = rows[OBJECT.format(table)].to_pylist()
        order = sorted((at for at, own in enumerate(numbers) if own is not None), key=lambda at: numbers[at])
        names = [column for column in rows.column_names if column.startswith(f"{table}_")]
        columns = [rows[column].to_pylist() for column in names]
        header = ["ImageNumber", "ObjectNumber", *(column[len(table) + 1 :] for column in names)]
        body = [[image["ImageNumber"], numbers[at], *(column[at] for column in columns)] for at in order]
        found[f"{table}.csv"] = [header, *([_text(cell) for cell in row] for row in body)]
    found["Experiment.csv"] = [*_rows(site_folders.read(analysis / "experiment" / f"{stem}.csv"))]
    return found


def counts(path: Path) -> dict[str, int]:
    """Return the cells of each site of a file of images, by the name of the site's folder."""
    rows = pyarrow.parquet.read_table(path, columns=[*PLACE, "Count_Cells"], use_threads=False).to_pylist()
    return {"-".join(row[name] for name in PLACE): int(row["Count_Cells"]) for row in rows}


def _find(analysis: Path, well: str, site: str) -> tuple[str, dict[str, object]]:
    for path in sorted((analysis / "images").glob(f"{well}*.parquet")):
        for row in pyarrow.parquet.read_table(path, use_threads=False).to_pylist():
            if (row["Metadata_Well"], row["Metadata_Site"]) == (well, site):
                return path.stem, row
    raise DataError(f"{analysis.name}/images holds no site {well}-{site}; measure it again")


def _text(value: object) -> str:
    return "nan" if value is None else str(value)


def _rows(table: tuple[list[str], list[list[str]]]) -> Iterator[list[str]]:
    yield table[0]
    yield from table[1]

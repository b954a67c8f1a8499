"""Write the Parquet files of a well: its cells, its sites, and the sums of every feature.

cells/<well>.parquet: a row a cell, which is the objects of the three compartments that belong to each other, by the
parents that Cytoplasm names; an object without partners has a row of its own. images/<well>.parquet: a row a site.
sums/<well>.parquet: of every feature the sum over the well's objects, and how many have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.parquet

import load_data
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


def write_cells(path: Path, well: Sequence[Measured], kind: str) -> None:
    """Write the joined objects of a well's sites, as one row group."""
    matched = [match(each.tables) for each in well]
    counts = [tables["Cells"].shape[1] for tables in matched]
    columns: dict[str, pyarrow.Array] = {}
    for name in PLACE:
        texts = [each.site.row[name] for each, count in zip(well, counts) for _ in range(count)]
        columns[name] = pyarrow.array(texts, pyarrow.string())  # of a well without cells too
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


def write_images(path: Path, well: Sequence[Measured]) -> None:
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


def write_sums(path: Path, plate: str, well: str, measured: Sequence[Measured]) -> None:
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

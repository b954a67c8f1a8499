"""The profiles of a group of plates: exact text in the Metadata_ columns, and a matrix without a missing value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

import numpy as np
import pandas as pd
from stagekit import contracts, program
from tables import few

METADATA = "Metadata_"
UNTREATED = "DMSO"  # the resource's name for a negative control that names no perturbation


@dataclass(frozen=True)
class Profiles:
    """A profile a row."""

    metadata: pd.DataFrame
    values: np.ndarray
    features: List[str]

    def where(self, chosen: np.ndarray) -> Profiles:
        """Return the chosen rows."""
        return Profiles(self.metadata[chosen].reset_index(drop=True), self.values[chosen], self.features)


def read(paths: Sequence[Path], contract: contracts.Table) -> pd.DataFrame:
    """Read tables and join them on the columns that all have; a missing text is ""."""
    tables = [_read_one(path, contract) for path in paths]
    return pd.concat(tables, join="inner", ignore_index=True)


def split(table: pd.DataFrame, report: program.Report) -> Profiles:
    """Return metadata and features apart; a feature or a well that no similarity can be computed of is left out."""
    metadata = table[[name for name in table.columns if name.startswith(METADATA)]]
    numbers = table.drop(columns=metadata.columns)
    whole = numbers.columns[np.isfinite(numbers).all()]
    report.fact("features", len(whole))
    if len(whole) < numbers.shape[1]:
        gone = [name for name in numbers.columns if name not in set(whole)]
        report.warn(f"{len(gone)} features have missing values and are left out: {few(gone)}")
    values = numbers[whole].to_numpy(dtype="float64")
    flat = ~values.any(axis=1)
    if flat.any():
        report.warn(f"{flat.sum()} profiles hold no value but 0, have no direction and are left out")
    return Profiles(metadata, values, list(whole)).where(~flat)


def matching(metadata: pd.DataFrame, query: str) -> np.ndarray:
    """Return which rows a pandas query chooses; an empty text is a missing one to whoever writes a query."""
    try:
        found = metadata.replace("", None).query(query).index
    except Exception as error:  # pandas raises whatever its parser meets
        raise program.DataError(f"{query!r} is no query of the profiles: {error}; correct the setting") from error
    return metadata.index.isin(found)


def labels(metadata: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return the text of one or several columns of every row; "" if one of them is empty."""
    missing = [name for name in columns if name not in metadata]
    if missing:
        message = f"the profiles have no column {', '.join(missing)}; they have {few(list(metadata))}"
        raise program.DataError(f"{message}; correct the setting")
    texts = metadata[list(columns)]
    joined = texts.agg("_".join, axis=1) if len(columns) > 1 else texts[columns[0]]
    return joined.where((texts != "").all(axis=1), "").to_numpy(dtype="object")


def _read_one(path: Path, contract: contracts.Table) -> pd.DataFrame:
    try:
        names = list(pd.read_csv(path, nrows=0).columns)
        contract.check(names, path.name)
        texts = dict.fromkeys((name for name in names if name.startswith(METADATA)), "str")
        table = pd.read_csv(path, dtype=texts, float_precision="round_trip")
    except (OSError, EOFError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise program.DataError(f"{path.name}: not a complete table of profiles: {error}") from error
    wrong = [name for name in names if name not in texts and not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        message = f"{path.name}: the column {few(wrong)} is no Metadata_ column and holds text; rename or remove it"
        raise program.DataError(message)
    table = table.fillna(dict.fromkeys(texts, ""))
    contract.check_rows(list(texts), table[list(texts)].itertuples(index=False, name=None), path.name)
    return table

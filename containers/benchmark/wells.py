"""The profiles of a group of plates: exact text in the Metadata_ columns, and a matrix without a missing value."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

import numpy as np
import pandas as pd
from stagekit import contracts, outside, program
from stagekit.tables import line_numbers
from tables import few

METADATA = "Metadata_"
DOMINANT = 0.9  # of a profile's squared length
OFTEN = 0.1  # of the profiles
MISSING = ["", "nan", "NaN", "NA"]  # of a feature; of metadata only an empty text is
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
    kept = Profiles(metadata, values, list(whole)).where(~flat)
    _tell_dominant(kept, report)
    return kept


def _tell_dominant(profiles: Profiles, report: program.Report) -> None:
    """Warn of features that by themselves decide how similar many profiles are: most of the length is one value."""
    squares = profiles.values**2
    share = squares / squares.sum(axis=1, keepdims=True)
    ruled = (share > DOMINANT).mean(axis=0) if len(share) else np.zeros(len(profiles.features))
    found = {profiles.features[at]: float(ruled[at]) for at in np.flatnonzero(ruled > OFTEN)}
    report.fact("dominant_features", found)
    for name, part in found.items():
        most = np.abs(profiles.values[:, profiles.features.index(name)]).max()
        told = f"{name}, whose values reach {most:.5g}, makes up over {DOMINANT:.0%} of {part:.0%} of the profiles"
        remedy = "add drop_outliers to [select_features] operations, or set [normalize] least_spread"
        report.warn(f"{told}, and decides alone how similar they are; {remedy}")


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
        missing = {name: MISSING for name in names if name not in texts}  # a plate may be called nan, a gene NA
        table = pd.read_csv(path, dtype=texts, float_precision="round_trip", keep_default_na=False, na_values=missing)
    except (OSError, EOFError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise program.DataError(f"{path.name}: not a complete table of profiles: {error}") from error
    wrong = [name for name in names if name not in texts and not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        message = f"{path.name}: the column {few(wrong)} is no Metadata_ column and holds text; rename or remove it"
        raise program.DataError(message)
    rows = list(zip(_lines(path), table[list(texts)].itertuples(index=False, name=None), strict=True))
    outside.refuse(list(outside.faults(outside.of_profiles(contract), list(texts), rows)), path.name)
    return table


def _lines(path: Path) -> List[int]:
    try:
        return line_numbers(path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise program.DataError(f"{path.name}: cannot be read: {error}") from error

"""Which features a rule excludes: each rule looks at all features, none at what another one left."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Callable, Dict, List

import numpy as np
import pandas as pd

# Where a cell lies and which number it bears is no phenotype, but varies like one (defect D5).
LOCATION = re.compile(r"_Location_|_BoundingBox|_AreaShape_Center_|_Parent_|_Children_|_?Object_?Number")

COLUMNS_AT_ONCE = 512  # six tables of all features by this many are in memory together


@dataclass(frozen=True)
class Thresholds:
    """The settings of the rules."""

    na_cutoff: float
    corr_threshold: float
    freq_cut: float
    unique_cut: float


Reasons = Dict[str, str]  # why, in words, by feature
Rule = Callable[[pd.DataFrame, Thresholds], Reasons]


def excluded(table: pd.DataFrame, operations: List[str], thresholds: Thresholds) -> Dict[str, Reasons]:
    """Return for each operation the features that it excludes of a table that holds nothing but features."""
    return {operation: OPERATIONS[operation](table, thresholds) for operation in operations}


def location(features: List[str]) -> Reasons:
    """Return the features that are a place or an object's number."""
    return {name: "says where a cell lies or which number it has" for name in features if LOCATION.search(name)}


def _dropped(table: pd.DataFrame, operation: str, **settings: float) -> List[str]:
    from pycytominer import feature_select  # takes two seconds, which a wrong flag or an empty plate need not wait for

    kept = set(feature_select(table, features=list(table.columns), operation=operation, **settings).columns)
    return [name for name in table.columns if name not in kept]


def _frequency(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    # The resource's variance_threshold; pycytominer 1.7 gave that name to another rule, and this one a new name.
    cuts = {"freq_cut": thresholds.freq_cut, "unique_cut": thresholds.unique_cut}
    return {name: _counted(table[name]) for name in _dropped(table, "frequency_threshold", **cuts)}


def _counted(values: pd.Series) -> str:
    counts = values.value_counts()
    first, second = (*counts.iloc[:2], 0, 0)[:2]
    return f"{len(counts)} different values in {len(values)} wells, the most common {first} times, the next {second}"


def _missing(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    dropped = _dropped(table, "drop_na_columns", na_cutoff=thresholds.na_cutoff)
    return {name: f"{table[name].isna().sum()} of {len(table)} values are missing" for name in dropped}


def _blocked(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    return dict.fromkeys(_dropped(table, "blocklist"), "is on the blocklist")


def _correlated(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    """Exclude of each pair with r above the threshold the feature with the larger sum of |r|.

    This is pycytominer's rule; its own code takes minutes where pairs are many (it visits each in Python) or a value
    is missing.
    """
    r = correlate(table.to_numpy(dtype="float64"))
    # Rounded, so that of two equal features it is always the later one that goes, on every machine.
    sums = np.round(np.abs(r).sum(axis=0), 9)
    rank = np.empty(len(sums), dtype="int64")
    rank[np.argsort(sums, kind="stable")] = np.arange(len(sums))
    lost: Reasons = {}
    for at, name in enumerate(table.columns):
        winners = np.flatnonzero((r[at] > thresholds.corr_threshold) & (rank < rank[at]))
        if len(winners):
            best = winners[np.argmax(r[at, winners])]
            lost[name] = f"r = {r[at, best]:.3f} with {table.columns[best]}"
    return lost


def correlate(values: np.ndarray) -> np.ndarray:
    """Return Pearson's r of every two columns over the rows where both have a value; 0 where it is not defined."""
    there = np.isfinite(values)
    values = np.where(there, values, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        flat = np.nanmax(values, axis=0, initial=-np.inf) <= np.nanmin(values, axis=0, initial=np.inf)
        standard = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    standard[:, flat] = 0
    standard[~there] = 0
    r = standard.T @ standard / len(values)
    holey = np.flatnonzero(~there.all(axis=0))
    for start in range(0, len(holey), COLUMNS_AT_ONCE):
        columns = holey[start : start + COLUMNS_AT_ONCE]
        r[:, columns] = _correlate_pairwise(standard, there.astype("float64"), columns)
        r[columns, :] = r[:, columns].T
    r[flat, :] = r[:, flat] = 0
    return r


def _correlate_pairwise(standard: np.ndarray, there: np.ndarray, holey: np.ndarray) -> np.ndarray:
    """Return r of every column with the `holey` ones: sums over the rows that two columns share, as matrix products."""
    squares, other, other_there = standard**2, standard[:, holey], there[:, holey]
    count = there.T @ other_there
    sum_x, sum_y = standard.T @ other_there, there.T @ other
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = standard.T @ other - sum_x * sum_y / count
        spread_x = squares.T @ other_there - sum_x**2 / count
        spread_y = there.T @ squares[:, holey] - sum_y**2 / count
        r = covariance / np.sqrt(spread_x * spread_y)
    tiny = 1e-12 * np.maximum(count, 1)  # what rounding leaves of a spread of nothing
    return np.where((spread_x > tiny) & (spread_y > tiny), r, 0)


OPERATIONS: Dict[str, Rule] = {
    "variance_threshold": _frequency,
    "frequency_threshold": _frequency,
    "correlation_threshold": _correlated,
    "drop_na_columns": _missing,
    "blocklist": _blocked,
}

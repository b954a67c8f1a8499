"""Which features a rule excludes: each rule looks at all features, none at what another one left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple

import extremes
import numpy as np
import pandas as pd

# Where a cell lies and which number it bears is no phenotype, but varies like one (defect D5).
LOCATION = re.compile(r"_Location_|_BoundingBox|_AreaShape_Center_|_Parent_|_Children_|_?Object_?Number")

ROWS_AT_ONCE = 2048  # as many are squared and masked in memory together


@dataclass(frozen=True)
class Thresholds:
    """The settings of the rules."""

    na_cutoff: float
    corr_threshold: float
    freq_cut: float
    unique_cut: float
    outlier_cutoff: float = extremes.USUAL_CUTOFF
    blocklist: Optional[FrozenSet[str]] = None
    """The features of the operation blocklist; None: those that pycytominer brings."""


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


def _outlying(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    """Exclude features with a value beyond the cutoff, above or below 0."""
    found = {each.feature: each.value for each in extremes.find(table, thresholds.outlier_cutoff)}
    dropped = _dropped(table, "drop_outliers", outlier_cutoff=thresholds.outlier_cutoff)
    return {name: f"reaches {found[name]:.5g}, beyond {thresholds.outlier_cutoff:g}" for name in dropped}


def _blocked(table: pd.DataFrame, thresholds: Thresholds) -> Reasons:
    if thresholds.blocklist is None:
        return dict.fromkeys(_dropped(table, "blocklist"), "is on the blocklist")
    return {name: "is on the blocklist that was given" for name in table.columns if name in thresholds.blocklist}


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
    standard, there, flat = _standardize(values)
    products = standard.T @ standard
    r = products / len(values)
    holey = np.flatnonzero(~there.all(axis=0))
    if len(holey):
        r[:, holey] = _correlate_pairwise(standard, there, holey, products[:, holey])
        r[holey] = r[:, holey].T
    r[flat] = r[:, flat] = 0
    return r


def _standardize(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return every column with mean 0 and spread 1, 0 for a missing value; where values are; which columns are flat."""
    standard, there, flat = np.zeros(values.shape), np.isfinite(values), np.zeros(values.shape[1], dtype=bool)
    for at in range(values.shape[1]):
        known = values[there[:, at], at]
        flat[at] = len(known) == 0 or known.max() <= known.min()
        if not flat[at]:
            standard[there[:, at], at] = (known - known.mean()) / known.std()
    return standard, there, flat


def _correlate_pairwise(standard: np.ndarray, there: np.ndarray, holey: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Return r of every column x with the `holey` ones y: sums over the rows that both have, as matrix products.

    Where x has all values, the sums of y are those of all its values; else those of x, seen from y.
    """
    shape = standard.shape[1], len(holey)
    sum_x, square_x, shared = np.zeros(shape), np.zeros(shape), np.zeros((len(holey), len(holey)))
    for start in range(0, len(standard), ROWS_AT_ONCE):
        part = standard[start : start + ROWS_AT_ONCE]
        mask = there[start : start + ROWS_AT_ONCE, holey].astype("float64")
        sum_x += part.T @ mask
        square_x += (part * part).T @ mask
        shared += mask.T @ mask

    def seen_from_y(of_all: np.ndarray, of_holey: np.ndarray) -> np.ndarray:
        seen = np.tile(of_all, (shape[0], 1))
        seen[holey] = of_holey
        return seen

    other = standard[:, holey]
    count = seen_from_y(there[:, holey].sum(axis=0).astype("float64"), shared)
    sum_y = seen_from_y(other.sum(axis=0), sum_x[holey].T)
    square_y = seen_from_y((other * other).sum(axis=0), square_x[holey].T)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x, spread_y = square_x - sum_x**2 / count, square_y - sum_y**2 / count
        r = (products - sum_x * sum_y / count) / np.sqrt(spread_x * spread_y)
    tiny = 1e-12 * np.maximum(count, 1)  # what rounding leaves of a spread of nothing
    return np.where((spread_x > tiny) & (spread_y > tiny), r, 0)


OPERATIONS: Dict[str, Rule] = {
    "variance_threshold": _frequency,
    "frequency_threshold": _frequency,
    "correlation_threshold": _correlated,
    "drop_na_columns": _missing,
    "drop_outliers": _outlying,
    "blocklist": _blocked,
}

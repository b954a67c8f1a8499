"""Which features a rule excludes: each rule looks at all features, none at what another one left.

The rules are pycytominer's (tests compare), but read a part of the features at a time, so that plates of any number
fit into memory.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Optional, Sequence

import blocklist
import correlation
import extremes
import numpy as np
import pandas as pd
from stored_plates import Features

# Where a cell lies and which number it bears is no phenotype, but varies like one (defect D5).
LOCATION = re.compile(r"_Location_|_BoundingBox|_AreaShape_Center_|_Parent_|_Children_|_?Object_?Number")


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
Rule = Callable[[Sequence[str], np.ndarray, Thresholds], Reasons]
"""Judges each of some features by its own values, a column each."""


def excluded(features: Features, operations: List[str], thresholds: Thresholds) -> Dict[str, Reasons]:
    """Return for each operation the features that it excludes."""
    found: Dict[str, Reasons] = {operation: {} for operation in operations}
    alone = {operation: ALONE[operation] for operation in operations if operation in ALONE}
    for names, values in features.blocks() if alone else ():
        for operation, rule in alone.items():
            found[operation].update(rule(names, values, thresholds))
    for operation in found:
        if operation == "correlation_threshold":
            found[operation] = _correlated(features, thresholds)
        elif operation == "blocklist":
            found[operation] = _blocked(features.names, thresholds)
    return found


def location(features: List[str]) -> Reasons:
    """Return the features that are a place or an object's number."""
    return {name: "says where a cell lies or which number it has" for name in features if LOCATION.search(name)}


def _frequency(names: Sequence[str], values: np.ndarray, thresholds: Thresholds) -> Reasons:
    # The resource's variance_threshold; pycytominer 1.7 gave that name to another rule, and this one a new name.
    reasons = {}
    for name, column in zip(names, np.sort(values.T, axis=1), strict=True):
        counts = _counts(column)
        first, second = (*counts[:2], 0, 0)[:2]
        rare = (second / first if second else 0) < thresholds.freq_cut
        if rare or len(counts) / len(column) < thresholds.unique_cut:
            told = f"{len(counts)} different values in {len(column)} wells"
            reasons[name] = f"{told}, the most common {first} times, the next {second}"
    return reasons


def _counts(ordered: np.ndarray) -> np.ndarray:
    """Return how often each value of a sorted column is there, the most common first; NaN is none and lies last."""
    known = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
    starts = np.flatnonzero(np.concatenate([[len(known) > 0], known[1:] != known[:-1]]))
    return np.sort(np.diff(starts, append=len(known)))[::-1]


def _missing(names: Sequence[str], values: np.ndarray, thresholds: Thresholds) -> Reasons:
    lack, wells = np.isnan(values).sum(axis=0), len(values)
    return {
        name: f"{count} of {wells} values are missing"
        for name, count in zip(names, lack.tolist(), strict=True)
        if count / wells > thresholds.na_cutoff
    }


def _outlying(names: Sequence[str], values: np.ndarray, thresholds: Thresholds) -> Reasons:
    """Exclude features with a value beyond the cutoff, above or below 0."""
    table = pd.DataFrame(values, columns=list(names), copy=False)
    found = {each.feature: each.value for each in extremes.find(table, thresholds.outlier_cutoff)}
    return {name: f"reaches {found[name]:.5g}, beyond {thresholds.outlier_cutoff:g}" for name in names if name in found}


def _blocked(names: Sequence[str], thresholds: Thresholds) -> Reasons:
    if thresholds.blocklist is None:
        return dict.fromkeys((name for name in names if name in _pycytominers()), "is on the blocklist")
    return {name: "is on the blocklist that was given" for name in names if name in thresholds.blocklist}


def _pycytominers() -> FrozenSet[str]:
    """Return the blocklist that pycytominer brings, without importing it: that takes two seconds."""
    found = importlib.util.find_spec("pycytominer")
    if found is None or not found.origin:
        raise ModuleNotFoundError("pycytominer is not installed")
    return blocklist.read(Path(found.origin).parent / "data" / "blocklist_features.txt")


def _correlated(features: Features, thresholds: Thresholds) -> Reasons:
    """Exclude of each pair with r above the threshold the feature with the larger sum of |r|.

    This is pycytominer's rule; its own code takes minutes where pairs are many (it visits each in Python) or a value
    is missing.
    """
    r = correlation.correlate(features, thresholds.corr_threshold)
    sums = np.zeros(len(r))
    for row in r:
        sums += np.abs(row)
    # Rounded, so that of two equal features it is always the later one that goes, on every machine.
    sums = np.round(sums, 9)
    rank = np.empty(len(sums), dtype="int64")
    rank[np.argsort(sums, kind="stable")] = np.arange(len(sums))
    lost: Reasons = {}
    for at, name in enumerate(features.names):
        winners = np.flatnonzero((r[at] > thresholds.corr_threshold) & (rank < rank[at]))
        if len(winners):
            best = winners[np.argmax(r[at, winners])]
            lost[name] = f"r = {r[at, best]:.3f} with {features.names[best]}"
    return lost


ALONE: Dict[str, Rule] = {
    "variance_threshold": _frequency,
    "frequency_threshold": _frequency,
    "drop_na_columns": _missing,
    "drop_outliers": _outlying,
}
OPERATIONS = ("variance_threshold", "frequency_threshold", "correlation_threshold", *list(ALONE)[2:], "blocklist")

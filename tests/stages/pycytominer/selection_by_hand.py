"""How features were excluded when the values of all plates were in memory at once: the oracle for sums plate by plate.

A program of the pycytominer environment. It draws seven plates, which are more wells than are multiplied at once, and
writes what each rule excludes, and why: ours, and by the whole table.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import correlation
import extremes
import numpy as np
import pandas as pd
import selection
import stored_plates

OPERATIONS = ["variance_threshold", "correlation_threshold", "drop_na_columns", "drop_outliers"]
THRESHOLDS = selection.Thresholds(0.05, 0.9, 0.05, 0.1, 12)
PLATES, WELLS, FEATURES = 7, 384, 60
ROWS_AT_ONCE = 2048
NEAR = (1e-9, -1e-9, 1e-10, -1e-10, 1e-12, -1e-12, 1e-8, -1e-8, 1e-13, 0)
"""By how much correlations are drawn above 0.9."""


def drawn(seed: int) -> pd.DataFrame:
    """Return the wells of all plates: features that are equal, tie, are flat, lack values, or correlate at 0.9."""
    rng, wells = np.random.default_rng(seed), PLATES * WELLS
    values = rng.normal(size=(wells, 8)) @ rng.normal(size=(8, FEATURES)) + rng.normal(0, 1.2, (wells, FEATURES))
    values[:, :4] = np.round(values[:, :4] / rng.uniform(0.5, 5, 4))
    values[:, 6], values[:, 7], values[:, 9] = 3.0, values[:, 8], 2 * values[:, 10]
    for at, more in zip(range(20, 40, 2), NEAR, strict=True):
        x = (values[:, at] - values[:, at].mean()) / values[:, at].std()
        across = rng.normal(size=wells)
        across -= across.mean()
        across -= x * (across @ x) / (x @ x)
        values[:, at + 1] = (0.9 + more) * x + np.sqrt(1 - (0.9 + more) ** 2) * across / across.std()
    for column in rng.choice(np.arange(40, FEATURES), 10, replace=False):
        values[rng.random(wells) < rng.uniform(0, 0.15), column] = np.nan
    values[5, 50] = np.inf
    return pd.DataFrame(values, columns=[f"Cells_Texture_{number:02d}" for number in range(FEATURES)])


def ours(table: pd.DataFrame, values_at_once: int) -> dict[str, dict[str, str]]:
    """Return what the program excludes, with so many values in memory at once."""
    stored_plates.VALUES_AT_ONCE = correlation.VALUES_AT_ONCE = values_at_once
    with tempfile.TemporaryDirectory() as folder:
        stored = stored_plates.StoredPlates(Path(folder))
        for start in range(0, len(table), WELLS):
            stored.add(table.iloc[start : start + WELLS])
        return selection.excluded(stored.judged(list(table)), OPERATIONS, THRESHOLDS)


def by_hand(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return what the rules exclude of the whole table, column by column."""
    counted = {name: table[name].value_counts() for name in table}
    rare = [name for name, counts in counted.items() if len(counts) < 2 or counts.iloc[1] / counts.iloc[0] < 0.05]
    few = [name for name, counts in counted.items() if len(counts) / len(table) < 0.1]
    missing, far = table.isna().sum(), table.abs().max()
    found = {each.feature: each.value for each in extremes.find(table, THRESHOLDS.outlier_cutoff)}
    return {
        "variance_threshold": {name: _counted(counted[name], len(table)) for name in table if name in {*rare, *few}},
        "correlation_threshold": correlated(table, THRESHOLDS.corr_threshold),
        "drop_na_columns": {
            name: f"{missing[name]} of {len(table)} values are missing"
            for name in table
            if missing[name] / len(table) > THRESHOLDS.na_cutoff
        },
        "drop_outliers": {name: f"reaches {found[name]:.5g}, beyond 12" for name in table if far[name] > 12},
    }


def _counted(counts: pd.Series, wells: int) -> str:
    first, second = (*counts.iloc[:2], 0, 0)[:2]
    return f"{len(counts)} different values in {wells} wells, the most common {first} times, the next {second}"


def correlated(table: pd.DataFrame, threshold: float) -> dict[str, str]:
    """Exclude of each pair with r above the threshold the feature with the larger sum of |r|; say why."""
    r = correlate(table.to_numpy(dtype="float64"))
    # Rounded, so that of two equal features it is always the later one that goes, on every machine.
    sums = np.round(np.abs(r).sum(axis=0), 9)
    rank = np.empty(len(sums), dtype="int64")
    rank[np.argsort(sums, kind="stable")] = np.arange(len(sums))
    lost: dict[str, str] = {}
    for at, name in enumerate(table.columns):
        winners = np.flatnonzero((r[at] > threshold) & (rank < rank[at]))
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


def _standardize(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def main() -> None:
    """Compare on a few drawn sets."""
    verdicts = []
    for seed in range(3):
        table = drawn(seed)
        in_memory, in_blocks = ours(table, 2048 * 5800), ours(table, 7 * len(table))
        verdicts.append({"by_hand": by_hand(table), "all at once": in_memory, "in blocks": in_blocks})
    Path(sys.argv[1]).write_text(json.dumps(verdicts))


if __name__ == "__main__":
    main()

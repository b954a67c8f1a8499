"""How high the profiles that belong to a query rank among the others: cosine similarity and average precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Sequence

import numpy as np

Ties = Literal["together", "positives_first"]

# Two equal profiles must tie, however the matrix product was cut into blocks: what differs by less is rounding.
DIGITS = 12
QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Query:
    """A profile that is asked for its likes: the rows that should rank high, and those they are ranked among."""

    row: int
    label: str
    positives: np.ndarray
    negatives: np.ndarray


def average_precision(positives: np.ndarray, negatives: np.ndarray, ties: Ties = "together") -> float:
    """Return the mean, over the positives, of the precision at their rank.

    Together: what is equally similar shares the last of its ranks, so a profile that is similar to nothing in
    particular scores the base rate. Positives first: the first of its ranks, as copairs has it, so that one scores 1.
    """
    ranked = np.sort(positives)[::-1]
    if ties == "together":
        hits = len(ranked) - np.searchsorted(ranked[::-1], ranked, side="left")
        misses = len(negatives) - np.searchsorted(np.sort(negatives), ranked, side="left")
    else:
        hits = np.arange(1, len(ranked) + 1)
        misses = len(negatives) - np.searchsorted(np.sort(negatives), ranked, side="right")
    return float(np.mean(hits / (hits + misses)))


def average_precisions(
    values: np.ndarray, queries: Sequence[Query], *, absolute: bool = False, ties: Ties = "together"
) -> np.ndarray:
    """Return the average precision of every query; `values` holds a profile a row.

    A block of queries is ranked at a time, so memory grows with the profiles, not with their square.
    """
    unit = unit_rows(values)
    found = np.empty(len(queries))
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        block = queries[start : start + QUERIES_AT_ONCE]
        similar = np.round(unit[[query.row for query in block]] @ unit.T, DIGITS)
        similar = np.abs(similar) if absolute else similar
        for at, (query, row) in enumerate(zip(block, similar), start):
            found[at] = average_precision(row[query.positives], row[query.negatives], ties)
    return found


def unit_rows(values: np.ndarray) -> np.ndarray:
    """Return every row divided by its length, as float64."""
    values = np.asarray(values, dtype="float64")
    return values / np.linalg.norm(values, axis=1, keepdims=True)

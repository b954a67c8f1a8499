"""How high the profiles that belong to a query rank among the others: cosine similarity and average precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Literal, Sequence, Tuple

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

    A query is compared with its own positives and negatives only, so time grows with the profiles where those of a
    query do not (the controls of a plate), and memory never with their square.
    """
    unit = unit_rows(values)
    found = np.empty(len(queries))
    # Replicates have the same first row, themselves among them; the wells of a plate the same first control.
    replicates = [min(query.row, query.positives[0]) for query in queries]
    controls = [query.negatives[0] for query in queries]
    alike = dict(_similarities(unit, queries, [query.positives for query in queries], replicates, absolute))
    for at, unlike in _similarities(unit, queries, [query.negatives for query in queries], controls, absolute):
        found[at] = average_precision(alike[at], unlike, ties)
    return found


def _similarities(
    unit: np.ndarray, queries: Sequence[Query], rows: Sequence[np.ndarray], kin: Sequence[int], absolute: bool
) -> Iterator[Tuple[int, np.ndarray]]:
    """Yield (place of a query, its similarity to each of its rows).

    Queries with the same number in `kin` share rows and are compared together: a block is one matrix product with the
    rows that any of its queries has.
    """
    order = np.argsort(kin, kind="stable").tolist()
    for start in range(0, len(order), QUERIES_AT_ONCE):
        block = order[start : start + QUERIES_AT_ONCE]
        own = np.zeros(len(unit), dtype=bool)
        for at in block:
            own[rows[at]] = True
        place = np.cumsum(own) - 1
        similar = np.round(unit[[queries[at].row for at in block]] @ unit[own].T, DIGITS)
        similar = np.abs(similar) if absolute else similar
        for at, row in zip(block, similar, strict=True):
            yield at, row[place[rows[at]]]


def unit_rows(values: np.ndarray) -> np.ndarray:
    """Return every row divided by its length, as float64."""
    values = np.asarray(values, dtype="float64")
    return values / np.linalg.norm(values, axis=1, keepdims=True)

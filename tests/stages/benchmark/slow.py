"""The slow, obvious way to every number of the benchmark: lists, loops and full enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return round(dot / math.sqrt(sum(a * a for a in one)) / math.sqrt(sum(b * b for b in other)), 12)


def average_precision(positives: list[float], negatives: list[float]) -> float:
    """Walk down the ranking; what ties is met at once, and then counted."""
    precisions, hits, met = [], 0, 0
    for value in sorted({*positives, *negatives}, reverse=True):
        new = positives.count(value)
        hits, met = hits + new, met + new + negatives.count(value)
        precisions += [hits / met] * new
    return sum(precisions) / len(precisions)


def positives_first(positives: list[float], negatives: list[float]) -> float:
    order = sorted([(-value, 0) for value in positives] + [(-value, 1) for value in negatives])
    ranks = [rank for rank, (_, missed) in enumerate(order, start=1) if not missed]
    return sum(hit / rank for hit, rank in enumerate(ranks, start=1)) / len(ranks)


def every_average_precision(positives: int, negatives: int) -> list[float]:
    """Return the average precision of each possible ranking without ties."""
    found = []
    for ranks in itertools.combinations(range(1, positives + negatives + 1), positives):
        found.append(sum(hit / rank for hit, rank in enumerate(ranks, start=1)) / positives)
    return found


def chance(found: float, positives: int, negatives: int) -> float:
    """Return the exact probability that a random ranking does better."""
    every = every_average_precision(positives, negatives)
    return sum(value > found + 1e-12 for value in every) / len(every)


def q_values(p_values: Sequence[float]) -> list[float]:
    """Return for each p the least p * n / rank of those as large or larger."""
    order = sorted(p_values)
    scaled = {p: p * len(order) / max(rank for rank, other in enumerate(order, 1) if other == p) for p in order}
    return [min(1.0, min(value for other, value in scaled.items() if other >= p)) for p in p_values]


def queries(
    rows: Sequence[Row],
    asks: Callable[[Row], Sequence[str]],
    positive: Callable[[Row, Row, str], bool],
    negative: Callable[[Row, Row, str], bool],
    *,
    absolute: bool = False,
    average: Callable[[list[float], list[float]], float] = average_precision,
) -> list[tuple[str, float, int, int]]:
    """Return label, average precision and the numbers of positives and negatives of every query that has both."""
    found = []
    for at, row in enumerate(rows):
        for label in asks(row):
            others = [other for place, other in enumerate(rows) if place != at]
            like = [abs(cosine(row["x"], other["x"])) if absolute else cosine(row["x"], other["x"]) for other in others]
            ones = [value for value, other in zip(like, others, strict=True) if positive(row, other, label)]
            rest = [value for value, other in zip(like, others, strict=True) if negative(row, other, label)]
            if ones and rest:
                found.append((label, average(ones, rest), len(ones), len(rest)))
    return found


def mean_of(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    labels: dict[str, list[float]] = {}
    for label, value in pairs:
        labels.setdefault(label, []).append(value)
    return {label: sum(values) / len(values) for label, values in labels.items()}

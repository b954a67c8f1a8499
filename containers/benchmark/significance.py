"""How likely an average precision is by chance: permutation p-values, their error, and false discovery rates."""

from __future__ import annotations

import math
from typing import Dict, Tuple

import numpy as np

# Two ways to sum the same precisions may differ in the last bit, and chance meets the same value very often.
SAME = 1e-12


class Nulls:
    """The average precisions of random rankings, drawn once for each pair of numbers of positives and negatives.

    The draw depends on the seed and the pair only: neither the order of the questions nor the group changes a p-value.
    """

    def __init__(self, permutations: int, seed: int) -> None:
        self.permutations = permutations
        self.seed = seed
        self._drawn: Dict[Tuple[int, int], np.ndarray] = {}

    def of(self, positives: int, negatives: int) -> np.ndarray:
        """Return the sorted average precisions of random rankings of so many positives and negatives."""
        pair = (positives, negatives)
        if pair not in self._drawn:
            rng = np.random.default_rng([self.seed, *pair])
            ranks = np.sort(random_ranks(self.permutations, *pair, rng), axis=1) + 1
            self._drawn[pair] = np.sort((np.arange(1, positives + 1) / ranks).mean(axis=1))
        return self._drawn[pair]

    def p_value(self, found: float, positives: int, negatives: int) -> float:
        """Return (1 + random rankings that do better) / (1 + random rankings)."""
        null = self.of(positives, negatives)
        better = len(null) - np.searchsorted(null, found + SAME, side="right")
        return float((1 + better) / (1 + len(null)))


def random_ranks(count: int, positives: int, negatives: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` random sets of ranks (from 0) for the positives, each set as likely as any other.

    Floyd's way: it draws a number a positive, where shuffling whole rankings would draw one a profile.
    """
    chosen = np.empty((count, positives), dtype="int64")
    for at, last in enumerate(range(negatives, negatives + positives)):
        drawn = rng.integers(0, last + 1, size=count)
        taken = (chosen[:, :at] == drawn[:, None]).any(axis=1)
        chosen[:, at] = np.where(taken, last, drawn)
    return chosen


def nlog10_error(p_values: np.ndarray, permutations: int) -> np.ndarray:
    """Return the Monte-Carlo standard error of -log10 p: how far another seed would move it."""
    return np.sqrt((1 - p_values) / (p_values * permutations)) / math.log(10)


def q_values(p_values: np.ndarray) -> np.ndarray:
    """Return the false discovery rates of Benjamini and Hochberg."""
    from scipy.stats import false_discovery_control  # takes a second, which a wrong flag need not wait for

    return false_discovery_control(p_values, method="bh") if len(p_values) else np.empty(0)

"""A p-value is how often chance does better; its error is told, and neither order nor group changes it."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import significance  # found on the path that conftest.py has laid

from tests.stages.benchmark import slow

DRAWS = 40_000


def test_every_set_of_ranks_is_as_likely_as_any_other():
    drawn = significance.random_ranks(DRAWS, 3, 4, np.random.default_rng(0))
    counts = Counter(tuple(sorted(ranks)) for ranks in drawn.tolist())
    expected = DRAWS / math.comb(7, 3)

    assert sorted(counts) == list(itertools.combinations(range(7), 3))
    assert max(abs(count - expected) for count in counts.values()) < 5 * math.sqrt(expected)


@pytest.mark.parametrize(("positives", "negatives"), [(1, 9), (2, 8), (3, 7), (4, 2), (5, 9)])
def test_a_p_value_is_the_exact_chance_within_its_error(positives, negatives):
    nulls = significance.Nulls(DRAWS, seed=3)
    for found in set(slow.every_average_precision(positives, negatives)):
        exact = slow.chance(found, positives, negatives)
        error = math.sqrt(exact * (1 - exact) / DRAWS)

        assert abs(nulls.p_value(found, positives, negatives) - exact) <= 5 * error + 1 / DRAWS


def test_the_best_possible_ranking_has_the_least_p_value_and_never_zero():
    assert significance.Nulls(999, seed=0).p_value(1.0, 2, 3) == 1 / 1000


def test_a_p_value_depends_on_the_seed_and_the_numbers_only():
    one, other = significance.Nulls(500, seed=1), significance.Nulls(500, seed=1)
    first = [one.p_value(0.5, *pair) for pair in ((2, 9), (3, 9))]
    second = [other.p_value(0.5, *pair) for pair in ((3, 9), (2, 9))]

    assert first == second[::-1]
    assert significance.Nulls(500, seed=2).p_value(0.5, 2, 9) != first[0]


def test_the_stated_error_is_how_far_other_seeds_move_a_p_value():
    found = [significance.Nulls(1000, seed).p_value(0.6, 2, 20) for seed in range(200)]
    stated = significance.nlog10_error(np.array([np.mean(found)]), 1000)[0]

    assert np.std(-np.log10(found)) == pytest.approx(stated, rel=0.2)

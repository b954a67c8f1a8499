"""Average precision is the mean precision at the positives' ranks, also where similarities tie."""

from __future__ import annotations

import json

import numpy as np
import pytest
import ranking  # found on the path that conftest.py has laid
from hypothesis import given
from hypothesis import strategies as some

from tests.stages.benchmark import slow

SIMILARITY = some.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0])
SOME = some.lists(SIMILARITY, min_size=1, max_size=9)

BY_SKLEARN = """
import json, sys
from sklearn.metrics import average_precision_score as score
cases = json.loads(sys.argv[1])
print(json.dumps([score([1] * len(p) + [0] * len(n), p + n) for p, n in cases]))
"""


@given(SOME, SOME)
def test_it_is_what_a_walk_down_the_ranking_gives(positives, negatives):
    found = ranking.average_precision(np.array(positives), np.array(negatives))

    assert found == pytest.approx(slow.average_precision(positives, negatives), abs=1e-14)


def test_it_is_what_scikit_learn_gives(oracle):
    rng = np.random.default_rng(0)
    cases = [[rng.integers(0, 5, size=size).tolist() for size in rng.integers(1, 12, size=2)] for _ in range(200)]
    found = [ranking.average_precision(*map(np.array, case)) for case in cases]

    np.testing.assert_allclose(found, json.loads(oracle(BY_SKLEARN, json.dumps(cases))), rtol=0, atol=1e-14)


@given(SIMILARITY, some.lists(SIMILARITY, min_size=1, max_size=9, unique=True))
def test_a_single_positive_scores_one_over_its_rank(positive, negatives):
    found = ranking.average_precision(np.array([positive]), np.array(negatives))

    assert found == 1 / (1 + sum(value >= positive for value in negatives))


def test_a_profile_that_is_equally_like_all_scores_the_base_rate_unless_positives_go_first():
    alike = np.zeros(2), np.zeros(6)

    assert ranking.average_precision(*alike) == 2 / 8
    assert ranking.average_precision(*alike, ties="positives_first") == 1


@given(SOME, SOME)
def test_positives_first_is_the_ranking_by_hand(positives, negatives):
    found = ranking.average_precision(np.array(positives), np.array(negatives), ties="positives_first")

    assert found == pytest.approx(slow.positives_first(positives, negatives), abs=1e-14)


@pytest.mark.parametrize("at_once", [1, 3, 7])
@pytest.mark.parametrize("absolute", [False, True])
def test_equal_profiles_tie_however_the_queries_are_cut_into_blocks(monkeypatch, at_once, absolute):
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(8, 40)), 3, axis=0)
    queries = [
        ranking.Query(row, "x", np.array([(row + 1) % 24]), np.array([(row + step) % 24 for step in range(2, 20)]))
        for row in range(24)
    ]
    whole = ranking.average_precisions(values, queries, absolute=absolute)
    monkeypatch.setattr(ranking, "QUERIES_AT_ONCE", at_once)

    assert ranking.average_precisions(values, queries, absolute=absolute).tolist() == whole.tolist()
    by_hand = []
    for query in queries:
        like = [slow.cosine(values[query.row], other) for other in values]
        like = [abs(value) for value in like] if absolute else like
        chosen = [[like[row] for row in rows] for rows in (query.positives, query.negatives)]
        by_hand.append(slow.average_precision(*chosen))
    np.testing.assert_allclose(whole, by_hand, rtol=0, atol=1e-14)

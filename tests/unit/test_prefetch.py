"""What threads do ahead of the network comes in order, is bounded, and fails where it would have without them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from deepkit import prefetch


def test_what_is_done_ahead_comes_in_order() -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.02 if number < 3 else 0)
        return number * number

    assert list(prefetch.ahead(slow_at_first, range(20), 4)) == [number * number for number in range(20)]


def test_no_more_is_asked_for_than_a_few_ahead_of_what_is_taken() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    found = prefetch.ahead(lambda number: number, items(), 2)
    for _ in range(10):
        next(found)

    assert 10 < len(asked) <= 10 + 2 * 2 + 1
    found.close()


def test_work_is_done_by_so_many_threads_at_once() -> None:
    together = threading.Barrier(3, timeout=5)  # breaks unless three wait at it

    assert len(list(prefetch.ahead(lambda number: together.wait(), range(6), 3))) == 6


def test_what_fails_ahead_is_raised_once_all_before_it_was_given() -> None:
    def act(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        return number

    found = prefetch.ahead(act, range(9), 2)
    given = [next(found) for _ in range(3)]

    with pytest.raises(ValueError, match="the third"):
        next(found)
    assert given == [0, 1, 2]

"""What is tried again, and how: a pure policy, the same wherever jobs run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stagekit.program import EXIT_CHECK

from tasks import reasons, retries
from tasks.ledger import Unit
from tasks.retries import Ended, Policy
from tasks.runtime.job import Job, Outcome
from tasks.stages import Resources

POLICY = Policy(tries=3, backoff_seconds=10, most_memory_gb=6)
LONGER = Policy(most_minutes=5)
SMALL = Resources(cpus=1, memory_gb=2, minutes=1, gpus=0)


def make_job(*units: str, attempt: int = 1, memory_gb: float = 2) -> Job:
    resources = replace(SMALL, memory_gb=memory_gb)
    return Job("job", "easel", "paint.py", (), (), Path("/x/1of1-aa"), resources, units=units, attempt=attempt)


def cut(job: Job, units: Sequence[str], number: int, count: int) -> Job:
    return replace(job, units=tuple(units))


def told(**states: str) -> dict[str, Unit]:
    return {name: Unit(name, state, 1.0, "why") for name, state in states.items()}


def again(job: Job, reason: str, code: int = 1, said: Mapping[str, Unit] | None = None) -> list[Job]:
    return retries.again(Ended(job, Outcome(code, 1.0), reason, said or {}), POLICY, cut)


@pytest.mark.parametrize("reason", retries.TRANSIENT)
@pytest.mark.parametrize("units", [(), ("A",), ("A", "B")], ids=["plate", "unit", "shard"])
def test_what_may_pass_is_tried_whole_as_often_as_the_policy_says(reason: str, units: tuple[str, ...]) -> None:
    first = make_job(*units)
    second = again(first, reason)
    third = again(second[0], reason)

    assert second == [replace(first, attempt=2)]
    assert third == [replace(first, attempt=3)]
    assert again(third[0], reason) == []


@pytest.mark.parametrize("units", [(), ("A",), ("A", "B")], ids=["plate", "unit", "shard"])
def test_what_somebody_cancelled_is_not_tried_again_and_blames_no_unit(units: tuple[str, ...]) -> None:
    ended = Ended(make_job(*units), Outcome(143, 1.0, cancelled=True, lost="scancel"), reasons.CANCELLED, {})

    assert retries.again(ended, POLICY, cut) == []
    assert ended.blames_no_unit


@pytest.mark.parametrize(("minutes", "next_minutes"), [(2, 4), (4, 5), (8, 8)], ids=["twice", "bounded", "never less"])
def test_what_took_too_long_alone_has_more_time_once(minutes: float, next_minutes: float) -> None:
    job = make_job("A")
    job = replace(job, resources=replace(job.resources, minutes=minutes))
    (second,) = retries.again(Ended(job, Outcome(143, 1.0, timed_out=True), reasons.TIMEOUT, {}), LONGER, cut)

    assert second.resources == replace(job.resources, minutes=next_minutes)
    assert retries.again(Ended(second, Outcome(143, 1.0), reasons.TIMEOUT, {}), LONGER, cut) == []


@pytest.mark.parametrize("units", [("A",), ("A", "B")], ids=["unit", "shard"])
def test_what_does_not_stand_its_own_check_is_never_blamed_on_a_unit(units: tuple[str, ...]) -> None:
    ended = Ended(make_job(*units), Outcome(EXIT_CHECK, 1.0), reasons.PROGRAM_ERROR, told(A="failed"))

    assert retries.again(ended, POLICY, cut) == []
    assert ended.blames_no_unit


def test_each_further_try_of_what_may_pass_waits_twice_as_long() -> None:
    waits = [retries.delay_seconds([(make_job(attempt=attempt), reasons.SERVICE)], POLICY) for attempt in (2, 3, 4)]
    mixed = [(make_job(attempt=2), reasons.SERVICE), (make_job(attempt=9), reasons.PROGRAM_ERROR)]

    assert waits == [10, 20, 40]
    assert retries.delay_seconds(mixed, POLICY) == 10
    assert retries.delay_seconds([], POLICY) == 0


def test_what_ran_out_of_memory_gets_twice_as_much_up_to_the_most_and_is_then_cut() -> None:
    gb, job = [], make_job("A", "B")
    while len(following := again(job, reasons.OUT_OF_MEMORY, 137)) == 1:
        (job,) = following
        gb.append(job.resources.memory_gb)

    assert gb == [4, 6]
    assert [(piece.units, piece.resources.memory_gb) for piece in following] == [(("A",), 6), (("B",), 6)]
    assert again(following[0], reasons.OUT_OF_MEMORY, 137) == []


@pytest.mark.parametrize("reason", [reasons.CORRUPT_INPUT, reasons.PROGRAM_ERROR, reasons.TIMEOUT])
def test_a_shard_that_fails_for_a_reason_of_its_own_is_cut(reason: str) -> None:
    assert [job.units for job in again(make_job("A", "B", "C"), reason)] == [("A",), ("B", "C")]


@pytest.mark.parametrize(
    ("reason", "code", "tries"),
    [
        (reasons.CORRUPT_INPUT, 65, 0),
        (reasons.PROGRAM_ERROR, 1, 0),
        (reasons.PROGRAM_ERROR, 70, 1),
        (reasons.PROGRAM_ERROR, 139, 1),
        (reasons.TIMEOUT, 143, 1),
    ],
)
@pytest.mark.parametrize("units", [(), ("A",)], ids=["plate", "unit"])
def test_what_failed_alone_is_tried_once_more_only_if_it_may_pass(
    reason: str, code: int, tries: int, units: tuple[str, ...]
) -> None:
    following = again(make_job(*units), reason, code)

    assert len(following) == tries
    assert again(make_job(*units, attempt=2), reason, code) == []


PIECES = {
    "named": (told(B="failed", A="skipped"), [["B"], ["A", "C", "D"]]),
    "two named": (told(B="failed", D="failed"), [["B"], ["D"], ["A", "C"]]),
    "all named": (told(A="failed", B="failed", C="failed", D="failed"), [["A"], ["B"], ["C"], ["D"]]),
    "ended after two": (told(A="ok", B="ok"), [["A", "B"], ["C"], ["D"]]),
    "ended before the last": (told(A="ok", B="ok", C="ok"), [["A", "B", "C"], ["D"]]),
    "all well": (told(A="ok", B="ok", C="ok", D="ok"), [["A", "B"], ["C", "D"]]),
    "nothing said": ({}, [["A", "B"], ["C", "D"]]),
    "all skipped": (told(A="skipped", B="skipped", C="skipped", D="skipped"), [["A", "B"], ["C", "D"]]),
}


@pytest.mark.parametrize(("said", "expected"), PIECES.values(), ids=PIECES)
def test_a_shard_is_cut_so_that_what_is_likely_to_be_bad_stands_alone(
    said: dict[str, Unit], expected: list[list[str]]
) -> None:
    assert retries.pieces("ABCD", said) == expected


STATES = some.sampled_from(["ok", "failed", "skipped", None])


@given(some.lists(STATES, min_size=2, max_size=9))
def test_pieces_are_smaller_than_the_whole_and_hold_every_unit_once(states: list[str | None]) -> None:
    names = [f"U{number}" for number in range(len(states))]
    said = {name: Unit(name, state, 0, "") for name, state in zip(names, states, strict=True) if state}
    parts = retries.pieces(names, said)

    assert sorted(name for part in parts for name in part) == names
    assert all(0 < len(part) < len(names) for part in parts)

"""What is tried again, and how: a pure policy, the same wherever jobs run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stagekit.program import EXIT_CHECK

from tasks.definitions.stages import Resources
from tasks.execution import reasons, retries
from tasks.execution.retries import Attempt
from tasks.results.ledger import Unit
from tasks.runtime.core.job import Job, Outcome
from tasks.settings.retry_policy import Policy

POLICY = Policy(tries=3, backoff_seconds=10, most_memory_gb=6)
LONGER = Policy(most_minutes=5)
SMALL = Resources(cpus=1, memory_gb=2, minutes=1, gpus=0)


def make_job(*units: str, causes: Sequence[str] = (), memory_gb: float = 2) -> Job:
    resources, tried = replace(SMALL, memory_gb=memory_gb), {"attempt": 1 + len(causes), "causes": tuple(causes)}
    return Job("job", "easel", "paint.py", (), (), Path("/x/1of1-aa"), resources, units=units, **tried)


def cut(job: Job, units: Sequence[str], number: int, count: int) -> Job:
    return replace(job, units=tuple(units))


def told(**states: str) -> dict[str, Unit]:
    return {name: Unit(name, state, 1.0, "why") for name, state in states.items()}


def again(job: Job, reason: str, code: int = 1, said: Mapping[str, Unit] | None = None) -> list[Job]:
    return retries.again(Attempt(job, Outcome(code, 1.0), reason, said or {}), POLICY, cut)


@pytest.mark.parametrize("reason", retries.TRANSIENT)
@pytest.mark.parametrize("units", [(), ("A",), ("A", "B")], ids=["plate", "unit", "shard"])
def test_what_may_pass_is_tried_whole_as_often_as_the_policy_says(reason: str, units: tuple[str, ...]) -> None:
    first = make_job(*units)
    second = again(first, reason)
    third = again(second[0], reason)

    assert second == [replace(first, attempt=2, causes=(reason,))]
    assert third == [replace(first, attempt=3, causes=(reason, reason))]
    assert again(third[0], reason) == []


@pytest.mark.parametrize("units", [(), ("A",), ("A", "B")], ids=["plate", "unit", "shard"])
def test_what_somebody_cancelled_is_not_tried_again_and_blames_no_unit(units: tuple[str, ...]) -> None:
    ended = Attempt(make_job(*units), Outcome(143, 1.0, cancelled=True, lost="scancel"), reasons.CANCELLED, {})

    assert retries.again(ended, POLICY, cut) == []
    assert ended.blames_no_unit


@pytest.mark.parametrize(("minutes", "next_minutes"), [(2, 4), (4, 5), (8, 8)], ids=["twice", "bounded", "never less"])
def test_what_took_too_long_alone_has_more_time_once(minutes: float, next_minutes: float) -> None:
    job = make_job("A")
    job = replace(job, resources=replace(job.resources, minutes=minutes))
    (second,) = retries.again(Attempt(job, Outcome(143, 1.0, timed_out=True), reasons.TIMEOUT, {}), LONGER, cut)

    assert second.resources == replace(job.resources, minutes=next_minutes)
    assert retries.again(Attempt(second, Outcome(143, 1.0), reasons.TIMEOUT, {}), LONGER, cut) == []


@pytest.mark.parametrize("units", [("A",), ("A", "B")], ids=["unit", "shard"])
def test_what_does_not_stand_its_own_check_is_never_blamed_on_a_unit(units: tuple[str, ...]) -> None:
    ended = Attempt(make_job(*units), Outcome(EXIT_CHECK, 1.0), reasons.PROGRAM_ERROR, told(A="failed"))

    assert retries.again(ended, POLICY, cut) == []
    assert ended.blames_no_unit


def test_each_further_try_of_what_may_pass_waits_twice_as_long() -> None:
    service = reasons.SERVICE
    waits = [retries.delay_seconds([(make_job(causes=[service] * count), service)], POLICY) for count in (1, 2, 3)]
    first = make_job(causes=[reasons.NODE_LOST, reasons.OUT_OF_MEMORY, service])
    mixed = [(first, service), (make_job(causes=[reasons.PROGRAM_ERROR] * 8), reasons.PROGRAM_ERROR)]

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
    assert again(make_job(*units, causes=[reason]), reason, code) == []


EARLIER = {
    "memory": ["out_of_memory"] * 3,
    "the other": ["service", "service", "node_lost", "node_lost"],
    "time": ["timeout"],
    "a crash": ["program_error"],
}


@pytest.mark.parametrize("reason", retries.TRANSIENT)
@pytest.mark.parametrize("earlier", EARLIER.values(), ids=EARLIER)
def test_what_failed_for_other_causes_is_tried_as_often_as_if_it_had_not(reason: str, earlier: list[str]) -> None:
    job, tries = make_job("A", causes=[each for each in earlier if each != reason]), 1
    while following := again(job, reason):
        (job,) = following
        tries += 1

    assert tries == POLICY.tries


def test_the_pieces_of_a_shard_have_all_tries_for_what_may_pass() -> None:
    shard = make_job("A", "B", causes=["service", "service", "node_lost"])
    piece, _ = again(shard, reasons.CORRUPT_INPUT)

    assert piece.attempt == 5
    assert len(again(piece, reasons.NODE_LOST)) == 1


def test_a_unit_of_a_shard_that_took_too_long_has_more_time_alone() -> None:
    piece, _ = retries.again(Attempt(make_job("A", "B"), Outcome(143, 1.0), reasons.TIMEOUT, {}), LONGER, cut)
    (second,) = retries.again(Attempt(piece, Outcome(143, 1.0), reasons.TIMEOUT, {}), LONGER, cut)

    assert second.resources.minutes == 2 * piece.resources.minutes


def test_a_unit_of_a_shard_that_crashed_is_tried_alone_once() -> None:
    piece, _ = again(make_job("A", "B"), reasons.PROGRAM_ERROR, 139)

    assert again(piece, reasons.PROGRAM_ERROR, 139) == []


@given(some.lists(some.sampled_from(reasons.ALL), min_size=60, max_size=60))
def test_whatever_causes_follow_each_other_a_job_is_given_up_after_some_tries(causes: list[str]) -> None:
    job, tries = make_job("A", "B", "C"), 0
    for cause in causes:
        following = again(job, cause, 139)
        if not following:
            break
        job, tries = following[0], tries + 1

    assert tries < 30


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

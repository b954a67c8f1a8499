"""The scheduler's answer is shared: asked once for all, ever more seldom, and outlives its silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.runtime.arrays import queue
from tasks.runtime.arrays.queue import MOST_SECONDS, ElementState, NoAnswerError, Queue, Snapshot
from tasks.runtime.core import locks


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class Scheduler:
    def __init__(self) -> None:
        self.asked = 0
        self.answer: queue.Arrays | None = {"7": [ElementState(0, 3, queue.RUNS, "RUNNING")]}

    def __call__(self) -> queue.Arrays:
        self.asked += 1
        if self.answer is None:
            raise NoAnswerError("slurmctld does not answer")
        return self.answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(queue, "time", made)
    return made


def test_two_that_wait_ask_once(tmp_path: Path, clock: Clock) -> None:
    ask = Scheduler()
    seen = [Queue(tmp_path / "q.json", ask).look(clock.now) for _ in range(2)]

    assert ask.asked == 1
    assert seen[0] == seen[1]
    assert seen[1].element("7", 3) == ElementState(0, 3, queue.RUNS, "RUNNING")
    assert seen[1].element("7", 4) is seen[1].element("8", 0) is None


def test_while_nothing_changes_it_is_asked_ever_more_seldom(tmp_path: Path, clock: Clock) -> None:
    ask, began, asked_at = Scheduler(), clock.now, []
    for _ in range(4 * 3600):
        before = ask.asked
        Queue(tmp_path / "q.json", ask).look(began)
        asked_at += [clock.now] if ask.asked > before else []
        clock.now += 1
    gaps = [later - earlier for earlier, later in zip(asked_at, asked_at[1:], strict=False)]

    assert gaps[0] <= 3
    assert gaps == sorted(gaps)
    assert gaps[-1] == MOST_SECONDS
    assert ask.asked < 300


def test_a_scheduler_with_a_limit_on_calls_is_asked_more_seldom(tmp_path: Path, clock: Clock) -> None:
    ask, began = Scheduler(), clock.now
    for _ in range(60):
        Queue(tmp_path / "q.json", ask, least_seconds=10.0).look(clock.now)
        clock.now += 1

    assert clock.now - began == 60
    assert ask.asked == 6


def test_that_what_has_ended_is_forgotten_is_no_change(tmp_path: Path, clock: Clock) -> None:
    ask = Scheduler()
    done, runs = ElementState(0, 3, queue.DONE, "COMPLETED"), ElementState(0, 3, queue.RUNS, "RUNNING")
    changed = []
    for answer in ({"7": [runs]}, {"7": [done], "8": [runs]}, {"8": [runs]}, {"8": [done]}, {}):
        ask.answer = answer
        clock.now += 100
        changed.append(Queue(tmp_path / "q.json", ask).look(clock.now).changed)

    assert changed == [1100, 1200, 1200, 1400, 1400]


def test_a_change_and_a_new_submission_are_looked_at_soon(tmp_path: Path, clock: Clock) -> None:
    quiet = Snapshot(asked=9000, changed=1000, tried=9000)

    assert quiet.due(wanted_since=1000) == 9000 + MOST_SECONDS
    assert quiet.due(wanted_since=8999) == 9002
    assert Snapshot(asked=9000, changed=9000, tried=9000).due(1000) == 9002


def test_while_another_asks_the_last_answer_is_taken(tmp_path: Path, clock: Clock) -> None:
    ask = Scheduler()
    with locks.at_once(tmp_path / "q.lock"):
        seen = Queue(tmp_path / "q.json", ask).look(clock.now)

    assert (ask.asked, seen) == (0, Snapshot())


def test_an_outage_keeps_the_last_answer_and_is_said_once(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for level in ("info", "warning"):
        monkeypatch.setattr(queue.logger, level, lambda text, *given: told.append(text % given))
    ask = Scheduler()
    before = Queue(tmp_path / "q.json", ask).look(clock.now)
    ask.answer, said = None, []
    for _ in range(3):
        clock.now += 100
        said.append(Queue(tmp_path / "q.json", ask).look(clock.now))
    ask.answer = {}
    clock.now += 100
    after = Queue(tmp_path / "q.json", ask).look(clock.now)

    assert [(each.asked, each.arrays, each.said) for each in said] == [
        (before.asked, before.arrays, "slurmctld does not answer")
    ] * 3
    assert told == [
        "slurmctld does not answer; jobs go on meanwhile, and it is asked again",
        "the scheduler answers again",
    ]
    assert (after.said, after.arrays, after.asked) == ("", {}, clock.now)


def test_a_file_that_is_no_answer_is_asked_for_anew(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "q.json").write_text('{"asked"')

    assert Queue(tmp_path / "q.json", Scheduler()).look(clock.now).element("7", 0)


def test_elements_are_counted_by_what_is_said_of_them() -> None:
    seen = [
        ElementState(0, 1, queue.RUNS, "RUNNING, n1"),
        ElementState(5, 5, queue.RUNS, "RUNNING, n1"),
        ElementState(6, 9, "queued", "PENDING"),
    ]

    assert Snapshot(arrays={"7": seen}).states("7") == {"RUNNING, n1": 3, "PENDING": 4}

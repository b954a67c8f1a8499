"""The bar: what is done, failed and left, and about how long it takes."""

from __future__ import annotations

import pytest

from tasks.execution import progress
from tasks.execution.progress import Bar
from tasks.runtime.core.events import StageAdvanced

SAID = {
    "nothing yet": (0, 0, 0.0, "0 of 24 sites, 0 failed, 24 left"),
    "seconds": (12, 0, 30.0, "12 of 24 sites, 0 failed, 12 left, about 30 s"),
    "minutes": (6, 2, 100.0, "6 of 24 sites, 2 failed, 16 left, about 3 min"),
    "all ended": (23, 1, 100.0, "23 of 24 sites, 1 failed, 0 left"),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def bar(total: int = 24) -> tuple[Bar, list[tuple[int, str]]]:
    told: list[tuple[int, str]] = []
    return Bar("measure/P", "site", total, lambda percent, said: told.append((percent, said))), told


@pytest.mark.parametrize(("done", "failed", "seconds", "said"), SAID.values(), ids=SAID)
def test_the_bar_says_what_is_done_failed_and_left(
    done: int, failed: int, seconds: float, said: str, clock: list[float]
) -> None:
    shown, _ = bar()
    clock[0] += seconds

    assert shown.describe(done, failed) == said


@pytest.mark.parametrize(("unit", "several"), [("plate", "plates"), ("batch", "batches"), ("site", "sites")])
def test_units_are_told_in_the_plural(unit: str, several: str) -> None:
    assert (
        progress.Bar("a", unit, 2, lambda percent, said: None).describe(1, 1) == f"1 of 2 {several}, 1 failed, 0 left"
    )


def test_the_scheduler_is_told_of_every_change_once(clock: list[float]) -> None:
    shown, told = bar()
    with shown:
        for done, failed in ((0, 0), (0, 0), (6, 0), (6, 6), (18, 6)):
            shown.update(done, failed)

    assert [percent for percent, _ in told] == [0, 25, 50, 100]


def test_without_a_terminal_a_line_is_logged_now_and_then(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress.logger, "info", lambda form, *words, **_: lines.append(form % words))
    shown, _ = bar()
    with shown:
        for second in range(40):
            clock[0] = 1000.0 + second
            shown.update(second // 2, 0)

    assert [message.partition(",")[0] for message in lines] == [
        "measure/P: 8 of 24 sites",
        "measure/P: 16 of 24 sites",
    ]


def test_a_programs_own_words_are_told_once_and_logged_now_and_then(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress.logger, "info", lambda form, *words, **_: lines.append(form % words))
    shown, told = bar(1)
    with shown:
        for second in range(40):
            clock[0] = 1000.0 + second
            shown.say(f"{second // 2} of 20 files")

    assert [said for _, said in told] == [f"{number} of 20 files" for number in range(20)]
    assert lines == ["measure/P: 8 of 20 files", "measure/P: 16 of 20 files"]


def test_a_stage_of_many_units_and_a_programs_own_words_are_events_and_a_single_unit_is_none(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[object] = []
    monkeypatch.setattr(progress.logger, "debug", lambda form, *words, extra: found.append(extra["event"]))
    many, _ = bar(24)
    many.update(6, 0)
    single, _ = bar(1)
    single.update(0, 0)
    single.say("2 of 20 files")

    assert found == [
        StageAdvanced("measure/P", "6 of 24 sites, 0 failed, 18 left, about 0 s"),
        StageAdvanced("measure/P", "2 of 20 files"),
    ]


def test_no_bar_moves_where_a_command_shows_progress_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with progress.without_bars():
        without = bar()[0].bar
    moving = bar()[0].bar

    assert without is None
    assert moving is not None

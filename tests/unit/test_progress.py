"""The bar: what is done, failed and left, and about how long it takes."""

from __future__ import annotations

import pytest

from tasks import progress
from tasks.progress import Bar

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


def test_the_scheduler_is_told_of_every_change_once(clock: list[float]) -> None:
    shown, told = bar()
    with shown:
        for done, failed in ((0, 0), (0, 0), (6, 0), (6, 6), (18, 6)):
            shown.update(done, failed)

    assert [percent for percent, _ in told] == [0, 25, 50, 100]


def test_without_a_terminal_a_line_is_logged_now_and_then(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress.logger, "info", lambda form, *words: lines.append(form % words))
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
    monkeypatch.setattr(progress.logger, "info", lambda form, *words: lines.append(form % words))
    shown, told = bar(1)
    with shown:
        for second in range(40):
            clock[0] = 1000.0 + second
            shown.say(f"{second // 2} of 20 files")

    assert [said for _, said in told] == [f"{number} of 20 files" for number in range(20)]
    assert lines == ["measure/P: 8 of 20 files", "measure/P: 16 of 20 files"]

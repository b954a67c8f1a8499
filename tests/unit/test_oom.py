"""A kill for want of memory is a child's only if the child ended as by one: the kernel counts those of others too."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from stagekit import memory

from tasks.runtime.core.job import Outcome
from tasks.runtime.engines import children, oom
from tests.unit.fakes import make_job

ENDS = {
    "killed": ("os.kill(os.getpid(), 9)", True),
    "a program of its own was killed": ("sys.exit(70)", True),
    "it says so": (
        "print('error: left with exit code -9 (killed: out of memory?)', file=sys.stderr); sys.exit(65)",
        True,
    ),
    "a worker's end": (
        "print('BrokenProcessPool: a child process terminated abruptly', file=sys.stderr); sys.exit(1)",
        True,
    ),
    "corrupt input": ("print('error: a.tiff does not decode', file=sys.stderr); sys.exit(65)", False),
    "a bug": ("raise KeyError('x')", False),
    "a segmentation fault": ("os.kill(os.getpid(), 11)", False),
    "well": ("pass", False),
}


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the kernel's count, which rises by one while a program runs."""
    looks = [0]

    def counted() -> int:
        looks[0] += 1
        return 7 if looks[0] < 3 else 8

    monkeypatch.setattr(oom, "_count", counted)
    return looks


def run(folder: Path, program: str, minutes: float = 1) -> Outcome:
    folder.mkdir()
    words = [sys.executable, "-c", f"import os, sys, time\ntime.sleep(0.2)\n{program}"]
    variables = {"PATH": "/usr/bin:/bin"}
    return children.run(words, make_job(folder, minutes=minutes), variables, threading.Event())


@pytest.mark.parametrize(("program", "short"), ENDS.values(), ids=ENDS)
def test_a_kill_on_this_machine_is_blamed_only_on_who_was_killed(
    program: str, short: bool, tmp_path: Path, count: list[int]
) -> None:
    assert run(tmp_path / "1of1", program).out_of_memory == short


def test_a_kill_of_another_long_before_the_end_is_not_blamed_on_it(
    tmp_path: Path, count: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oom, "RECENT_SECONDS", 0.05)

    assert not run(tmp_path / "1of1", "time.sleep(0.5); sys.exit(70)").out_of_memory


def test_what_took_too_long_is_not_out_of_memory(tmp_path: Path, count: list[int]) -> None:
    outcome = run(tmp_path / "1of1", "time.sleep(60)", minutes=0.5 / 60)

    assert (outcome.timed_out, outcome.out_of_memory) == (True, False)


@pytest.mark.parametrize(
    ("events", "counted"), [("low 0\noom_kill 3\n", 3), ("low 0\n", 41)], ids=["it tells", "it does not"]
)
def test_the_count_is_that_of_our_own_group_where_the_kernel_keeps_one(
    events: str, counted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.events").write_text(events)
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN", tmp_path / "none")
    monkeypatch.setattr(oom, "_of_the_machine", lambda: 41)

    assert oom._count() == counted

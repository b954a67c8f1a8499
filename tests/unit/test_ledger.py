"""The ledger: a line a job, in a file a run, which no crash spoils and anybody may read meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.dataset import layout
from tasks.results import ledger
from tasks.results.ledger import Ledger

ENTRY = {"attempt": 1, "reason": "", "log": "x/stderr.log", "peak_memory_gb": 1.5}


def attempt(book: Ledger, state: str, *names: str, **changes: object) -> None:
    said = "" if state == "ok" else "why"
    book.append(ledger.ATTEMPT, **{**ENTRY, **changes, "units": dict.fromkeys(names, (state, 2.0, said))})


def states(folder: Path) -> dict[str, str]:
    told = ledger.history(folder)
    assert told is not None
    return {name: unit.state for name, unit in told.units.items()}


def test_a_stage_that_never_ran_has_no_history(tmp_path: Path) -> None:
    assert ledger.history(tmp_path / "not there") is None


def test_the_last_word_on_a_unit_counts_but_what_ended_well_stays_so(tmp_path: Path) -> None:
    book = Ledger(tmp_path, "runs/a")
    book.begin("site", 3)
    attempt(book, "failed", "A", "B", reason="timeout")
    attempt(book, "ok", "A", attempt=2)
    attempt(book, "failed", "A", "B", attempt=3, reason="program_error")

    assert states(tmp_path) == {"A": "ok", "B": "failed"}
    assert ledger.history(tmp_path).units["B"] == ledger.Account(
        "B", "failed", 3, "program_error", "why", "x/stderr.log", 2.0, 1.5
    )


def test_a_run_that_is_taken_up_again_keeps_what_was_done_and_another_run_does_not(tmp_path: Path) -> None:
    for run, name in (("runs/a", "A"), ("runs/a", "B"), ("runs/b", "C")):
        book = Ledger(tmp_path, run)
        book.begin("site", 3)
        attempt(book, "ok", name)
        if run == "runs/a":
            seen = states(tmp_path)

    assert seen == {"A": "ok", "B": "ok"}
    assert states(tmp_path) == {"C": "ok"}


@pytest.mark.parametrize("end", ["made", "failed", "stopped", ""])
def test_how_a_run_ended_is_told_and_a_killed_one_says_nothing(tmp_path: Path, end: str) -> None:
    book = Ledger(tmp_path, "runs/a")
    book.begin("channel", 1)
    if end:
        book.append(ledger.END, state=end, said="because")
    told = ledger.history(tmp_path)

    assert (told.ended, told.said, told.pid, told.unit) == (end, "because" if end else "", os.getpid(), "channel")


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_costs_that_line_only(tmp_path: Path, cut: int) -> None:
    book = Ledger(tmp_path, "runs/a")
    book.begin("site", 2)
    attempt(book, "ok", "A")
    attempt(book, "ok", "B")
    book.path.write_bytes(book.path.read_bytes()[:-cut])

    assert states(tmp_path) == ({"A": "ok", "B": "ok"} if cut == 1 else {"A": "ok"})


def test_a_file_that_was_spoilt_from_its_first_line_on_is_passed_over(tmp_path: Path) -> None:
    book = Ledger(tmp_path, "runs/a")
    book.begin("site", 1)
    attempt(book, "ok", "A")
    (tmp_path / "000009-elsewhere-1.jsonl").write_bytes(b"\x00\xff not json\n[1]\n")

    assert states(tmp_path) == {"A": "ok"}


def test_files_are_ordered_by_number_whatever_the_clock_says(tmp_path: Path) -> None:
    for name in ("A", "B"):
        book = Ledger(tmp_path, f"runs/{name}")
        book.begin("site", 1)
        attempt(book, "ok", name)
        os.utime(book.path, (0, 0))
        lines = book.path.read_text().replace('"at": "20', '"at": "19' if name == "B" else '"at": "20')
        book.path.write_text(lines)

    assert ledger.history(tmp_path).run == "runs/B"
    assert ledger.history(tmp_path).began.startswith("19")


WRITER = """
import sys
from pathlib import Path
from tasks.results.ledger import ATTEMPT, Ledger
book = Ledger(Path(sys.argv[1]), "runs/a")
book.begin("site", 100000)
for number in range(100000):
    units = {f"U{number}": ("ok", 1.0, "")}
    book.append(ATTEMPT, attempt=1, reason="", log="", peak_memory_gb=None, units=units)
    print(number, flush=True)
"""


def test_what_was_told_before_a_kill_is_there_and_it_can_be_read_meanwhile(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=layout.REPOSITORY
    )
    for _ in range(20):
        said = int(writer.stdout.readline())
    meanwhile = len(ledger.history(tmp_path).units)
    running = writer.poll() is None
    writer.kill()
    rest = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    last = int(rest[-1]) if rest else said

    assert running
    assert meanwhile >= 20
    assert len(ledger.history(tmp_path).units) >= last + 1
    assert all(json.loads(line) for line in next(tmp_path.glob("*.jsonl")).read_text().splitlines()[: last + 2])

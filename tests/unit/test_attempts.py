"""A run to its end: the bad units stand alone, the others are made once, and what comes out is always the same."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tasks.errors import FalseSuccessError, ProgramError
from tasks.execution import attempts
from tasks.execution.collect import RunSummary
from tasks.execution.stage_run import Run
from tasks.results import ledger
from tasks.results.ledger import Ledger
from tasks.runtime.arrays import places
from tasks.runtime.arrays.places import Local
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.core.slots import Slots
from tasks.settings.retry_policy import Policy
from tests.unit.fakes import FakeEngine, make_run, make_stage, write_result, write_units

UNITS = tuple(f"A{well:02d}-{site}" for well in range(1, 5) for site in (1, 2, 3))
POLICY = Policy(tries=3, backoff_seconds=0.02, most_memory_gb=8)
Bad = Callable[[Job, list[str]], Outcome]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(attempts, "POLL_SECONDS", 0.01)


def crash(job: Job, bad: list[str]) -> Outcome:
    """End as by a signal, after the units before the bad one were told of."""
    write_units(job, *job.units[: job.units.index(bad[0])])
    return Outcome(139, 0.1)


def refuse(job: Job, bad: list[str]) -> Outcome:
    """Name the bad units, as a program does that checks its input."""
    write_units(job, *bad, state="failed", reason="it does not decode")
    return Outcome(65, 0.1)


def drop(job: Job, bad: list[str]) -> Outcome:
    """End without a word."""
    return Outcome(1, 0.1)


class Program:
    """Measures units, each into a file of its own; with a bad one among them it ends as it was told."""

    def __init__(self, bad: set[str], end: Bad = crash) -> None:
        self.bad, self.end = bad, end
        self.seen: list[tuple[str, ...]] = []

    def __call__(self, job: Job, cancelled: threading.Event) -> Outcome:
        self.seen.append(job.units)
        (job.folder / "stderr.log").write_text(f"try of {len(job.units)}\nits last word")
        bad = [unit for unit in job.units if unit in self.bad]
        if bad:
            return self.end(job, bad)
        for unit in job.units:
            (job.folder / "out/files/tiles" / unit).mkdir(parents=True)
            (job.folder / "out/files/tiles" / unit / "cells.csv").write_text(unit)
        write_units(job, *job.units)
        write_result(job)
        return Outcome(0, 0.1, peak_memory_gb=0.5)


def run_of(folder: Path, shards: int = 2, units: tuple[str, ...] = UNITS) -> Run:
    return make_run(folder, make_stage("site", outputs={"tiles": "tiles"}), shards=shards, units=units)


def make(folder: Path, program: Callable[..., Outcome], allowed: float = 0, **how: object) -> RunSummary:
    place = Local(FakeEngine(program), Slots(folder / "slots", 4, 8))
    book = Ledger(folder / "ledger", ".work/abc123")
    book.begin("site", len(UNITS))
    return attempts.make(run_of(folder, **how), place, POLICY, book, lambda jobs: None, allowed)


def files(folder: Path) -> dict[str, str]:
    tiles = folder / "abc123/files/tiles"
    return {path.relative_to(tiles).as_posix(): path.read_text() for path in tiles.rglob("*") if path.is_file()}


@pytest.mark.parametrize("end", [crash, refuse, drop], ids=lambda end: end.__name__)
@pytest.mark.parametrize("shards", [1, 2, 4])
def test_a_bad_unit_stands_alone_and_all_others_are_made(tmp_path: Path, end: Bad, shards: int) -> None:
    program = Program({"A02-2"}, end)
    found = make(tmp_path, program, allowed=0.1, shards=shards)

    assert program.seen[-1] == ("A02-2",) or ("A02-2",) in program.seen
    assert files(tmp_path) == {f"{unit}/cells.csv": unit for unit in UNITS if unit != "A02-2"}
    assert found.units == {"ok": 11, "quarantined": 1}
    assert list(found.facts["quarantined"]) == ["A02-2"]


def test_without_leave_a_stage_with_a_bad_unit_fails_and_names_it_and_the_others_are_kept(tmp_path: Path) -> None:
    first = Program({"A02-2"}, refuse)
    with pytest.raises(ProgramError, match=r"1 of 12 sites failed(.|\n)*A02-2: corrupt_input: it does not decode"):
        make(tmp_path, first)
    second = Program(set())
    found = make(tmp_path, second)

    assert second.seen == [("A02-2",)]
    assert found.units == {"ok": 12}
    assert files(tmp_path) == {f"{unit}/cells.csv": unit for unit in UNITS}


def test_what_was_left_out_is_made_alone_once_the_cause_is_gone(tmp_path: Path) -> None:
    make(tmp_path, Program({"A01-1", "A04-3"}), allowed=0.2)
    before = files(tmp_path)
    program = Program(set())
    make(tmp_path, program)

    assert len(before) == 10
    assert sorted(unit for units in program.seen for unit in units) == ["A01-1", "A04-3"]
    assert files(tmp_path) == {f"{unit}/cells.csv": unit for unit in UNITS}


@settings(max_examples=30, deadline=None)
@given(
    bad=some.sets(some.sampled_from(UNITS), max_size=5),
    end=some.sampled_from([crash, refuse]),
    shards=some.integers(1, 6),
)
def test_whatever_units_are_bad_exactly_they_are_left_out(bad: set[str], end: Bad, shards: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = Program(bad, end)
        try:
            found = make(Path(folder), program, allowed=1, shards=shards)
        except ProgramError:
            # Given up: none had ended well when four had failed alone, or nothing told one unit from another.
            assert len(bad) >= min(2, shards)
            return

        assert set(found.facts.get("quarantined", {})) == bad
        assert files(Path(folder)) == {f"{unit}/cells.csv": unit for unit in UNITS if unit not in bad}
        made = [unit for units in program.seen if not bad & set(units) for unit in units]
        assert sorted(made) == sorted(set(UNITS) - bad)


def test_what_is_no_units_fault_ends_the_run_before_every_unit_was_tried_alone(tmp_path: Path) -> None:
    program = Program(set(UNITS), drop)
    with pytest.raises(ProgramError, match="12 of 12 sites failed"):
        make(tmp_path, program, allowed=1, shards=4)

    assert len(program.seen) == 4


def test_units_that_all_fail_alone_end_the_run_early(tmp_path: Path) -> None:
    program = Program(set(UNITS), refuse)
    with pytest.raises(ProgramError):
        make(tmp_path, program, shards=1, allowed=1)

    assert len(program.seen) <= 1 + len(UNITS)


def failing(times: int, outcome: Outcome) -> Callable[[Job, threading.Event], Outcome]:
    """Return a program that ends badly so many times, whatever it is given, and well from then on."""
    program, left = Program(set()), [times]

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        left[0] -= 1
        if left[0] >= 0:
            (job.folder / "stderr.log").write_text(f"{left[0]} more")
            return outcome
        return program(job, cancelled)

    return act


TRANSIENT = {"service": Outcome(69, 0.1), "node_lost": Outcome(255, 0.1, lost="the daemon is gone")}


@pytest.mark.parametrize(("reason", "outcome"), TRANSIENT.items(), ids=TRANSIENT)
def test_what_may_pass_is_tried_again_and_no_unit_is_blamed(tmp_path: Path, reason: str, outcome: Outcome) -> None:
    found = make(tmp_path, failing(2, outcome), shards=1)
    told = ledger.history(tmp_path / "ledger")

    assert found.units == {"ok": 12}
    assert told is not None
    assert [(line["attempt"], line["reason"]) for line in told.attempts] == [(1, reason), (2, reason), (3, "")]
    with pytest.raises(ProgramError):
        make(tmp_path / "other", failing(3, outcome), shards=1, allowed=1)


def test_what_ran_out_of_memory_is_given_more(tmp_path: Path) -> None:
    seen: list[float] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        seen.append(job.resources.memory_gb)
        if job.resources.memory_gb < 4:
            return Outcome(137, 0.1, out_of_memory=True)
        return Program(set())(job, cancelled)

    found = make(tmp_path, act, shards=1)

    assert seen == [1, 2, 4]
    assert found.units == {"ok": 12}


def test_an_interrupted_cut_goes_on_with_the_pieces_that_are_done(tmp_path: Path) -> None:
    program = Program({"A02-2"}, refuse)

    def stop(job: Job, cancelled: threading.Event) -> Outcome:
        if job.units == ("A02-2",):
            raise KeyboardInterrupt
        return program(job, cancelled)

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, stop, shards=2)
    told = ledger.history(tmp_path / "ledger")
    rest = Program(set())
    make(tmp_path, rest)

    assert told is not None
    assert told.ended == "stopped"
    assert "A02-2" in {unit for units in rest.seen for unit in units}
    assert len({unit for units in rest.seen for unit in units}) < len(UNITS)
    assert files(tmp_path) == {f"{unit}/cells.csv": unit for unit in UNITS}


def test_the_log_of_every_try_is_kept_where_the_ledger_says(tmp_path: Path) -> None:
    make(tmp_path, Program({"A02-2"}, crash), allowed=1, shards=1)
    told = ledger.history(tmp_path / "ledger")

    assert told is not None
    for line in told.attempts:
        log = tmp_path / "abc123" / Path(line["log"]).relative_to(".work/abc123")
        assert log.read_text().startswith("try of ")
        assert log.name.startswith("failed-") == bool(line["reason"])


def test_the_ledger_says_how_every_unit_ended(tmp_path: Path) -> None:
    make(tmp_path, Program({"A02-2"}, refuse), allowed=1)
    told = ledger.history(tmp_path / "ledger")

    assert told is not None
    assert (told.total, told.unit, told.ended) == (12, "site", "made")
    assert {name for name, unit in told.units.items() if unit.state == "ok"} == set(UNITS) - {"A02-2"}
    bad = told.units["A02-2"]
    assert (bad.state, bad.attempt, bad.reason, bad.said) == ("quarantined", 2, "corrupt_input", "it does not decode")
    assert told.units["A01-1"].peak_memory_gb == 0.5
    assert told.units["A01-1"].seconds == 1.0


def test_what_a_fetch_has_is_kept_in_the_ledger_though_it_failed(tmp_path: Path) -> None:
    def fetch(job: Job, cancelled: threading.Event) -> Outcome:
        told = {"a.tiff": "ok", "b.tiff": "failed"}
        lines = [{"unit": name, "state": state, "seconds": 2.0, "reason": ""} for name, state in told.items()]
        (job.folder / "out/units.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (job.folder / "stderr.log").write_text("error: b.tiff came wrong")
        return Outcome(65, 3.0)

    place, book = Local(FakeEngine(fetch), Slots(tmp_path / "slots", 4, 8)), Ledger(tmp_path / "ledger", ".work/abc123")
    book.begin("file", 0)
    with pytest.raises(ProgramError):
        attempts.make(make_run(tmp_path, make_stage("file")), place, POLICY, book, lambda jobs: None, 0)
    told = ledger.history(tmp_path / "ledger")

    assert told is not None
    assert {name: (unit.state, unit.reason, unit.seconds) for name, unit in told.units.items()} == {
        "a.tiff": ("ok", "", 2.0),
        "b.tiff": ("failed", "corrupt_input", 2.0),
    }


def test_a_false_success_is_told_and_no_job_counts_as_finished(tmp_path: Path) -> None:
    def liar(job: Job, cancelled: threading.Event) -> Outcome:
        write_result(job)
        return Outcome(0, 0.1)

    with pytest.raises(FalseSuccessError):
        make(tmp_path, liar)
    told = ledger.history(tmp_path / "ledger")

    assert told is not None
    assert (told.ended, told.said.startswith("paint/")) == ("failed", True)
    assert places.finished(tmp_path / "abc123/shards") == []


def test_a_stage_of_a_plate_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    ran: list[str] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        ran.append(job.folder.name)
        (job.folder / "out/files/notes.txt").write_text("x")
        write_result(job)
        return Outcome(0, 0.1)

    for _ in range(2):
        run = make_run(tmp_path, make_stage(outputs={"notes": "notes.txt"}))
        place = Local(FakeEngine(act), Slots(tmp_path / "slots", 1, 1))
        attempts.make(run, place, POLICY, Ledger(tmp_path / "ledger", "r"), lambda jobs: None, 0)

    assert ran == ["1of1"]
    assert json.loads((tmp_path / "abc123/shards/1of1/outcome.json").read_text())


class Elsewhere(Local):
    """A place whose jobs outlived the process that handed them over."""

    def left(self, shards: Path) -> list[Path]:
        return [path.parent for path in shards.glob("*/job.json")]


def test_jobs_that_outlived_their_process_are_taken_up_as_they_were_cut_and_the_others_are_made(tmp_path: Path) -> None:
    run = run_of(tmp_path, shards=4)
    old = run.jobs()[1]
    tried = replace(old, attempt=2, causes=("out_of_memory",), resources=replace(old.resources, memory_gb=4))
    tried.folder.mkdir(parents=True)
    (tried.folder / "job.json").write_text(tried.as_json())
    program = Program(set())
    place = Elsewhere(FakeEngine(program), Slots(tmp_path / "slots", 4, 8))
    book = Ledger(tmp_path / "ledger", ".work/abc123")
    book.begin("site", len(UNITS))
    found = attempts.make(run, place, POLICY, book, lambda jobs: None, 0)
    again = json.loads((tried.folder / "job.json").read_text())

    assert found.units == {"ok": 12}
    assert tried.units in program.seen
    assert sorted(unit for units in program.seen for unit in units) == sorted(UNITS)
    assert (again["attempt"], again["causes"], again["resources"]["memory_gb"]) == (2, ["out_of_memory"], 4)

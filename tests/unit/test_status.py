"""status, logs and retry: the truth of a data root, in words and in JSON, also while a run goes on."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable

import pytest

from tasks import __main__ as command
from tasks.dataset.layout import Layout
from tasks.errors import EngineError, ProgramError, PublishError
from tasks.results import ledger, status
from tasks.results.ledger import Ledger
from tasks.runtime.core import locks
from tasks.runtime.core.job import Job, Outcome
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, write_units
from tests.unit.measuring_bench import SITES, Bench, make, run

Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Return a function that runs a verb as a person types it; it returns the exit code and what was printed."""

    def act(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", *words])
        monkeypatch.setenv("COLUMNS", "80")
        capsys.readouterr()
        code = command.main()
        return code, capsys.readouterr().out

    return act


def state_of(layout: Layout, stage: str = "measure") -> status.State:
    (found,) = status.look(layout, stage=stage)
    return found


def test_nothing_was_run_yet(luigi_cfg: LoadSettings, verb: Verb) -> None:
    luigi_cfg("")

    assert verb("status") == (0, "nothing was run here yet\n")
    assert verb("status", "--json") == (0, "[]\n")


def test_a_result_is_done_with_its_units_and_what_was_left_out(listed: Layout, bench: Bench, verb: Verb) -> None:
    bench.bad = {"A01-2"}
    run("measure")
    found = state_of(listed)
    _, shown = verb("status")

    assert (found.state, found.total, found.units) == ("done", 4, {"ok": 3, "quarantined": 1})
    assert re.search(r"measure +1 +3/4 +1", shown)
    assert "A01-2 quarantined, try 2, program_error: a crash" in shown
    assert max(map(len, shown.splitlines())) <= 80


def fail(listed: Layout, bench: Bench) -> None:
    bench.bad = {"A01-2", "A02-1"}
    with pytest.raises(ProgramError):
        make("measure").run()


def test_a_failed_stage_says_so_with_its_units(listed: Layout, bench: Bench, verb: Verb) -> None:
    fail(listed, bench)
    found = state_of(listed)
    _, text = verb("status", "--json", "--stage", "measure")
    (told,) = json.loads(text)

    assert (found.state, [unit.name for unit in found.bad]) == ("failed", ["A01-2", "A02-1"])
    assert told["state"] == "failed"
    assert told["said"].startswith(f"measure/{PLATE} failed: exit code 70")
    assert [unit["reason"] for unit in told["bad"]] == ["program_error", "program_error"]
    assert told["run"]["folder"].startswith(".work/runs/")


def test_a_run_that_goes_on_is_seen_from_outside_with_its_units_and_the_time_left(listed: Layout) -> None:
    book = Ledger(listed.ledger("measure", BATCH, PLATE), ".work/runs/x")
    book.begin("site", 4)
    shard = listed.root / ".work/runs/x/shards/1of1-aa"
    (shard / "out").mkdir(parents=True)
    (shard / "job.json").write_text('{"units": [], "attempt": 1}')
    job = Job("j", "easel", "p.py", (), (), shard, make("measure").definition.resources)
    write_units(job, *SITES[:2])
    with locks.alone(listed.lock("measure", BATCH, PLATE), "a run"):
        running = state_of(listed)
    killed = state_of(listed)

    assert (running.state, running.units, running.total) == ("running", {"ok": 2}, 4)
    assert running.seconds_left is not None
    assert (killed.state, killed.said) == ("stopped", "killed: it left no last word")


@pytest.mark.parametrize(("end", "state"), [("stopped", "stopped"), ("failed", "failed"), ("made", "stopped")])
def test_how_a_run_without_a_result_ended(listed: Layout, end: str, state: str) -> None:
    book = Ledger(listed.ledger("measure", BATCH, PLATE), "runs/x")
    book.begin("site", 4)
    book.append(ledger.END, state=end, said="")

    assert state_of(listed).state == state


def test_stages_stand_in_the_order_in_which_they_began(listed: Layout, bench: Bench) -> None:
    run("measure")

    assert [state.stage for state in status.look(listed)] == ["load_data", "illumination", "measure"]


def test_the_logs_of_every_try_of_a_site_are_named_and_the_last_bad_one_is_shown(
    listed: Layout, bench: Bench, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = bench.__class__.__call__

    def act(self: Bench, job: Job, cancelled: threading.Event) -> Outcome:
        (job.folder / "stderr.log").write_text(f"measuring {len(job.units)}\nlast words")
        return said(self, job, cancelled)

    monkeypatch.setattr(Bench, "__call__", act)
    fail(listed, bench)
    code, shown = verb("logs", "measure", PLATE, "A01-2")
    _, text = verb("logs", "measure", PLATE, "A01-2", "--json")
    tries = json.loads(text)

    assert code == 0
    assert [each["attempt"] for each in tries] == [1, 2]
    assert all(each["reason"] == "program_error" for each in tries)
    assert shown.endswith("measuring 1\nlast words\n")
    assert verb("logs", "measure", PLATE, "A02-2")[1].count("try ") >= 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("logs", "measure", "BR1"), f"there is no run of measure on 'BR1'; known: {PLATE}"),
        (("logs", "measure", PLATE, "Z99-1"), "no try of Z99-1 has left a log"),
    ],
)
def test_what_has_no_log_is_told(
    words: tuple[str, ...], says: str, listed: Layout, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    run("measure")
    monkeypatch.setattr(sys, "argv", ["tasks", *words])

    assert command.main() == 1
    assert says in capsys.readouterr().err


def test_retry_lists_and_runs_what_failed_and_only_that(listed: Layout, bench: Bench, verb: Verb) -> None:
    fail(listed, bench)
    _, listing = verb("retry", "--dry-run")
    bench.bad, bench.measured = set(), []
    code, text = verb("retry", "--json")

    assert listing.startswith(f"measure/{PLATE} failed: ")
    assert code == 0
    assert [each["state"] for each in json.loads(text)] == ["done"]
    assert bench.measured == ["A01-2", "A02-1"]
    assert verb("retry") == (0, "nothing failed, was stopped or left out\n")


def test_retry_makes_what_was_left_out_and_the_result_is_whole(listed: Layout, bench: Bench, verb: Verb) -> None:
    bench.bad = {"A01-2"}
    run("measure")
    bench.bad, bench.measured = set(), []
    code, _ = verb("retry", "--failed", "measure", PLATE)

    assert code == 0
    assert bench.measured == ["A01-2"]
    assert state_of(listed).units == {"ok": 4}
    assert make("measure").complete()


def test_retry_of_what_fails_again_ends_with_an_exit_code(listed: Layout, bench: Bench, verb: Verb) -> None:
    fail(listed, bench)

    assert verb("retry")[0] == 30


def test_retry_failed_leaves_alone_what_was_stopped(listed: Layout, verb: Verb) -> None:
    task = make("measure")
    book = Ledger(listed.ledger("measure", BATCH, PLATE), "runs/x")
    book.begin("site", 4, {"family": task.task_family, "params": task.to_str_params()})

    assert verb("retry", "--failed", "--dry-run") == (0, "nothing failed, was stopped or left out\n")
    assert verb("retry", "--dry-run")[1].startswith(f"measure/{PLATE} stopped: killed")


@pytest.mark.parametrize("name", sorted(set(command.VERBS) - {"demo", "images"}))
def test_every_verb_prints_json_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tasks", name, "--help"])
    with pytest.raises(SystemExit):
        command.main()
    said = capsys.readouterr().out

    assert "--json" in said
    assert (command.VERBS[name].__doc__ or "")[:30] in said


def test_a_stage_that_fails_before_its_first_job_is_in_the_ledger_too(
    listed: Layout, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_usable(wanted: str, image: str) -> None:
        raise EngineError("no engine can run the image 'cellprofiler'\n  docker: no daemon")

    monkeypatch.setattr("tasks.runtime.engines.engines.choose", none_usable)
    with pytest.raises(EngineError):
        make("measure").run()
    found = state_of(listed)

    assert (found.state, found.said) == ("failed", "no engine can run the image 'cellprofiler'")
    assert "no engine can run" in verb("status")[1]


def test_a_result_that_could_not_be_published_is_failed_with_all_its_units(listed: Layout, bench: Bench) -> None:
    mine = listed.published("analysis", BATCH, PLATE) / "analysis" / "mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("a week of my work")
    with pytest.raises(PublishError):
        make("measure").run()
    found = state_of(listed)

    assert (found.state, found.units) == ("failed", {"ok": 4})
    assert "was not made by this toolkit" in found.said


def test_an_error_of_ours_is_in_the_ledger_by_its_name(listed: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise KeyError("colour")

    monkeypatch.setattr("tasks.execution.attempts.gather", bug)
    with pytest.raises(KeyError):
        make("measure").run()

    assert (state_of(listed).state, state_of(listed).said) == ("failed", "KeyError: 'colour'")

"""Where jobs run: all of them, whatever becomes of single ones; none is left running, none is run twice."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tasks.definitions.stages import Resources
from tasks.errors import EngineError
from tasks.runtime.arrays import places
from tasks.runtime.arrays.places import Local, finished, forget
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.core.slots import Slots
from tests.unit.fakes import FakeEngine, good, make_run, make_stage, write_result


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "POLL_SECONDS", 0.01)


def jobs_of(folder: Path, count: int) -> list[Job]:
    units = tuple(f"A{number:02d}-1" for number in range(1, count + 1))
    return make_run(folder, make_stage("site"), shards=count, units=units).jobs()


def shards_of(folders: list[Path]) -> list[str]:
    return [folder.name.partition("-")[0] for folder in folders]


def local(folder: Path, engine: FakeEngine, cores: int = 2) -> Local:
    return Local(engine, Slots(folder / "slots", cores, cores))


def nothing() -> None:
    return None


def second_fails(job: Job, cancelled: threading.Event) -> Outcome:
    if job.folder.name.startswith("2of"):
        return Outcome(65, 0.0)
    write_result(job)
    return Outcome(0, 1.5, peak_memory_gb=0.25)


def test_all_jobs_run_even_if_one_fails(tmp_path: Path) -> None:
    engine = FakeEngine(second_fails)
    outcomes = local(tmp_path, engine).run(jobs_of(tmp_path, 4), nothing)

    assert [outcome.exit_code for outcome in outcomes] == [0, 65, 0, 0]
    assert shards_of(sorted(map(Path, engine.ran))) == ["1of4", "2of4", "3of4", "4of4"]


def test_no_jobs_are_no_outcomes(tmp_path: Path) -> None:
    assert local(tmp_path, FakeEngine(good)).run([], nothing) == []


def test_never_more_jobs_run_at_once_than_there_are_cores(tmp_path: Path) -> None:
    lock, running, seen = threading.Lock(), [0], []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        with lock:
            running[0] += 1
            seen.append(running[0])
        cancelled.wait(0.02)
        with lock:
            running[0] -= 1
        return Outcome(0, 0.0)

    local(tmp_path, FakeEngine(act)).run(jobs_of(tmp_path, 5), nothing)

    assert len(seen) == 5
    assert max(seen) == 2


def wait_for_the_end(job: Job, cancelled: threading.Event) -> Outcome:
    stopped = cancelled.wait(10)
    return Outcome(143 if stopped else 0, 0.0, cancelled=stopped)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_stops_every_job_and_is_passed_on(tmp_path: Path, end: type[BaseException]) -> None:
    outcomes: list[Outcome] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        outcomes.append(wait_for_the_end(job, cancelled))
        return outcomes[-1]

    def watch() -> None:
        if len(engine.ran) == 2:
            raise end

    engine = FakeEngine(act)
    jobs = jobs_of(tmp_path, 4)
    with pytest.raises(end):
        local(tmp_path, engine).run(jobs, watch)

    assert [outcome.cancelled for outcome in outcomes] == [True, True]
    assert len(engine.ran) == 2  # those that waited for a slot never began
    assert finished(jobs[0].folder.parent) == []


def test_what_an_engine_raises_stops_the_others_and_is_raised(tmp_path: Path) -> None:
    stopped: list[bool] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        if job.folder.name.startswith("1of2"):
            raise EngineError("the daemon is gone")
        stopped.append(wait_for_the_end(job, cancelled).cancelled)
        return Outcome(143, 0.0, cancelled=True)

    with pytest.raises(EngineError, match="the daemon is gone"):
        local(tmp_path, FakeEngine(act)).run(jobs_of(tmp_path, 2), nothing)

    assert stopped in ([True], [])  # stopped, or not begun


def test_a_job_that_is_too_big_is_refused_before_any_begins(tmp_path: Path) -> None:
    engine = FakeEngine(good)
    big = make_run(tmp_path, make_stage("site", resources=Resources(3, 1, 1, 0)), 2, ("A01-1", "A02-1")).jobs()
    with pytest.raises(EngineError, match="needs 3 cores"):
        local(tmp_path, engine).run(big, nothing)

    assert engine.ran == []


def test_a_job_leaves_what_is_needed_to_understand_and_repeat_it(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, 1)
    local(tmp_path, FakeEngine(good)).run([job], nothing)

    assert (job.folder / "command").read_text().endswith(f"fake {job.name} 'two words'\n")
    assert json.loads((job.folder / "job.json").read_text())["name"] == job.name


def test_each_job_is_told_of_once_as_it_ends_from_the_callers_thread(tmp_path: Path) -> None:
    told: list[tuple[str, int, bool]] = []

    def note(job: Job, outcome: Outcome) -> None:
        told.append((job.units[0], outcome.exit_code, threading.current_thread() is threading.main_thread()))

    local(tmp_path, FakeEngine(second_fails)).run(jobs_of(tmp_path, 3), nothing, note)

    assert sorted(told) == [("A01-1", 0, True), ("A02-1", 65, True), ("A03-1", 0, True)]


def test_a_finished_job_is_recorded(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 3)
    local(tmp_path, FakeEngine(second_fails)).run(jobs, nothing)
    record = json.loads((jobs[0].folder / "outcome.json").read_text())

    assert record == {"seconds": 1.5, "cpus": 1, "peak_memory_gb": 0.25}
    assert finished(jobs[0].folder.parent) == [jobs[0].folder, jobs[2].folder]


def test_a_job_that_left_no_result_is_not_finished(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 1)
    local(tmp_path, FakeEngine(lambda job, cancelled: Outcome(0, 1.0))).run(jobs, nothing)

    assert finished(jobs[0].folder.parent) == []


def test_a_half_done_job_starts_from_an_empty_folder_and_keeps_the_logs_of_earlier_tries(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, 1)
    seen: list[bool] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        seen.append((job.folder / "out/files/half.csv").exists())
        (job.folder / "out/files/half.csv").touch()
        return Outcome(1, 0.0)

    local(tmp_path, FakeEngine(act)).run([job], nothing)
    (job.folder / "failed-1.log").touch()
    local(tmp_path, FakeEngine(act)).run([job], nothing)

    assert seen == [False, False]
    assert (job.folder / "failed-1.log").exists()


def test_a_forgotten_job_is_not_finished(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 2)
    local(tmp_path, FakeEngine(good)).run(jobs, nothing)
    parent = jobs[0].folder.parent
    before = finished(parent)
    forget(parent)
    forget(parent)

    assert (before, finished(parent)) == ([job.folder for job in jobs], [])

"""Where jobs run: all of them, whatever becomes of single ones; none is left running, none is run twice."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import EngineError
from tasks.runtime import places
from tasks.runtime.job import Job, Outcome
from tasks.runtime.places import Local, forget, unfinished
from tasks.runtime.slots import Slots
from tasks.stages import Resources
from tests.unit.fakes import FakeEngine, good, make_run, make_stage, write_result


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "POLL_SECONDS", 0.01)


def jobs_of(folder: Path, count: int) -> list[Job]:
    return make_run(folder, make_stage("site"), shards=count).jobs()


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
    assert sorted(engine.ran) == ["1of4", "2of4", "3of4", "4of4"]


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
    assert unfinished(jobs) == jobs


def test_what_an_engine_raises_stops_the_others_and_is_raised(tmp_path: Path) -> None:
    stopped: list[bool] = []

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        if job.folder.name == "1of2":
            raise EngineError("the daemon is gone")
        stopped.append(wait_for_the_end(job, cancelled).cancelled)
        return Outcome(143, 0.0, cancelled=True)

    with pytest.raises(EngineError, match="the daemon is gone"):
        local(tmp_path, FakeEngine(act)).run(jobs_of(tmp_path, 2), nothing)

    assert stopped in ([True], [])  # stopped, or not begun


def test_a_job_that_is_too_big_is_refused_before_any_begins(tmp_path: Path) -> None:
    engine = FakeEngine(good)
    big = make_run(tmp_path, make_stage("site", resources=Resources(3, 1, 1, 0)), shards=2).jobs()
    with pytest.raises(EngineError, match="needs 3 cores"):
        local(tmp_path, engine).run(big, nothing)

    assert engine.ran == []


def test_a_job_leaves_what_is_needed_to_understand_and_repeat_it(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, 1)
    local(tmp_path, FakeEngine(good)).run([job], nothing)

    assert (job.folder / "command").read_text().endswith(f"fake {job.name} 'two words'\n")
    assert json.loads((job.folder / "job.json").read_text())["name"] == job.name


def test_a_finished_job_is_recorded_and_not_run_again(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 3)
    local(tmp_path, FakeEngine(second_fails)).run(jobs, nothing)
    record = json.loads((jobs[0].folder / "outcome.json").read_text())

    assert record == {"seconds": 1.5, "peak_memory_gb": 0.25}
    assert unfinished(jobs) == [jobs[1]]

    engine = FakeEngine(good)
    local(tmp_path, engine).run(unfinished(jobs), nothing)

    assert engine.ran == ["2of3"]
    assert unfinished(jobs) == []


def test_a_job_with_other_flags_is_another_job(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 2)
    local(tmp_path, FakeEngine(good)).run(jobs, nothing)
    other = replace(jobs[0], flags=(*jobs[0].flags, "--audit_sites", "1"))

    assert unfinished([other, jobs[1]]) == [other]


def test_a_job_that_left_no_result_is_not_finished(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 1)
    local(tmp_path, FakeEngine(lambda job, cancelled: Outcome(0, 1.0))).run(jobs, nothing)

    assert unfinished(jobs) == jobs


def test_a_half_done_job_starts_from_an_empty_folder(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 2)
    local(tmp_path, FakeEngine(second_fails)).run(jobs, nothing)
    (jobs[1].folder / "out/files/half.csv").touch()
    unfinished(jobs)

    assert not jobs[1].folder.exists()
    assert (jobs[0].folder / "out/result.json").exists()


def test_the_folders_of_another_sharding_are_removed(tmp_path: Path) -> None:
    local(tmp_path, FakeEngine(second_fails)).run(jobs_of(tmp_path, 2), nothing)
    jobs = jobs_of(tmp_path, 3)

    assert unfinished(jobs) == jobs
    assert list(jobs[0].folder.parent.iterdir()) == []


def test_a_forgotten_job_is_run_again(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, 2)
    local(tmp_path, FakeEngine(good)).run(jobs, nothing)
    forget(jobs[:1])
    forget(jobs[:1])

    assert unfinished(jobs) == jobs[:1]

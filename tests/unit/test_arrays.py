"""Jobs as arrays of a scheduler: every job once, whatever dies meanwhile; what another process submitted is adopted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.errors import EngineError
from tasks.runtime.arrays import array_folder, arrays, packing, queue
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.packing import Packing, pack
from tasks.runtime.arrays.queue import ElementState, NoAnswerError, Queue
from tasks.runtime.core.job import Job, Outcome
from tests.unit.fakes import FakeEngine, good, make_job, make_run, make_stage, write_result

SITES = ("A01-1", "A02-1", "A03-1", "A04-1")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_SECONDS", "MOST_SECONDS"):
        monkeypatch.setattr(arrays, name, 0.01)
        monkeypatch.setattr(queue, name, 0.0)


Ends = Callable[[Array, int, str], str]
"""What becomes of a job: its element's state; it may write the job's end."""


class Cluster:
    """A scheduler whose elements do at once what a function says."""

    name = "Fake"
    remedy = "look at the fake"

    def __init__(self, ends: Ends) -> None:
        self.watched: set[str] = set()
        self.ends = ends
        self.submitted: list[Array] = []
        self.states: dict[str, dict[int, str]] = {}
        self.cancelled: list[tuple[str, tuple[int, ...]]] = []
        self.silent = 0
        """How often it does not answer."""

    def submit(self, array: Array) -> str:
        array_id = str(7 + len(self.submitted))
        self.submitted.append(array)
        self.states[array_id] = {}
        for index, names in enumerate(array.elements):
            for name in names:
                self.states[array_id][index] = self.ends(array, index, name)
        if self.silent:
            self.silent -= 1
            raise NoAnswerError("it does not answer")
        return array_id

    def find(self, name: str) -> str:
        return next((str(7 + at) for at, array in enumerate(self.submitted) if array.name == name), "")

    def adopt(self, array: Array) -> None:
        self.watched.add(array.id)

    def judged(self, seen: ElementState, log: Path) -> ElementState:
        return seen

    def cancel(self, array_id: str, indices: Collection[int] = ()) -> None:
        self.cancelled.append((array_id, tuple(indices)))
        for index in indices or self.states[array_id]:
            self.states[array_id][index] = queue.CANCELLED

    def ask(self) -> queue.Arrays:
        return {
            array_id: [ElementState(index, index, how, how.upper()) for index, how in elements.items()]
            for array_id, elements in self.states.items()
            if array_id in self.watched
        }


def tell(array: Array, job: str, code: int = 0, timed_out: bool = False) -> None:
    """Write a job's end, as its element does."""
    told = {"exit_code": code, "seconds": 2, "timed_out": timed_out, "where": "n1", "id": "7_0"}
    (array.folder / "ended" / job).write_text(json.dumps(told))


def well(array: Array, index: int, job: str) -> str:
    (array.job_folder(job) / "out/result.json").write_text('{"warnings": [], "facts": {}}')
    tell(array, job)
    return queue.DONE


def all_well(array: Array) -> None:
    for index, names in enumerate(array.elements):
        for name in names:
            well(array, index, name)


def runs_on(array: Array, index: int, job: str) -> str:
    return queue.RUNS


def jobs_of(folder: Path, shards: int = 4) -> list[Job]:
    return make_run(folder, make_stage("site"), shards=shards, units=SITES).jobs()


def place(folder: Path, cluster: Cluster, **how: object) -> Arrays:
    return Arrays(FakeEngine(good), cluster, Queue(folder / "queue.json", cluster.ask), grace_seconds=0.0, **how)


def nothing() -> None:
    return None


class Stop(Exception):
    """Ends a run as a kill does: nothing of the place's own clean-up is asked for here."""


def die(folder: Path, cluster: Cluster, jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that submitted jobs die while it waits for them."""

    def watch() -> None:
        raise Stop

    with monkeypatch.context() as patched, pytest.raises(Stop):
        patched.setattr(Arrays, "_cancel", lambda self, arrays: None)
        place(folder, cluster).run(jobs, watch)


def die_cancelling(folder: Path, cluster: Cluster, jobs: list[Job]) -> None:
    """Let a process be interrupted while it waits for its jobs."""

    def watch() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(folder, cluster).run(jobs, watch)


def test_all_jobs_of_a_wave_are_one_array_and_each_is_told_of_once(tmp_path: Path) -> None:
    cluster = Cluster(well)
    told: list[str] = []
    jobs = jobs_of(tmp_path)
    outcomes = place(tmp_path, cluster).run(jobs, nothing, lambda job, outcome: told.append(job.name))

    assert outcomes == [Outcome(0, 2, where="n1, 7_0")] * 4
    assert sorted(told) == sorted(job.name for job in jobs)
    assert [len(array.elements) for array in cluster.submitted] == [4]
    assert all((job.folder / "outcome.json").exists() for job in jobs)
    assert (jobs[0].folder / "command").read_text() == f"fake {jobs[0].name} 'two words'\n"


def test_no_jobs_are_no_array(tmp_path: Path) -> None:
    cluster = Cluster(well)

    assert place(tmp_path, cluster).run([], nothing) == []
    assert cluster.submitted == []


def test_jobs_with_other_needs_are_an_array_of_their_own(tmp_path: Path) -> None:
    cluster = Cluster(well)
    jobs = jobs_of(tmp_path)
    jobs[1] = replace(jobs[1], resources=replace(jobs[1].resources, memory_gb=8))
    place(tmp_path, cluster).run(jobs, nothing)

    assert sorted((array.resources.memory_gb, len(array.elements)) for array in cluster.submitted) == [(1, 3), (8, 1)]


def test_an_element_of_several_jobs_has_the_minutes_of_all(tmp_path: Path) -> None:
    cluster = Cluster(well)
    place(tmp_path, cluster, packing=Packing(units_per_element=3)).run(jobs_of(tmp_path), nothing)
    (array,) = cluster.submitted

    assert [len(names) for names in array.elements] == [3, 1]
    assert array.resources.minutes == 3


END = {
    "failed": (65, queue.FAILED, Outcome(65, 2, where="n1, 7_0")),
    "too long": (124, queue.DONE, Outcome(124, 2, timed_out=True, where="n1, 7_0")),
    "killed by itself": (137, queue.DONE, Outcome(137, 2, where="n1, 7_0")),
    "killed for memory": (137, queue.OUT_OF_MEMORY, Outcome(137, 2, out_of_memory=True, where="n1, 7_0")),
    "ended for time": (143, queue.TIMED_OUT, Outcome(143, 2, timed_out=True, where="n1, 7_0")),
    "preempted": (143, queue.LOST, Outcome(143, 2, lost="7_0: LOST", where="n1, 7_0")),
    "cancelled": (143, queue.CANCELLED, Outcome(143, 2, cancelled=True, lost="7_0: CANCELLED", where="n1, 7_0")),
    "a program's own end, then memory": (65, queue.OUT_OF_MEMORY, Outcome(65, 2, where="n1, 7_0")),
}


@pytest.mark.parametrize(("code", "state", "expected"), END.values(), ids=END)
def test_what_an_element_tells_is_believed_and_a_signal_is_explained(
    tmp_path: Path, code: int, state: str, expected: Outcome
) -> None:
    def ends(array: Array, index: int, job: str) -> str:
        tell(array, job, code, timed_out=code == 124)
        return state

    (outcome,) = place(tmp_path, Cluster(ends)).run(jobs_of(tmp_path, 1), nothing)

    assert outcome == expected


SILENT = "it left no word of how it ended"
SILENCE = {
    queue.OUT_OF_MEMORY: Outcome(137, 0, out_of_memory=True, where="7_0"),
    queue.TIMED_OUT: Outcome(137, 0, timed_out=True, where="7_0"),
    queue.LOST: Outcome(137, 0, lost=f"7_0: LOST; {SILENT}", where="7_0"),
    queue.FAILED: Outcome(137, 0, lost=f"7_0: FAILED; {SILENT}", where="7_0"),
    queue.DONE: Outcome(137, 0, lost=f"7_0: DONE; {SILENT}", where="7_0"),
    queue.CANCELLED: Outcome(137, 0, cancelled=True, lost=f"7_0: CANCELLED; {SILENT}", where="7_0"),
}


@pytest.mark.parametrize("state", SILENCE)
def test_where_an_element_told_nothing_its_state_decides(tmp_path: Path, state: str) -> None:
    (outcome,) = place(tmp_path, Cluster(lambda array, index, job: state)).run(jobs_of(tmp_path, 1), nothing)

    assert outcome == SILENCE[state]


def test_what_is_in_the_queue_no_more_and_told_nothing_is_lost(tmp_path: Path) -> None:
    cluster = Cluster(runs_on)
    (outcome,) = place(tmp_path, cluster).run(jobs_of(tmp_path, 1), cluster.states.clear)

    assert outcome.lost == f"7_0: it is in the queue no more; {SILENT}"


def test_of_a_silent_element_its_first_job_is_to_blame_and_the_others_never_began(tmp_path: Path) -> None:
    cluster = Cluster(lambda array, index, job: queue.OUT_OF_MEMORY)
    outcomes = place(tmp_path, cluster, packing=Packing(4)).run(jobs_of(tmp_path), nothing)

    assert [outcome.out_of_memory for outcome in outcomes] == [True, False, False, False]
    assert all("never began" in outcome.lost for outcome in outcomes[1:])


def test_an_elements_word_may_be_seen_later_than_its_end(tmp_path: Path) -> None:
    looks = [0]
    cluster = Cluster(lambda array, index, job: queue.FAILED)

    def watch() -> None:
        looks[0] += 1
        if looks[0] == 3:
            tell(cluster.submitted[0], cluster.submitted[0].elements[0][0], 65)

    patient = replace(place(tmp_path, cluster), grace_seconds=30.0)
    (outcome,) = patient.run(jobs_of(tmp_path, 1), watch)

    assert outcome.exit_code == 65


def test_what_a_dead_process_submitted_is_adopted_and_not_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(runs_on)
    jobs = jobs_of(tmp_path)
    die(tmp_path, cluster, jobs, monkeypatch)
    (array,) = cluster.submitted
    left = place(tmp_path, cluster).left(jobs[0].folder.parent)

    outcomes = place(tmp_path, cluster).run(jobs, lambda: all_well(array))

    assert sorted(left) == sorted(job.folder for job in jobs)
    assert all(outcome.ok for outcome in outcomes)
    assert len(cluster.submitted) == 1
    assert place(tmp_path, cluster).left(jobs[0].folder.parent) == []


def test_a_process_that_died_before_it_wrote_the_id_finds_its_array_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(runs_on)
    jobs = jobs_of(tmp_path)
    die(tmp_path, cluster, jobs, monkeypatch)
    (cluster.submitted[0].folder / "id").unlink()
    outcomes = place(tmp_path, cluster).run(jobs, lambda: all_well(cluster.submitted[0]))

    assert all(outcome.ok for outcome in outcomes)
    assert len(cluster.submitted) == 1
    assert cluster.submitted[0].id == "7"


def test_what_was_written_down_and_never_submitted_is_submitted_anew_and_can_begin_no_more(tmp_path: Path) -> None:
    cluster = Cluster(well)
    jobs = jobs_of(tmp_path)
    for job in jobs:
        (job.folder / "out").mkdir(parents=True)
    stale = array_folder.write("stale", [[job] for job in jobs])
    outcomes = place(tmp_path, cluster).run(jobs, nothing)

    assert all(outcome.ok for outcome in outcomes)
    assert [array.name for array in cluster.submitted] != ["stale"]
    assert stale.is_cancelled


def test_what_a_dead_process_submitted_and_nobody_wants_any_more_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(runs_on)
    jobs = jobs_of(tmp_path)
    die(tmp_path, cluster, jobs, monkeypatch)
    cluster.ends = well
    for job in jobs[:2]:
        well(cluster.submitted[0], 0, job.folder.name)
    outcomes = place(tmp_path, cluster).run(jobs[:2], nothing)

    assert cluster.cancelled == [("7", (2, 3))]
    assert all(outcome.ok for outcome in outcomes)
    assert len(cluster.submitted) == 1


@pytest.mark.parametrize(("leaves", "cancelled"), [(False, [("7", ())]), (True, [])], ids=["cancel", "leave"])
def test_ctrl_c_cancels_or_leaves(tmp_path: Path, leaves: bool, cancelled: list[tuple[str, tuple[int, ...]]]) -> None:
    cluster = Cluster(runs_on)

    def watch() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(tmp_path, cluster, leaves=leaves).run(jobs_of(tmp_path), watch)

    assert cluster.cancelled == cancelled
    assert cluster.submitted[0].is_cancelled is not leaves


def test_of_a_cancelled_array_what_had_ended_well_is_taken_and_the_rest_runs_again(tmp_path: Path) -> None:
    cluster = Cluster(runs_on)
    jobs = jobs_of(tmp_path)

    def watch() -> None:
        well(cluster.submitted[0], 0, jobs[0].folder.name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(tmp_path, cluster).run(jobs, watch)
    cluster.ends = well
    outcomes = place(tmp_path, cluster).run(jobs, nothing)

    assert all(outcome.ok for outcome in outcomes)
    assert [len(array.elements) for array in cluster.submitted] == [4, 3]


def test_the_elements_of_a_cancelled_array_are_seen_out_before_others_work_in_their_folders(tmp_path: Path) -> None:
    cluster = Cluster(runs_on)
    jobs = jobs_of(tmp_path, 1)
    die_cancelling(tmp_path, cluster, jobs)
    cluster.states["7"][0] = queue.RUNS  # it takes its time to end
    cluster.ends = well
    looks: list[int] = []

    def watch() -> None:
        looks.append(len(cluster.submitted))
        if len(looks) == 3:
            cluster.states["7"][0] = queue.CANCELLED

    outcomes = place(tmp_path, cluster).run(jobs, watch)

    assert all(outcome.ok for outcome in outcomes)
    assert looks[:3] == [1, 1, 1]
    assert len(cluster.submitted) == 2


def test_any_other_error_cancels_even_where_an_interrupt_leaves(tmp_path: Path) -> None:
    cluster = Cluster(runs_on)

    def watch() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        place(tmp_path, cluster, leaves=True).run(jobs_of(tmp_path), watch)

    assert cluster.cancelled == [("7", ())]


def test_an_array_whose_submission_was_not_answered_is_not_submitted_twice(tmp_path: Path) -> None:
    cluster = Cluster(well)
    cluster.silent = 1
    outcomes = place(tmp_path, cluster).run(jobs_of(tmp_path), nothing)

    assert all(outcome.ok for outcome in outcomes)
    assert len(cluster.submitted) == 1


def test_what_will_never_start_is_a_named_error_and_is_cancelled(tmp_path: Path) -> None:
    cluster = Cluster(lambda array, index, job: queue.REFUSED)
    with pytest.raises(EngineError, match=r"never start job 7: REFUSED\n.*1 cores, 1 GB and 1 minutes"):
        place(tmp_path, cluster).run(jobs_of(tmp_path), nothing)

    assert cluster.cancelled == [("7", ())]


@given(
    units=some.lists(some.integers(0, 5), min_size=1, max_size=30),
    per_element=some.integers(0, 12),
    most=some.integers(1, 10),
)
def test_every_job_is_in_one_element_in_order_and_there_are_never_too_many(
    units: list[int], per_element: int, most: int
) -> None:
    named = (tuple(f"{number}.{unit}" for unit in range(count)) for number, count in enumerate(units))
    jobs = [replace(make_job(Path(f"/x/{number}")), units=names) for number, names in enumerate(named)]
    elements = pack(jobs, Packing(per_element, most))

    assert [job for element in elements for job in element] == jobs
    assert len(elements) <= most
    assert all(elements)
    if len(jobs) <= most:
        assert all(len(element) == 1 or packing._units(element) <= per_element for element in elements)


def test_a_job_that_ended_well_and_left_no_result_is_not_finished(tmp_path: Path) -> None:
    def ends(array: Array, index: int, job: str) -> str:
        tell(array, job)
        return queue.DONE

    jobs = jobs_of(tmp_path, 1)
    place(tmp_path, Cluster(ends)).run(jobs, nothing)
    before = (jobs[0].folder / "outcome.json").exists()
    write_result(jobs[0])
    place(tmp_path, Cluster(well)).run(jobs, nothing)

    assert not before
    assert (jobs[0].folder / "outcome.json").exists()

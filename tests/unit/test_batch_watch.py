"""What AWS Batch is asked about jobs: once for all, and no more than has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.runtime.arrays.queue import DONE, FAILED, LOST, QUEUED, REFUSED, RUNS, ElementState
from tasks.runtime.aws import batch_states
from tasks.runtime.aws.batch_watch import KEPT_SECONDS, STUCK_SECONDS, UNSEEN_SECONDS, Watch
from tests.unit.fake_batch import HOME, Batch, Clock, make_array, scheduler, use


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Batch:
    return use(monkeypatch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_all_jobs_are_asked_about_in_calls_of_a_hundred(tmp_path: Path, batch: Batch) -> None:
    watch = Watch(HOME, tmp_path)
    for number in range(250):
        watch.add(f"job-{number}", 1)
        batch.jobs[f"job-{number}"] = {"jobId": f"job-{number}", "status": "RUNNING"}
    found = watch.ask()

    assert [len(asked["jobs"]) for asked in batch.calls("describe_jobs")] == [100, 100, 50]
    assert len(batch.asked) == 3
    assert found["job-249"] == (ElementState(0, 0, RUNS, "RUNNING"),)


def lay(batch: Batch, size: int, status: str = "PENDING", failed: dict[int, str] | None = None, **counts: int) -> None:
    """Let there be an array: how many of its elements are in which state, and why some have failed."""
    why = failed or {}
    children = [{"jobId": f"a:{index}", "status": "FAILED", "statusReason": said} for index, said in why.items()]
    batch.children["a"] = children
    summary = {**counts, "FAILED": len(children)}
    batch.jobs["a"] = {"jobId": "a", "status": status, "arrayProperties": {"size": size, "statusSummary": summary}}


def test_of_an_array_the_failed_elements_are_listed_when_there_are_more_of_them(tmp_path: Path, batch: Batch) -> None:
    watch = Watch(HOME, tmp_path)
    watch.add("a", 5)
    lay(batch, 5, RUNNING=2, RUNNABLE=3)
    first = watch.ask()
    lay(batch, 5, failed={3: "Host EC2 (instance i-0) terminated."}, RUNNING=2, RUNNABLE=1, SUCCEEDED=1)
    second, third = watch.ask(), watch.ask()
    lay(
        batch,
        5,
        "FAILED",
        {1: "Essential container in task exited", 3: "Host EC2 (instance i-0) terminated."},
        SUCCEEDED=3,
    )
    last, after = watch.ask(), watch.ask()

    assert first["a"] == (ElementState(0, 1, RUNS, "RUNNING"), ElementState(2, 4, RUNS, "RUNNABLE"))
    assert second == third
    assert second["a"][0] == ElementState(3, 3, LOST, "FAILED, Host EC2 (instance i-0) terminated.")
    assert [(seen.first, seen.last, seen.said) for seen in second["a"][1:]] == [
        (0, 0, "SUCCEEDED"),
        (1, 2, "RUNNING"),
        (4, 4, "RUNNABLE"),
    ]
    assert [(seen.first, seen.last, seen.how) for seen in last["a"]] == [
        (1, 1, FAILED),
        (3, 3, LOST),
        (0, 0, DONE),
        (2, 2, DONE),
        (4, 4, DONE),
    ]
    assert last == after
    assert len(batch.calls("list_jobs")) == 2
    assert len(batch.calls("describe_jobs")) == 4


@given(some.data())
def test_every_element_has_one_state_and_the_counts_are_batchs_own(data: some.DataObject) -> None:
    size = data.draw(some.integers(2, 60))
    states = data.draw(
        some.lists(some.sampled_from([*batch_states.BEGUN, *batch_states.WAITING]), min_size=size, max_size=size)
    )
    failed = [index for index, state in enumerate(states) if state == "FAILED"]
    others = [index for index in range(size) if index not in failed]
    counts = {state: states.count(state) for state in states}
    found = batch_states.of_others(counts, others, RUNS)
    held = [(index, seen.said) for seen in found for index in range(seen.first, seen.last + 1)]

    assert sorted(index for index, _ in held) == others
    assert sorted(said for _, said in held) == sorted(state for state in states if state != "FAILED")


@pytest.mark.parametrize(
    ("job", "how"),
    [
        ({"status": "SUBMITTED"}, QUEUED),
        ({"status": "RUNNABLE"}, QUEUED),
        ({"status": "STARTING"}, RUNS),
        ({"status": "RUNNING"}, RUNS),
        ({"status": "SUCCEEDED"}, DONE),
        (
            {"status": "FAILED", "statusReason": "Essential container in task exited", "container": {"exitCode": 1}},
            FAILED,
        ),
    ],
)
def test_a_job_that_is_no_array_is_element_0(tmp_path: Path, batch: Batch, job: dict[str, Any], how: str) -> None:
    watch = Watch(HOME, tmp_path)
    watch.add("a", 1)
    batch.jobs["a"] = {"jobId": "a", **job}
    (seen,) = watch.ask()["a"]

    assert (seen.first, seen.last, seen.how) == (0, 0, how)
    assert seen.said.startswith(job["status"])


def test_what_is_over_is_told_for_an_hour_and_not_asked_about(tmp_path: Path, batch: Batch, clock: Clock) -> None:
    watch = Watch(HOME, tmp_path)
    watch.add("a", 1)
    batch.jobs["a"] = {"jobId": "a", "status": "SUCCEEDED"}
    watch.ask()
    clock.now += KEPT_SECONDS - 1
    before = watch.ask()
    clock.now += 2
    watch.ask()

    assert before["a"][0].how == DONE
    assert watch.ask() == {}
    assert len(batch.calls("describe_jobs")) == 1


def test_a_job_that_is_taken_up_long_after_its_end_is_asked_about_again(
    tmp_path: Path, batch: Batch, clock: Clock
) -> None:
    array = make_array(tmp_path, count=1)
    how = scheduler(tmp_path)
    array.submitted_as(how.submit(array))
    batch.jobs["job-1"] = {"jobId": "job-1", "status": "FAILED", "statusReason": "Host EC2 terminated"}
    how.ask()
    clock.now += 2 * KEPT_SECONDS
    gone = [how.ask(), how.ask()][1]
    how.adopt(array)

    assert gone == {}
    assert how.ask()["job-1"][0].how == LOST


def test_a_job_that_batch_does_not_know_yet_waits_and_one_that_it_forgot_is_lost(
    tmp_path: Path, batch: Batch, clock: Clock
) -> None:
    watch = Watch(HOME, tmp_path)
    watch.add("a", 3)
    first = watch.ask()
    clock.now += UNSEEN_SECONDS + 1

    assert first["a"] == (ElementState(0, 2, QUEUED, "not seen yet"),)
    assert watch.ask()["a"] == (ElementState(0, 2, LOST, "AWS Batch does not know it any more"),)


def waiting(batch: Batch, clock: Clock, folder: Path, *jobs: str) -> Watch:
    watch = Watch(HOME, folder)
    for age, job in enumerate(jobs):
        watch.add(job, 2)
        properties = {"size": 2, "statusSummary": {"RUNNABLE": 2}}
        batch.jobs[job] = {
            "jobId": job,
            "jobQueue": "arn:queue",
            "createdAt": age,
            "status": "PENDING",
            "arrayProperties": properties,
        }
        batch.children[job] = [{"jobId": f"{job}:0", "status": "RUNNABLE"}]
    clock.now += STUCK_SECONDS + 1
    return watch


def test_of_the_arrays_that_wait_the_oldest_is_asked_what_hinders_it(
    tmp_path: Path, batch: Batch, clock: Clock
) -> None:
    watch = waiting(batch, clock, tmp_path, "old", "new")
    before = watch.ask()
    why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no connected instances that meet the job requirements"
    batch.children["old"][0]["statusReason"] = why
    after = watch.ask()

    assert {seen.how for elements in before.values() for seen in elements} == {QUEUED}
    assert (after["old"][0].how, after["new"][0].how) == (REFUSED, QUEUED)
    assert why in after["old"][0].said
    assert "docs/aws.md" in after["old"][0].said
    assert {asked["arrayJobId"] for asked in batch.calls("list_jobs")} == {"old"}


def test_a_queue_that_became_invalid_refuses_all_that_wait_in_it(tmp_path: Path, batch: Batch, clock: Clock) -> None:
    watch = waiting(batch, clock, tmp_path, "old", "new")
    batch.queue |= {"status": "INVALID", "statusReason": "its machines are gone"}
    found = watch.ask()

    assert {seen.how for elements in found.values() for seen in elements} == {REFUSED}
    assert "platewright-spot is INVALID (its machines are gone)" in found["new"][0].said


def test_what_waits_for_a_short_while_costs_no_further_question(tmp_path: Path, batch: Batch, clock: Clock) -> None:
    watch = waiting(batch, clock, tmp_path, "old", "new")
    clock.now -= 2
    watch.ask()

    assert [name for name, _ in batch.asked] == ["describe_jobs"]

"""The place aws_batch without its data: real containers as jobs of a real Batch API, submitted, seen to end, cancelled.

The jobs' ends, which elements put on S3, the tests write themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from tasks.errors import EngineError
from tasks.runtime.arrays import arrays, queue
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.queue import NoAnswerError
from tasks.runtime.aws import batch_queues, batch_watch, job_definitions
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import AwsBatch
from tasks.runtime.aws.batch_options import Options
from tests.fleet.fleet import REGION, Fleet
from tests.fleet.place import SMALL, Place, in_background, tell
from tests.integration.toolkit import wait_for

pytestmark = [pytest.mark.engine("fleet"), pytest.mark.usefixtures("docker_shared")]

INDEX = "index=${AWS_BATCH_JOB_ID##*:}"
WELL, WAIT = f"{INDEX}; echo $index", "sleep 300"
SECOND_FAILS = f"{INDEX}; test $index != 1"
FILLS_MEMORY = "python3 -c 'held = bytearray(300 << 20)'"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet")) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_a_process_of_its_own(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fleet.variables.items():
        monkeypatch.setenv(name, value)
    for kept in (batch_queues._check, job_definitions._registered):
        kept.cache_clear()
    for module, name in ((arrays, "LEAST_SECONDS"), (arrays, "MOST_SECONDS"), (queue, "LEAST_SECONDS")):
        monkeypatch.setattr(module, name, 0.3)


Made = Callable[..., Place]


@pytest.fixture
def place(fleet: Fleet, tmp_path: Path) -> Made:
    return lambda line, **how: Place(fleet, tmp_path, line, **how)


@pytest.mark.parametrize("count", [1, 3])
def test_every_element_runs_and_knows_its_index(fleet: Fleet, place: Made, count: int) -> None:
    made = place(WELL)
    thread, ended = in_background(lambda: made.run(count))
    assert wait_for(lambda: bool(made.pushed) and bool(made.pushed[0].id), 30)
    (array,) = made.pushed
    for names in array.elements:
        tell(array, *names, peak_memory_gb=0.25)
    thread.join(60)
    (outcomes,) = ended
    assert wait_for(lambda: set(made.scheduler.ask()[array.id][0].how.split()) == {"done"}, 60)
    told = fleet.client("batch").describe_jobs(jobs=[array.id])["jobs"][0]

    assert [(outcome.exit_code, outcome.peak_memory_gb) for outcome in outcomes] == [(0, 0.25)] * count
    assert ("size" in told.get("arrayProperties", {})) == (count > 1)
    assert told["tags"] == {"stage": "paint", "batch": "B1", "plate": "P1", "user": "ann"}
    # What follows the colon of AWS_BATCH_JOB_ID; of a job that is no array there is none.
    assert logs(fleet) >= ({str(index) for index in range(count)} if count > 1 else {array.id})


def logs(fleet: Fleet) -> set[str]:
    """Return the lines that all containers so far have printed."""
    client = fleet.client("logs")
    streams = client.describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    asked = [{"logGroupName": "/aws/batch/job", "logStreamName": each["logStreamName"]} for each in streams]
    return {event["message"] for how in asked for event in client.get_log_events(**how)["events"]}


def test_of_an_element_that_ends_without_a_word_its_failure_is_known_and_the_others_are_done(place: Made) -> None:
    made = place(SECOND_FAILS)
    outcomes = made.run(3)
    said = [outcome.lost for outcome in outcomes]

    assert made.seen() == {0: "done", 1: "failed", 2: "done"}
    assert all(outcome.exit_code == 137 for outcome in outcomes)
    assert "FAILED, Essential container in task exited, exit code 1; it left no word" in said[1]
    assert "SUCCEEDED; it left no word" in said[0]


def test_a_container_that_is_killed_is_lost_and_the_others_go_on(place: Made) -> None:
    made = place(f"{INDEX}; test $index = 1 && sleep 300; sleep 15")
    thread, ended = in_background(lambda: made.run(3))
    assert wait_for(lambda: len(made.running()) == 3, 60)
    made.running()[f"{made.pushed[0].id}:1"].kill()
    thread.join(90)
    (outcomes,) = ended

    assert made.seen() == {0: "done", 1: "failed", 2: "done"}
    assert "exit code 137; it left no word" in outcomes[1].lost


def test_an_element_out_of_memory_is_known_as_such_and_an_override_gives_more(fleet: Fleet, place: Made) -> None:
    made = place(FILLS_MEMORY)
    (outcome,) = made.run(1)
    (job,) = made.jobs(1)
    more = replace(job, resources=replace(SMALL, memory_gb=0.5), folder=job.folder.with_name("again"), name="again")
    (again,) = made.arrays.run([more], lambda: None)
    definitions = {array.id: definition(fleet, array.id) for array in made.pushed}

    assert outcome.out_of_memory
    assert not outcome.lost
    assert not again.out_of_memory  # it ended well, and of that only the test's silence is to be told
    assert "SUCCEEDED" in again.lost
    assert len(set(definitions.values())) == 1


def definition(fleet: Fleet, job: str) -> str:
    revision: str = fleet.client("batch").describe_jobs(jobs=[job])["jobs"][0]["jobDefinition"]
    return revision


def test_ctrl_c_cancels_the_whole_array(fleet: Fleet, place: Made) -> None:
    made = place(WAIT)

    def interrupt() -> None:
        if len(made.running()) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.run(3, interrupt)

    assert wait_for(lambda: not made.running(), 60)
    assert wait_for(lambda: {each.how for each in made.scheduler.ask()[made.pushed[0].id]} == {"cancelled"}, 30)


def test_some_elements_are_cancelled_and_an_array_that_is_ended_from_outside_is_so_named(
    fleet: Fleet, place: Made
) -> None:
    made = place(WAIT)
    thread, ended = in_background(lambda: made.run(3))
    assert wait_for(lambda: len(made.running()) == 3, 60)
    made.scheduler.cancel(made.pushed[0].id, [0, 2])
    assert wait_for(lambda: set(made.running()) == {f"{made.pushed[0].id}:1"}, 60)
    fleet.client("batch").terminate_job(jobId=f"{made.pushed[0].id}:1", reason="too dear")
    thread.join(60)
    (outcomes,) = ended

    assert [outcome.cancelled for outcome in outcomes] == [True] * 3
    assert "cancelled by platewright" in outcomes[0].lost
    assert "too dear" in outcomes[1].lost


def test_a_run_that_is_taken_up_adopts_what_is_under_way(place: Made) -> None:
    first, second = place("sleep 15"), place("sleep 15")
    first.arrays = replace(first.arrays, leaves=True)

    def interrupt() -> None:
        if len(first.running()) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(2, interrupt)
    for path in (first.folder / "watched").iterdir():  # as on another host
        path.unlink()
    outcomes = second.run(2)

    assert second.pushed == []
    assert ["SUCCEEDED" in outcome.lost for outcome in outcomes] == [True, True]


def test_an_answer_that_was_lost_submits_nothing_twice(
    fleet: Fleet, place: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, submit = place(WELL), AwsBatch.submit
    submitted: list[str] = []

    def lose(scheduler: AwsBatch, array: Array) -> str:
        submitted.append(submit(scheduler, array))
        raise NoAnswerError("the answer was lost")

    monkeypatch.setattr(AwsBatch, "submit", lose)
    made.run(2)

    assert len(submitted) == 1
    assert made.pushed[0].id == submitted[0]


def test_a_server_that_is_away_is_asked_again_and_what_runs_is_seen_to_end(
    fleet: Fleet, place: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.runtime.aws import aws

    made = place("sleep 15")
    monkeypatch.setattr(aws, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(aws, "TRIES", 1)
    aws._client.cache_clear()
    thread, ended = in_background(lambda: made.run(2))
    assert wait_for(lambda: len(made.running()) == 2, 60)
    with fleet.silent():
        assert wait_for(lambda: made.queue.kept().said != "", 30)
        said = made.queue.kept().said
    thread.join(90)
    aws._client.cache_clear()

    assert said.startswith("AWS does not answer batch:DescribeJobs (Read timeout")
    assert made.seen() == {0: "done", 1: "done"}


def test_a_definition_is_used_again_and_has_a_new_revision_when_the_stage_changes(fleet: Fleet, place: Made) -> None:
    made = place(WELL)
    other = replace(made.scheduler.definition, resources=replace(SMALL, memory_gb=0.25))
    found = []
    for each in (made.scheduler.definition, made.scheduler.definition, other, other, made.scheduler.definition):
        job_definitions._registered.cache_clear()
        found.append(job_definitions.registered(Account(REGION, fleet.url), each).rpartition(":")[2])

    assert found == ["1", "1", "2", "2", "1"]


def test_a_queue_that_is_not_there_or_disabled_is_refused_with_its_name(fleet: Fleet, place: Made) -> None:
    fleet.make_queue("closed", "DISABLED")
    with pytest.raises(EngineError, match="there is no job queue 'nowhere'; known: .*platewright-spot"):
        place(WELL, options=Options("nowhere")).run(2)
    with pytest.raises(EngineError, match="the job queue closed is DISABLED: it takes no jobs; aws batch update"):
        place(WELL, options=Options("closed")).run(2)
    fleet.client("batch").update_job_queue(jobQueue="closed", state="ENABLED")
    outcomes = place(WELL, options=Options("closed")).run(1)

    assert "SUCCEEDED" in outcomes[0].lost


def test_a_queue_without_machines_is_refused_and_one_that_loses_them_ends_the_wait(
    fleet: Fleet, place: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = fleet.client("batch").update_compute_environment
    made = place(WAIT)
    monkeypatch.setattr(batch_watch, "STUCK_SECONDS", 0.0)
    monkeypatch.setattr("tasks.runtime.aws.batch_states.BEGUN", ("SUCCEEDED", "FAILED"))
    monkeypatch.setattr(
        "tasks.runtime.aws.batch_states.WAITING", ("STARTING", "RUNNING", "RUNNABLE", "PENDING", "SUBMITTED")
    )
    thread, ended = in_background(lambda: made.run(2))
    assert wait_for(lambda: len(made.running()) == 2, 60)
    switch(computeEnvironment="platewright-spot-machines", state="DISABLED")
    try:
        thread.join(60)
        batch_queues._check.cache_clear()
        with pytest.raises(EngineError, match="has no compute environment that takes jobs"):
            place(WELL).run(2)
    finally:
        switch(computeEnvironment="platewright-spot-machines", state="ENABLED")

    assert isinstance(ended[0], EngineError)
    assert "AWS Batch will never start job" in str(ended[0])
    assert "platewright-spot-machines is DISABLED" in str(ended[0])
    assert wait_for(lambda: not made.running(), 60)


def test_nothing_is_left_of_the_containers(fleet: Fleet) -> None:
    label = f"platewright.fleet.server={fleet.port}"
    assert wait_for(lambda: not docker.from_env().containers.list(ignore_removed=True, filters={"label": label}), 60)

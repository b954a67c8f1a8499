"""AWS Batch: what it is asked for an array, its job definition and its queue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.errors import EngineError
from tasks.runtime.aws import job_definitions
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.aws_batch import LONGEST_NAME, SPARE_MINUTES, job_name
from tasks.runtime.aws.batch_options import Options
from tasks.runtime.aws.job_definitions import Definition, says
from tests.unit.fake_batch import HOME, IMAGE, NEEDS, Batch, forget, make_array, scheduler, use
from tests.unit.fakes import BATCH, PLATE


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Batch:
    return use(monkeypatch)


def test_an_array_is_one_call_with_what_its_elements_need(tmp_path: Path, batch: Batch) -> None:
    array = make_array(tmp_path)
    found = scheduler(tmp_path).submit(array)
    (asked,) = batch.calls("submit_job")

    assert found == "job-1"
    assert asked == {
        "jobName": "an-array",
        "jobQueue": "platewright-spot",
        "jobDefinition": "arn:platewright-paint:1",
        "arrayProperties": {"size": 3},
        "containerOverrides": {
            "command": ["python", "-m", "batch_agent.element", "s3://b/an-array"],
            "environment": [{"name": "AWS_REGION", "value": "us-east-1"}],
        },
        "timeout": {"attemptDurationSeconds": (10 + SPARE_MINUTES) * 60},
        "propagateTags": True,
        "tags": {"stage": "paint", "batch": BATCH, "plate": PLATE, "user": "ann"},
    }


def test_an_array_of_one_element_is_a_job(tmp_path: Path, batch: Batch) -> None:
    scheduler(tmp_path).submit(make_array(tmp_path, count=1))

    assert "arrayProperties" not in batch.calls("submit_job")[0]


def test_what_luigi_cfg_says_is_given_to_batch(tmp_path: Path, batch: Batch) -> None:
    options = Options("cpu", "gpu", "arn:role", (("LEVEL", "3"),), (("project", "jump"), ("stage", "no")))
    batch.queue["jobQueueName"] = "gpu"
    how = scheduler(tmp_path, options, account=Account("us-east-1", "http://here:1"))
    how.submit(make_array(tmp_path, resources=replace(NEEDS, gpus=1, memory_gb=3)))
    (asked,) = batch.calls("submit_job")

    assert asked["jobQueue"] == "gpu"
    assert asked["tags"]["project"] == "jump"
    assert asked["tags"]["stage"] == "paint"
    assert {each["name"]: each["value"] for each in asked["containerOverrides"]["environment"]} == {
        "AWS_REGION": "us-east-1",
        "S3_ENDPOINT_URL": "http://here:1",
        "LEVEL": "3",
    }
    assert asked["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "3072"},
        {"type": "GPU", "value": "1"},
    ]


@given(some.text(min_size=1, max_size=200), some.text(min_size=1, max_size=200))
def test_a_job_has_a_name_that_batch_takes_and_no_other_has(name: str, other: str) -> None:
    made = job_name(name)

    assert len(made) <= LONGEST_NAME
    assert made[0].isalnum()
    assert made.replace("-", "").replace("_", "").isascii()
    assert made.replace("-", "").replace("_", "").isalnum()
    assert (made == job_name(other)) == (name == other)


def test_a_job_is_found_again_by_its_name(tmp_path: Path, batch: Batch) -> None:
    how = scheduler(tmp_path)
    batch.jobs = {
        "old": {"jobId": "old", "jobName": job_name("a.b"), "createdAt": 1, "status": "FAILED"},
        "new": {"jobId": "new", "jobName": job_name("a.b"), "createdAt": 2, "status": "RUNNABLE"},
        "another": {"jobId": "another", "jobName": job_name("A.b"), "createdAt": 3, "status": "RUNNABLE"},
    }

    assert how.find("a.b") == "new"
    assert how.find("a.c") == ""
    assert batch.calls("list_jobs")[0]["filters"] == [{"name": "JOB_NAME", "values": [job_name("a.b")]}]


def test_some_elements_are_cancelled_one_by_one_and_all_of_them_at_once(tmp_path: Path, batch: Batch) -> None:
    batch.jobs = {"array": {"jobId": "array", "arrayProperties": {"size": 3}}, "single": {"jobId": "single"}}
    how = scheduler(tmp_path)
    how.cancel("array", [2, 0])
    how.cancel("array", [0, 1, 2])
    how.cancel("single", [0])
    how.cancel("array")

    assert [asked["jobId"] for asked in batch.calls("terminate_job")] == [
        "array:0",
        "array:2",
        "array",
        "single",
        "array",
    ]


def test_a_definition_is_registered_once_and_again_when_it_changes(tmp_path: Path, batch: Batch) -> None:
    same = Definition("paint", IMAGE, NEEDS)
    changes = [
        same,
        replace(same, image=f"{IMAGE}4"),
        replace(same, resources=replace(NEEDS, cpus=3)),
        replace(same, job_role="arn:role"),
        replace(same, tags=(("project", "jump"),)),
        same,
    ]
    found = []
    for each in changes:
        forget()  # as another process
        found.append(job_definitions.registered(HOME, each).rpartition(":")[2])

    assert found == ["1", "2", "3", "4", "5", "1"]


def test_what_aws_adds_to_a_definition_is_no_change_but_what_a_person_adds_is_one(batch: Batch) -> None:
    definition = Definition("paint", IMAGE, NEEDS, "arn:role")
    job_definitions.registered(HOME, definition)
    (kept,) = batch.definitions
    container = kept["containerProperties"]
    container |= {"environment": [], "volumes": [], "ulimits": [], "mountPoints": [], "secrets": []}
    container["resourceRequirements"].reverse()
    kept |= {"parameters": {}, "status": "ACTIVE", "containerOrchestrationType": "ECS"}
    kept["retryStrategy"]["evaluateOnExit"] = []

    assert says(kept, definition.request())
    for name, value in {"privileged": True, "volumes": [{"host": {}}], "user": "nobody"}.items():
        assert not says({**kept, "containerProperties": {**container, name: value}}, definition.request())


def test_a_process_asks_once_about_a_queue_and_a_definition(tmp_path: Path, batch: Batch) -> None:
    for name in ("one", "two", "three"):
        scheduler(tmp_path).submit(make_array(tmp_path / name, name=name))

    assert [name for name, _ in batch.asked] == [
        "describe_job_queues",
        "describe_compute_environments",
        "describe_job_definitions",
        "register_job_definition",
        *["submit_job"] * 3,
    ]


@pytest.mark.parametrize(
    ("queue", "machines", "says_so"),
    [
        (None, {}, r"region us-east-1: there is no job queue 'platewright-spot'; known: none; docs/aws.md"),
        ({"state": "DISABLED"}, {}, "platewright-spot is DISABLED: it takes no jobs; aws batch update-job-queue"),
        ({"status": "INVALID", "statusReason": "no role"}, {}, r"platewright-spot is INVALID \(no role\); docs/aws.md"),
        ({}, {"status": "INVALID", "statusReason": "gone"}, r"takes jobs \(machines is INVALID \(gone\)\)"),
        ({}, {"state": "DISABLED"}, r"takes jobs \(machines is DISABLED\)"),
    ],
)
def test_a_queue_that_can_run_nothing_is_refused_by_name(
    tmp_path: Path, batch: Batch, queue: dict[str, str] | None, machines: dict[str, str], says_so: str
) -> None:
    batch.queue = {**batch.queue, **queue} if queue is not None else {}
    batch.machines |= machines

    with pytest.raises(EngineError, match=says_so):
        scheduler(tmp_path).submit(make_array(tmp_path))
    assert batch.calls("submit_job") == []

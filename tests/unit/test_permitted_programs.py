"""What runs there, with the template's policies enforced: the element in the role of jobs, store and scheduler as the
controller."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tasks.definitions.stages import Resources
from tasks.errors import EngineError, StoreError
from tasks.results.store.s3 import claim
from tasks.results.store.s3.bucket import Bucket
from tasks.results.store.s3.claim import Claims
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.aws import aws
from tasks.runtime.aws.aws import Account as Asked
from tasks.runtime.aws.aws_batch import AwsBatch
from tasks.runtime.aws.batch_options import Options
from tasks.runtime.aws.batch_watch import Watch
from tasks.runtime.aws.job_definitions import Definition
from tests.stages.gallery.service import S3
from tests.unit.aws_account import ACCOUNT, REGION, Account, Keys, account, deploy, job_role
from tests.unit.aws_permissions import enforced
from tests.unit.element_machine import Machine

__all__ = ["account", "job_role"]

PROGRAM = "(files / 'a.csv').write_text((inputs / 'x').read_text()); (out / 'result.json').write_text('{}')"


@pytest.fixture(scope="module")
def outputs(account: Account) -> dict[str, str]:
    return deploy(account, DataPrefix="root")


@pytest.fixture(scope="module")
def controller(account: Account, outputs: dict[str, str]) -> Keys:
    return account.user("controller", outputs["ControllerPolicies"].split())


@pytest.fixture
def as_controller(account: Account, controller: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let boto3 be the controller, and permissions be enforced."""
    for name, value in account.environment(controller).items():
        monkeypatch.setenv(name, value)
    aws._client.cache_clear()
    with enforced():
        yield
    aws._client.cache_clear()


@pytest.fixture
def machine(account: Account, outputs: dict[str, str], tmp_path: Path) -> Machine:
    made = Machine(tmp_path, S3(urlsplit(account.url).port or 0, outputs["Bucket"]))
    for key in made.keys(""):
        made.s3.client.delete_object(Bucket=made.s3.bucket, Key=key)
    return made


def test_an_element_fetches_runs_and_puts_in_the_role_of_jobs(
    account: Account, machine: Machine, job_role: str
) -> None:
    folder = machine.put("root/workspace/x", b"wells").removesuffix("x")
    machine.lay({"j1": machine.job(PROGRAM, [machine.input(folder, "")])})
    machine.variables |= account.environment(account.role(job_role))
    with enforced():
        done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.made() == {"a.csv": b"wells"}


def test_an_element_can_not_read_beside_the_data_root(account: Account, machine: Machine, job_role: str) -> None:
    machine.lay({"j1": machine.job(PROGRAM, [machine.input(machine.put("secret/x"), "x")])})
    machine.variables |= account.environment(account.role(job_role))
    with enforced():
        machine.run()

    assert machine.end()["exit_code"] != 0
    assert "AccessDenied" in machine.log()


def test_the_controllers_store_does_all_it_does_below_the_data_root(
    outputs: dict[str, str], as_controller: None, tmp_path: Path
) -> None:
    bucket, made = Bucket(outputs["Bucket"]), tmp_path / "made.csv"
    made.write_text("wells")
    bucket.put("root/made.csv", made)
    bucket.copy([("root/made.csv", "root/workspace/made.csv", 5)])
    bucket.fetch("root/workspace/made.csv", tmp_path / "fetched.csv")
    claims = Claims(bucket.made(claim.config()), bucket.name)
    with claims.at_once("root/.work/claims/plate") as held:
        assert held

    assert bucket.text("root/made.csv") == (tmp_path / "fetched.csv").read_text() == "wells"
    assert bucket.find("root/absent") is None
    assert bucket.has_any("root/workspace/")
    assert "root/workspace/made.csv" in [each.key for each in bucket.below("root/workspace/")]
    assert "workspace" in bucket.beside("root/")[1]
    bucket.delete(["root/made.csv", "root/workspace/made.csv"])
    assert bucket.find("root/made.csv") is None


def test_the_controllers_store_may_do_nothing_beside_the_data_root(
    account: Account, outputs: dict[str, str], as_controller: None, tmp_path: Path
) -> None:
    bucket, made = Bucket(outputs["Bucket"]), tmp_path / "made.csv"
    made.write_text("wells")
    account.client("s3").put_object(Bucket=bucket.name, Key="other/made.csv", Body=b"wells")
    for act in (
        lambda: bucket.put("other/made.csv", made),
        lambda: bucket.text("other/made.csv"),
        lambda: list(bucket.below("other/")),
        lambda: bucket.delete(["other/made.csv"]),
        lambda: bucket.copy([("other/made.csv", "root/made.csv", 5)]),
    ):
        with pytest.raises(StoreError, match="AccessDenied|Access Denied"):
            act()


@pytest.mark.parametrize(("role", "allowed"), [("", True), ("administrator", False)], ids=["of jobs", "another"])
def test_the_scheduler_submits_finds_asks_and_cancels_in_the_role_of_jobs_only(
    role: str, allowed: bool, account: Account, as_controller: None, job_role: str, tmp_path: Path
) -> None:
    given = f"arn:aws:iam::{ACCOUNT}:role/{role}" if role else job_role
    folder = tmp_path / ".work/runs/project/source/measure/batch/plate/r1/arrays/a1"
    folder.mkdir(parents=True)
    array = Array(folder, (("j1",), ("j2",)), Resources(1, 2, 10, 0), time.time())
    definition = Definition("measure", "registry/measure@sha256:0", array.resources, given, (("lab", "ours"),))
    watch = Watch(Asked(REGION), tmp_path / "watched")
    batch = AwsBatch(watch, definition, lambda array: "s3://any", Options(job_role=given), "scientist")
    expected = contextlib.nullcontext() if allowed else pytest.raises(EngineError, match="not authorized")
    with expected:
        submitted = batch.submit(array)
        assert batch.find(array.name) == submitted
        assert submitted in batch.ask()
        batch.cancel(submitted)

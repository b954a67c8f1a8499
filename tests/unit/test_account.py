"""What doctor says of an account: the template's, and one in which something is wrong."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from moto.iam.responses import IamResponse

from tasks.commands import checkup
from tasks.commands import checkup_aws as looked_at
from tasks.commands.finding import BAD, GOOD, NOTE, Finding
from tasks.definitions import stages
from tasks.runtime.aws import aws, batch_queues
from tasks.runtime.images import images
from tasks.runtime.slurm import partitions
from tasks.settings import checks, settings
from tasks.workflow import pipeline
from tests.unit.aws_account import ACCOUNT, REGION, Account, account, job_role, outputs
from tests.unit.aws_permissions import enforced, simulate_principal_policy
from tests.unit.conftest import LoadSettings

__all__ = ["account", "job_role", "outputs"]

REPOSITORY = "platewright/gallery"
"""Stands for that of the image of the tests."""
Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def examine(
    account: Account,
    outputs: dict[str, str],
    containers: Path,
    luigi_cfg: LoadSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Examine]:
    """Return a function that looks at the account by the template's own lines of luigi.cfg, some of them replaced."""
    monkeypatch.setattr(IamResponse, "simulate_principal_policy", simulate_principal_policy, raising=False)
    for name, value in account.environment(account.administrator).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    def look(**changed: str) -> dict[str, Finding]:
        text = outputs["LuigiCfg"]
        for key, value in {"endpoint_url": account.url, **changed}.items():
            lines = [line for line in text.splitlines() if line.partition(" = ")[0] != key]
            place = lines.index("[paths]" if key == "root" else "[aws_batch]") + 1
            text = "\n".join([*lines[:place], f"{key} = {value}", *lines[place:], ""])
        luigi_cfg(text)
        for kept in (aws._client, batch_queues._check):
            kept.cache_clear()
        return {seen.subject: seen for seen in looked_at.examine()}

    yield look
    for kept in (aws._client, batch_queues._check):
        kept.cache_clear()


@pytest.fixture
def pushed(account: Account, containers: Path) -> str:
    """Push the image of the tests; return the name that it is pulled by."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"digest": f"sha256:{'0' * 64}"}, "layers": []}
    given = {"repositoryName": REPOSITORY, "imageManifest": json.dumps(manifest), "imageTag": "any"}
    there = account.client("ecr")
    if not there.describe_images(repositoryName=REPOSITORY)["imageDetails"]:
        there.put_image(**given)
    digest = there.describe_images(repositoryName=REPOSITORY)["imageDetails"][0]["imageDigest"]
    name = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}@{digest}"
    images.write_lock("easel", "sha256:" + "1" * 64, pushed=name)
    return name


def test_of_the_templates_account_all_is_good(examine: Examine, pushed: str, job_role: str) -> None:
    seen = examine()

    assert {each.state for each in seen.values()} == {GOOD}, seen
    assert seen["AWS"].said == f"arn:aws:iam::{ACCOUNT}:user/administrator, region {REGION}"
    assert seen["bucket"].said.endswith("/data_root, in which nothing lies yet")
    assert seen["queue platewright-spot"].said == "ENABLED and VALID, at most 256 vCPUs at once: 2 stages"
    assert seen["queue platewright-gpu"].said == "ENABLED and VALID, at most 16 vCPUs at once: what needs GPUs"
    assert seen["pushed image easel"].said == pushed
    assert seen["job role"].said.startswith(f"{job_role} reads, writes and lists s3://")


@pytest.mark.parametrize(
    ("changed", "subject", "state", "said"),
    [
        ({"root": "s3://not-there/data"}, "bucket", BAD, "there is no bucket not-there"),
        ({"queue": "spto"}, "queue spto", BAD, "there is no job queue 'spto'; known: platewright-gpu"),
        ({"job_role": ""}, "job role", NOTE, "jobs have the role of their machines"),
        ({"job_role": f"arn:aws:iam::{ACCOUNT}:role/absent"}, "job role", BAD, "NoSuchEntity"),
        (
            {"job_role": "arn:aws:iam::999999999999:role/plain"},
            "job role",
            BAD,
            f"is arn:aws:iam::{ACCOUNT}:role/plain",
        ),
        ({"job_role": f"arn:aws:iam::{ACCOUNT}:role/plain"}, "job role", BAD, "does not trust ecs-tasks.amazonaws.com"),
        (
            {"job_role": f"arn:aws:iam::{ACCOUNT}:role/poor"},
            "job role",
            BAD,
            "lacks s3:GetObject, s3:PutObject, s3:List",
        ),
    ],
)
def test_what_is_wrong_is_named(
    changed: dict[str, str], subject: str, state: str, said: str, examine: Examine, account: Account
) -> None:
    iam = account.client("iam")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": looked_at.TAKEN_AS}, "Action": "sts:AssumeRole"}]
    }
    known = {each["RoleName"] for each in iam.list_roles()["Roles"]}
    for name, document in {"plain": {}, "poor": trust}.items():
        if name not in known:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
    seen = examine(**changed)[subject]

    assert seen.state == state
    assert said in seen.said


def test_a_volume_is_looked_at_in_the_place_of_a_bucket(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"root": str(tmp_path / "lab"), "volume": "host:/mnt/fsx"}
    of_this_machine = examine(**given)["volume"]
    monkeypatch.setattr(partitions, "unshared", lambda path: "")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    root = examine(**given)["volume"]
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    seen = examine(**given)

    assert (of_this_machine.state, root.state, seen["volume"].state) == (NOTE, NOTE, GOOD)
    assert f"host:/mnt/fsx is mounted for jobs at {tmp_path}/lab, which lies on" in of_this_machine.said
    assert root.said.endswith("which is root")
    assert seen["job role"].said.endswith("what it may do with the file system was not asked")
    assert "bucket" not in seen


def test_an_image_that_was_not_pushed_is_bad_as_is_one_that_is_not_in_the_registry_any_more(
    examine: Examine, pushed: str, account: Account
) -> None:
    images.write_lock("easel", "sha256:" + "2" * 64)
    before = examine()["pushed image easel"]
    images.write_lock("easel", "sha256:" + "2" * 64, pushed=pushed[:-4] + "0000")
    gone = examine()["pushed image easel"]
    images.write_lock("easel", "sha256:" + "2" * 64, pushed="registry.lab.org/easel@sha256:0")
    elsewhere = examine()["pushed image easel"]

    assert (before.state, before.said) == (BAD, "the image was not pushed to a registry from here")
    assert before.remedy.startswith("python -m tasks images push")
    assert gone.state == BAD and "ImageNotFound" in gone.said
    assert elsewhere.state == GOOD and elsewhere.said.endswith("was not asked")


def test_a_stage_that_a_queue_can_never_hold_is_bad(
    examine: Examine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looked_at, "_most_vcpus", lambda account, queue: 0)

    assert examine()["stage paint"].said == "it needs 1 vCPUs, and the queue platewright-spot has 0 at most"


def test_a_stages_own_queue_is_looked_at_too(
    examine: Examine, account: Account, outputs: dict[str, str], luigi_cfg: LoadSettings
) -> None:
    examine()
    text = outputs["LuigiCfg"].replace("[aws_batch]\n", f"[aws_batch]\nendpoint_url = {account.url}\n")
    luigi_cfg(text + "[paint]\naws_batch_queue = platewright-on-demand\n[frame]\naws_batch_queue = large\n")
    seen = {each.subject: each for each in looked_at.examine()}

    assert seen["queue platewright-on-demand"].said.endswith("at most 64 vCPUs at once: 1 stages")
    assert "there is no job queue 'large'" in seen["queue large"].said


def test_a_disabled_queue_is_bad(examine: Examine, account: Account) -> None:
    batch = account.client("batch")
    batch.update_job_queue(jobQueue="platewright-spot", state="DISABLED")
    seen = examine()["queue platewright-spot"]
    batch.update_job_queue(jobQueue="platewright-spot", state="ENABLED")

    assert seen.state == BAD
    assert "it takes no jobs; aws batch update-job-queue" in seen.said


def test_who_is_the_controller_may_look_at_all_of_it(
    examine: Examine, pushed: str, account: Account, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = account.user("operator", outputs["ControllerPolicies"].split())
    for name, value in keys.items():
        monkeypatch.setenv(name.upper(), value)
    with enforced():
        seen = examine()

    assert {each.state for each in seen.values()} == {GOOD}, seen


def test_who_may_nothing_gets_a_finding_of_each_and_no_traceback(
    examine: Examine, pushed: str, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in account.user("stranger", []).items():
        monkeypatch.setenv(name.upper(), value)
    with enforced():
        seen = examine()

    assert {name: each.state for name, each in seen.items()} == {
        "AWS": GOOD,
        "bucket": BAD,
        "queue platewright-spot": BAD,
        "queue platewright-gpu": BAD,
        "pushed image easel": NOTE,
        "job role": NOTE,
    }


@contextmanager
def page_of_html() -> Iterator[str]:
    """Serve what a proxy answers to everything."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b"<!doctype html><p>Sorry")

        do_GET = do_POST

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_proxy_that_answers_for_aws_is_told_of_without_a_traceback(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "TRIES", 1)
    with page_of_html() as url:
        seen = examine(endpoint_url=url)

    assert {name: each.state for name, each in seen.items()} == {"AWS": BAD}
    assert "AWS does not answer sts:GetCallerIdentity" in seen["AWS"].said


def test_what_the_role_may_do_is_left_open_where_iam_can_not_be_asked(
    examine: Examine, pushed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(IamResponse, "simulate_principal_policy")
    monkeypatch.setattr(aws, "TRIES", 1)
    seen = examine()["job role"]

    assert seen.state == NOTE
    assert "what it may do could not be asked: AWS does not answer iam:SimulatePrincipalPolicy" in seen.said


def test_without_credentials_only_that_is_said(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    seen = examine()

    assert list(seen) == ["AWS"]
    assert (seen["AWS"].state, "Unable to locate credentials" in seen["AWS"].said) == (BAD, True)


def test_the_outputs_of_the_stack_are_settings_that_there_are(outputs: dict[str, str], luigi_cfg: LoadSettings) -> None:
    luigi_cfg(outputs["LuigiCfg"])
    checks.check(pipeline.stage_settings())

    assert settings.resources(stages.stage("collate")).cpus == 8
    assert settings.load().retries.most_memory_gb == 60


def test_on_this_machine_no_account_is_looked_at(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert list(looked_at.examine()) == []


def test_doctor_looks_at_the_account_in_the_place_of_engines(examine: Examine, pushed: str) -> None:
    examine()
    subjects = [each.subject for each in checkup.examine()]

    assert {"AWS", "bucket", "job role"} < set(subjects)
    assert not any(each.startswith(("engine", "image", "SIF", "GPU")) for each in subjects)

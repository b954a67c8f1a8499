"""What the template's policies allow and deny: tried with real requests, by those who have them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.aws_account import ACCOUNT, Account, Keys, account, job_role, outputs
from tests.unit.aws_permissions import allows, enforced

__all__ = ["account", "job_role", "outputs"]

DATA = {
    "read": ("s3", "get_object", {"Key": "data_root/plate.csv"}),
    "look": ("s3", "head_object", {"Key": "data_root/plate.csv"}),
    "write": ("s3", "put_object", {"Key": "data_root/made.csv", "Body": b"wells"}),
    "write if absent": ("s3", "put_object", {"Key": "data_root/claim", "Body": b"mine", "IfNoneMatch": "*"}),
    "upload in parts": ("s3", "create_multipart_upload", {"Key": "data_root/large.sqlite"}),
    "list": ("s3", "list_objects_v2", {"Prefix": "data_root/.work/"}),
    "delete": ("s3", "delete_object", {"Key": "data_root/old.csv"}),
    "delete many": ("s3", "delete_objects", {"Delete": {"Objects": [{"Key": "data_root/a"}, {"Key": "data_root/b"}]}}),
}
NO_DATA = {
    "read another prefix": ("s3", "get_object", {"Key": "data_root2/plate.csv"}),
    "read beside the prefix": ("s3", "get_object", {"Key": "secret.csv"}),
    "write another prefix": ("s3", "put_object", {"Key": "data_root2/plate.csv", "Body": b""}),
    "delete another prefix": ("s3", "delete_object", {"Key": "data_root2/plate.csv"}),
    "list another prefix": ("s3", "list_objects_v2", {"Prefix": "data_root2/"}),
    "list the bucket": ("s3", "list_objects_v2", {}),
    "read another bucket": ("s3", "get_object", {"Bucket": "other", "Key": "plate/image.tiff"}),
    "write another bucket": ("s3", "put_object", {"Bucket": "other", "Key": "data_root/plate.csv", "Body": b""}),
    "list another bucket": ("s3", "list_objects_v2", {"Bucket": "other", "Prefix": "data_root/"}),
    "list the buckets": ("s3", "list_buckets", {"Bucket": None}),
    "delete the bucket": ("s3", "delete_bucket", {}),
    "open the bucket": ("s3", "put_bucket_policy", {"Policy": "{}"}),
    "make a role": ("iam", "create_role", {"RoleName": "mine", "AssumeRolePolicyDocument": "{}"}),
    "give a role more": ("iam", "attach_role_policy", {"RoleName": "any", "PolicyArn": "arn:aws:iam::aws:policy/Any"}),
    "make a user": ("iam", "create_user", {"UserName": "mine"}),
    "start a machine": ("ec2", "run_instances", {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}),
    "delete a queue": ("batch", "delete_job_queue", {"jobQueue": "platewright-spot"}),
    "delete a repository": ("ecr", "delete_repository", {"repositoryName": "platewright/gallery"}),
}
GALLERY = {
    "read the gallery": ("s3", "get_object", {"Bucket": "cellpainting-gallery", "Key": "plate/image.tiff"}),
    "list the gallery": ("s3", "list_objects_v2", {"Bucket": "cellpainting-gallery", "Prefix": "plate/"}),
}
NO_GALLERY = {
    "write to the gallery": ("s3", "put_object", {"Bucket": "cellpainting-gallery", "Key": "plate/x", "Body": b""}),
}
BATCH = {
    "look at queues": ("batch", "describe_job_queues", {}),
    "look at environments": ("batch", "describe_compute_environments", {}),
    "look at definitions": ("batch", "describe_job_definitions", {"status": "ACTIVE"}),
    "look at jobs": ("batch", "describe_jobs", {"jobs": ["any"]}),
    "list jobs": ("batch", "list_jobs", {"jobQueue": "platewright-spot"}),
}
CONTAINER = {
    "image": "any@sha256:0",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
}
ALLOWED, DENIED = (200, 204, 412), 403  # 412: somebody else has written it before, which only who may write is told
Call = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def keys(account: Account, outputs: dict[str, str], job_role: str) -> Iterator[dict[str, Keys]]:
    """Enforce permissions; return the keys of a controller, a job, and of one whom nothing allows anything."""
    s3 = account.client("s3")
    for bucket in ("cellpainting-gallery", "other"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="plate/image.tiff", Body=b"pixels")
    for key in ("data_root/plate.csv", "data_root/.work/ended/1", "data_root2/plate.csv", "secret.csv"):
        s3.put_object(Bucket=outputs["Bucket"], Key=key, Body=b"wells")
    account.client("ecr").create_repository(repositoryName="other")
    account.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")
    made = {
        "controller": account.user("controller", outputs["ControllerPolicies"].split()),
        "job": account.role(job_role),
        "nobody": account.user("nobody", []),
    }
    with enforced():
        yield made


def ask(account: Account, keys: Keys, bucket: str, call: Call) -> int:
    """Do what a call says, by default with the bucket of the data root; return the status of the answer."""
    service, action, what = call
    given = {"Bucket": bucket, **what} if service == "s3" else what
    try:
        answer = getattr(account.client(service, keys), action)(**{k: v for k, v in given.items() if v is not None})
    except ClientError as error:
        answer = error.response
    if any(each["Code"] == "AccessDenied" for each in answer.get("Errors", [])):  # of many keys
        return DENIED
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def named(*calls: dict[str, Call]) -> Callable[[Any], Any]:
    table = {name: call for each in calls for name, call in each.items()}
    return pytest.mark.parametrize("call", table.values(), ids=table.keys())


@pytest.mark.parametrize("who", ["job", "controller"])
@named(DATA)
def test_jobs_and_the_controller_may_do_all_to_the_files_of_the_data_root(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], who: str, call: Call
) -> None:
    assert ask(account, keys[who], outputs["Bucket"], call) in ALLOWED


@pytest.mark.parametrize("who", ["job", "controller"])
@named(NO_DATA, NO_GALLERY)
def test_jobs_and_the_controller_may_do_nothing_beside_the_data_root(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], who: str, call: Call
) -> None:
    assert ask(account, keys[who], outputs["Bucket"], call) == DENIED


@named(GALLERY)
def test_jobs_may_read_the_gallery(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], call: Call
) -> None:
    assert ask(account, keys["job"], outputs["Bucket"], call) in ALLOWED


@named(BATCH)
def test_the_controller_may_look_at_batch_and_jobs_may_not(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], call: Call
) -> None:
    assert ask(account, keys["controller"], "", call) in ALLOWED
    assert ask(account, keys["job"], "", call) == DENIED


@named(DATA, BATCH, GALLERY)
def test_whom_no_policy_allows_anything_may_do_nothing_so_the_tests_above_can_fail(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], call: Call
) -> None:
    assert ask(account, keys["nobody"], outputs["Bucket"], call) == DENIED


def job(queue: str = "platewright-spot", definition: str = "platewright-measure") -> Call:
    what = {"jobName": "any", "jobQueue": queue, "jobDefinition": definition, "tags": {"plate": "P"}}
    return ("batch", "submit_job", what)


def definition(name: str, role: str) -> Call:
    container = CONTAINER | {"jobRoleArn": role}
    what = {"jobDefinitionName": name, "type": "container", "containerProperties": container, "tags": {"stage": "any"}}
    return ("batch", "register_job_definition", what)


def test_the_controller_may_run_the_stages_in_the_role_of_jobs_and_in_no_other(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], job_role: str
) -> None:
    def asked(*call: Any, who: str = "controller") -> int:
        return ask(account, keys[who], "", call)  # type: ignore[arg-type]

    assert asked(*definition("platewright-measure", job_role)) == 200
    assert asked(*definition("other", job_role)) == DENIED
    assert asked(*definition("platewright-measure", f"arn:aws:iam::{ACCOUNT}:role/any")) == DENIED
    assert asked(*definition("platewright-measure", job_role), who="job") == DENIED


def test_the_controller_may_submit_to_the_queues_of_the_stack_and_end_what_it_submitted(
    account: Account, outputs: dict[str, str], keys: dict[str, Keys], job_role: str
) -> None:
    for name in ("platewright-measure", "other"):
        assert ask(account, account.administrator, "", definition(name, job_role)) == 200
    for queue in ("platewright-spot", "platewright-on-demand", "platewright-gpu"):
        submitted = account.client("batch", keys["controller"]).submit_job(**job(queue)[2])
        end = ("batch", "terminate_job", {"jobId": submitted["jobId"], "reason": "any"})

        assert ask(account, keys["controller"], "", end) == 200
        assert ask(account, keys["job"], "", end) == DENIED
    assert ask(account, keys["controller"], "", job(definition="other")) == DENIED
    assert ask(account, keys["controller"], "", job(queue="others")) == DENIED
    assert ask(account, keys["job"], "", job()) == DENIED


def test_doctor_may_look_at_the_role_of_jobs_and_at_no_other(
    account: Account, keys: dict[str, Keys], job_role: str
) -> None:
    asked = [("iam", "get_role", {"RoleName": name}) for name in (job_role.rpartition("/")[2], "any")]

    assert [ask(account, keys["controller"], "", call) for call in asked] == [200, DENIED]


@pytest.mark.parametrize(
    ("repository", "status"), [("platewright/gallery", 200), ("other", DENIED)], ids=["of an image", "another"]
)
def test_the_controller_may_push_images_to_the_stacks_repositories_and_to_no_other(
    account: Account, keys: dict[str, Keys], repository: str, status: int
) -> None:
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config = {"digest": f"sha256:{'0' * 64}"}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
    calls: list[Call] = [
        ("ecr", "put_image", {"repositoryName": repository, "imageTag": "any", "imageManifest": manifest}),
        ("ecr", "describe_images", {"repositoryName": repository}),
        ("ecr", "batch_get_image", {"repositoryName": repository, "imageIds": [{"imageTag": "any"}]}),
    ]

    assert [ask(account, keys["controller"], "", call) for call in calls] == [status] * 3
    assert [ask(account, keys["job"], "", call) for call in calls] == [DENIED] * 3
    assert ask(account, keys["controller"], "", ("ecr", "get_authorization_token", {})) == 200


S5CMD = {
    "a file": ["cp", "{root}/plate.csv", "{here}/plate.csv"],
    "a folder": ["cp", "{root}/.work/*", "{here}/"],
    "a listing": ["ls", "{root}/.work/*"],
    "what is there": ["cat", "{root}/plate.csv"],
    "results": ["cp", "{here}/made", "{root}/.work/made"],
    "images of the gallery": ["cp", "s3://cellpainting-gallery/plate/*", "{here}/"],
}


@pytest.mark.parametrize("words", S5CMD.values(), ids=S5CMD.keys())
def test_a_job_stages_its_files_with_s5cmd_in_its_role(
    words: list[str], account: Account, outputs: dict[str, str], keys: dict[str, Keys], tmp_path: Path
) -> None:
    (tmp_path / "made").write_text("wells")
    named = {"root": f"s3://{outputs['Bucket']}/data_root", "here": str(tmp_path)}
    given = [str(Path(sys.executable).with_name("s5cmd")), *(word.format(**named) for word in words)]
    done = {
        who: subprocess.run(given, env=account.environment(keys[who]), capture_output=True, text=True, check=False)
        for who in ("job", "nobody")
    }

    assert (done["job"].returncode, done["job"].stderr) == (0, "")
    assert (done["nobody"].returncode, "status code: 403" in done["nobody"].stderr) == (1, True)


@pytest.mark.parametrize(
    ("action", "arn", "context", "expected"),
    [
        ("s3:GetObject", "arn:aws:s3:::b/root/x", {}, True),
        ("S3:getobject", "arn:aws:s3:::b/root/x", {}, True),
        ("s3:GetObject", "arn:aws:s3:::b/root", {}, False),
        ("s3:GetObject", "arn:aws:s3:::b/root/secret/x", {}, False),
        ("s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "root/"}, True),
        ("s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "rootless/"}, False),
        ("s3:ListBucket", "arn:aws:s3:::b", {}, False),
        ("s3:PutObject", "arn:aws:s3:::b/root/x", {}, False),
    ],
)
def test_a_policy_is_evaluated_as_iam_does(action: str, arn: str, context: dict[str, str], expected: bool) -> None:
    policy = {
        "Statement": [
            {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::b/root/*"]},
            {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/root/secret/*"},
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::b",
                "Condition": {"StringLike": {"s3:prefix": "root/*"}},
            },
        ]
    }

    assert allows([policy], action, arn, context) is expected

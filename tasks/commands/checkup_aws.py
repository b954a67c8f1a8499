"""What doctor looks at where [runtime] place = aws_batch: who asks, bucket or volume, queues, images, role of jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.commands.finding import BAD, GOOD, NOTE, Finding
from tasks.definitions import stages
from tasks.definitions.stages import Stage
from tasks.errors import EngineError, StageError
from tasks.execution import backends
from tasks.results.store.store import Store
from tasks.runtime.arrays import places
from tasks.runtime.arrays.queue import NoAnswerError
from tasks.runtime.aws import aws, batch_queues
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.volumes import Mounted
from tasks.runtime.images import images
from tasks.runtime.slurm import partitions
from tasks.settings import sections, settings

MANUAL = "docs/aws.md"
ECR = re.compile(r"(?P<owner>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.[a-z.]+/(?P<path>.+)@(?P<digest>.+)")
TAKEN_AS = "ecs-tasks.amazonaws.com"
"""Who takes a job's role for it (AWS Batch User Guide, "Create an IAM role for your jobs")."""
OBJECT_RIGHTS = ["s3:GetObject", "s3:PutObject"]
MISSING = ("NoSuchEntity", "ImageNotFound", "RepositoryNotFound")
"""What AWS answers of what is not there, as against what one may not ask."""


def examine() -> Iterator[Finding]:
    """Look at the account from here; nothing is submitted or written."""
    if settings.load().place != places.AWS_BATCH:
        return
    store, mounted, account = settings.load().store, backends.mounted(), backends.account()
    try:
        region = aws.region(account)
        who = aws.ask(account, "sts", "get_caller_identity")["Arn"]
    except (EngineError, NoAnswerError) as error:
        yield Finding("AWS", BAD, str(error), f"{MANUAL} says how to log in")
        return
    yield Finding("AWS", GOOD, f"{who}, region {region}")
    if store.url:
        yield _bucket(store)
    if mounted:
        yield _volume(mounted)
    yield from _queues(account)
    yield from (_image(account, name) for name in stages.stage_images())
    yield from _role(account, store)


def _bucket(store: Store) -> Finding:
    try:
        return Finding("bucket", GOOD, store.examine())
    except (StageError, FileNotFoundError) as error:
        return Finding("bucket", BAD, str(error), f"[paths] root, or {MANUAL}")


def _volume(mounted: Mounted) -> Finding:
    """Look at what is mounted here; whether it is what jobs will see there, nobody can tell but a job."""
    kind, given = partitions.file_system(mounted.root), sections.aws_batch().volume
    said = f"{given} is mounted for jobs at {mounted.root}, which lies on {kind} here; they run as {mounted.user}"
    if partitions.unshared(mounted.root):
        return Finding("volume", NOTE, said, f"mount the same file system here: {MANUAL}")
    if mounted.user.startswith("0:"):
        return Finding("volume", NOTE, f"{said}, which is root", "run luigi as somebody else")
    return Finding("volume", GOOD, said)


def _queues(account: Account) -> Iterator[Finding]:
    users: dict[str, list[Stage]] = {}
    for stage in stages.load().values():
        users.setdefault(backends.batch_options_of(stage).queue_for(settings.resources(stage)), []).append(stage)
    users |= {name: [] for name in [sections.aws_batch().gpu_queue] if name and name not in users}
    for name, of_it in users.items():
        try:
            batch_queues.check(account, name)
            vcpus = _most_vcpus(account, name)
        except (EngineError, NoAnswerError) as error:
            yield Finding(f"queue {name}", BAD, str(error), f"[aws_batch] queue, or {MANUAL}")
            continue
        what = f"{len(of_it)} stages" if of_it else "what needs GPUs"
        yield Finding(f"queue {name}", GOOD, f"ENABLED and VALID, at most {vcpus} vCPUs at once: {what}")
        for stage in of_it:
            if settings.resources(stage).cpus > vcpus:
                said = f"it needs {settings.resources(stage).cpus} vCPUs, and the queue {name} has {vcpus} at most"
                yield Finding(f"stage {stage.name}", BAD, said, f"[{stage.name}] cpus, or aws_batch_queue")


def _most_vcpus(account: Account, queue: str) -> int:
    order = batch_queues.described(account, [queue])[0]["computeEnvironmentOrder"]
    asked = [each["computeEnvironment"] for each in order]
    found = aws.all_of(account, "batch", "describe_compute_environments", computeEnvironments=asked)
    return sum(int(each.get("computeResources", {}).get("maxvCpus", 0)) for each in found)


def _image(account: Account, name: str) -> Finding:
    subject = f"pushed image {name}"
    try:
        pushed = images.pushed(name)
    except EngineError as error:
        said, _, remedy = str(error).partition("; type: ")
        return Finding(subject, BAD, said, remedy)
    registry = ECR.fullmatch(pushed)
    if not registry:
        return Finding(subject, GOOD, f"{pushed}; whether it is still there was not asked")
    there = Account(registry["region"], account.endpoint_url)
    what = [{"imageDigest": registry["digest"]}]
    try:
        aws.ask(
            there,
            "ecr",
            "describe_images",
            registryId=registry["owner"],
            repositoryName=registry["path"],
            imageIds=what,
        )
    except (EngineError, NoAnswerError) as error:
        return Finding(subject, _state(error), str(error), f"python -m tasks images push {name} --registry ...")
    return Finding(subject, GOOD, pushed)


def _role(account: Account, store: Store) -> Iterator[Finding]:
    arn = sections.aws_batch().job_role or ""
    if not arn:
        said = "[aws_batch] job_role is empty: jobs have the role of their machines, which was not looked at"
        yield Finding("job role", NOTE, said, MANUAL)
        return
    try:
        role = aws.ask(account, "iam", "get_role", RoleName=arn.rpartition("/")[2])["Role"]
    except (EngineError, NoAnswerError) as error:
        yield Finding("job role", _state(error), str(error), f"[aws_batch] job_role, or {MANUAL}")
        return
    if role["Arn"] != arn:
        yield Finding("job role", BAD, f"this account's role of that name is {role['Arn']}", "[aws_batch] job_role")
    elif TAKEN_AS not in json.dumps(role["AssumeRolePolicyDocument"]):
        yield Finding("job role", BAD, f"it does not trust {TAKEN_AS}, which takes it for jobs", MANUAL)
    elif store.url:
        yield _rights(account, store, arn)
    else:
        yield Finding("job role", GOOD, f"{arn}; what it may do with the file system was not asked")


def _rights(account: Account, store: Store, arn: str) -> Finding:
    """Ask IAM what the role may do to the data root."""
    name, _, folder = store.url.removeprefix("s3://").partition("/")
    bucket, start = f"arn:{arn.split(':')[1]}:s3:::{name}", f"{folder}/" if folder else ""
    prefix = {"ContextKeyName": "s3:prefix", "ContextKeyType": "string", "ContextKeyValues": [start]}
    objects = {"ActionNames": OBJECT_RIGHTS, "ResourceArns": [f"{bucket}/{start}any"]}
    listing = {"ActionNames": ["s3:ListBucket"], "ResourceArns": [bucket], "ContextEntries": [prefix]}
    try:
        lacking = [right for asked in (objects, listing) for right in _denied(account, arn, asked)]
    except (EngineError, NoAnswerError) as error:
        return Finding("job role", NOTE, f"{arn}; what it may do could not be asked: {error}")
    if lacking:
        return Finding("job role", BAD, f"{arn} lacks {', '.join(lacking)} on {store.url}", MANUAL)
    return Finding("job role", GOOD, f"{arn} reads, writes and lists {store.url}")


def _denied(account: Account, arn: str, asked: Mapping[str, Any]) -> list[str]:
    answer = aws.ask(account, "iam", "simulate_principal_policy", PolicySourceArn=arn, **asked)
    return [each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] != "allowed"]


def _state(error: Exception) -> str:
    """Return how bad it is that something could not be looked at: bad only if it is not there."""
    return BAD if any(word in str(error) for word in MISSING) else NOTE

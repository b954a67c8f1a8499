"""An account of AWS in a box: S3 and AWS Batch on loopback, whose jobs are containers of the Docker Engine here.

    with Fleet(folder) as fleet:
        subprocess.run([...], env=os.environ | fleet.variables)

What `Fleet` makes by calls, infrastructure/aws.yaml makes in a real account: a bucket, a role, a network, a compute
environment and a queue.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import docker
from stagekit import whole

from tasks.dataset import layout
from tests.integration.toolkit import REPOSITORY, wait_for

REGION, ACCOUNT = "us-east-1", "123456789012"
BUCKET, QUEUE, ENVIRONMENT, ROLE = (
    "platewright-test",
    "platewright-spot",
    "platewright-spot-machines",
    "platewright-job",
)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
START_SECONDS = 60


@dataclass
class Fleet:
    """A server on a port of its own; what it was told it forgets when it ends."""

    folder: Path
    """Where its log goes."""
    efs: Path | None = None
    """The folder of this machine that is mounted as any file system of EFS."""
    port: int = field(default_factory=lambda: free_port())
    _server: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Fleet:
        self.start()
        self.furnish()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return what a process needs to speak to it, as boto3 and s5cmd read it."""
        return {**CREDENTIALS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.url}

    @property
    def settings(self) -> dict[str, str]:
        """Return [aws_batch] of luigi.cfg: jobs have no role here, so they are given credentials by name and value."""
        given = " ".join(f"{name}={value}" for name, value in CREDENTIALS.items())
        return {"queue": QUEUE, "region": REGION, "endpoint_url": self.url, "environment": given, "grace_seconds": "3"}

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        session = boto3.session.Session(region_name=REGION, **keys)
        return session.client(service, endpoint_url=self.url)

    def start(self) -> None:
        """Start the server; on a port that it had before it is found again, with nothing in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        own = {"MOTO_DOCKER_NETWORK_MODE": "host", "MOTO_PORT": str(self.port), **CREDENTIALS}
        own |= {"FLEET_EFS": str(self.efs)} if self.efs else {}
        words = [sys.executable, "-m", "tests.fleet.server", str(self.port)]
        with open(self.folder / "moto.log", "ab") as log:
            how: Mapping[str, Any] = {"cwd": REPOSITORY, "stdout": log, "stderr": log, "env": {**os.environ, **own}}
            self._server = subprocess.Popen(words, **how)
        if not wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, START_SECONDS):
            raise RuntimeError((self.folder / "moto.log").read_text())

    def stop(self) -> None:
        """End the server at once; its containers end as they will."""
        if self._server:
            self._server.kill()
            self._server.wait()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Let the server not answer for a while: it forgets nothing."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)

    def furnish(self) -> None:
        """Make the bucket, the role, the network, the compute environment and the queue."""
        self.client("s3").create_bucket(Bucket=BUCKET)
        iam, ec2 = self.client("iam"), self.client("ec2")
        role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        profile = iam.create_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"]["Arn"]
        iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="platewright", Description="jobs", VpcId=network)["GroupId"]
        self.client("batch").create_compute_environment(
            computeEnvironmentName=ENVIRONMENT,
            type="MANAGED",
            state="ENABLED",
            serviceRole=role,
            computeResources={
                "type": "SPOT",
                "minvCpus": 0,
                "maxvCpus": 64,
                "instanceTypes": ["optimal"],
                "subnets": [subnet],
                "securityGroupIds": [group],
                "instanceRole": profile,
            },
        )
        self.make_queue(QUEUE)

    def make_queue(self, name: str, state: str = "ENABLED") -> None:
        order = [{"order": 1, "computeEnvironment": ENVIRONMENT}]
        self.client("batch").create_job_queue(jobQueueName=name, state=state, priority=1, computeEnvironmentOrder=order)

    def containers(self, array_id: str = "") -> dict[str, Any]:
        """Return the containers of jobs that run here, by the job's id; of an array those of its elements."""
        found = docker.from_env().containers.list(
            ignore_removed=True, filters={"label": f"platewright.fleet.server={self.port}"}
        )
        by_id = {each.labels["platewright.fleet"]: each for each in found}
        return {
            job: each for job, each in by_id.items() if job.partition(":")[0] == (array_id or job.partition(":")[0])
        }

    def clear(self) -> None:
        """Remove the containers that outlived the server."""
        engine = docker.from_env()
        for each in engine.containers.list(
            all=True, ignore_removed=True, filters={"label": f"platewright.fleet.server={self.port}"}
        ):
            with contextlib.suppress(docker.errors.APIError):
                each.remove(force=True)


@contextlib.contextmanager
def named_by_digest(*names: str) -> Iterator[None]:
    """Let images bear in images.lock the digests that the engine here has, as if they were pushed; then as before."""
    before = layout.IMAGES_LOCK.read_text()
    lock = json.loads(before)
    named = {name: {"pushed": lock[name]["digest"], **lock[name]} for name in names}
    whole.write(layout.IMAGES_LOCK, json.dumps(lock | named))
    try:
        yield
    finally:
        whole.write(layout.IMAGES_LOCK, before)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

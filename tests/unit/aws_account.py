"""An AWS account on loopback: moto's server in this process, and what moto's CloudFormation cannot delete."""

from __future__ import annotations

import configparser
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from moto.batch.models import ComputeEnvironment, JobQueue, batch_backends
from moto.core.models import default_user_config
from moto.ec2.models import ec2_backends
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPCEndPoint
from moto.iam.models import ManagedPolicy, iam_backends
from moto.server import ThreadedMotoServer

from tasks.dataset import layout

TEMPLATE = layout.REPOSITORY / "infrastructure" / "aws.yaml"
ACCOUNT, REGION = "123456789012", "us-east-1"
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
EC2_KINDS = {
    "vpcs": "VpcId",
    "subnets": "SubnetId",
    "route_tables": "RouteTableId",
    "internet_gateways": "InternetGatewayId",
    "vpc_endpoints": "VpcEndpointId",
    "security_groups": "GroupId",
    "launch_templates": "LaunchTemplateId",
}
Keys = Mapping[str, str]


@dataclass(frozen=True)
class Account:
    """Where the account answers, and who its administrator is."""

    url: str
    administrator: Keys

    def client(self, service: str, keys: Keys | None = None) -> Any:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        where = {"endpoint_url": self.url, "region_name": REGION, "config": config}
        return boto3.client(service, **where, **(keys or self.administrator))

    def environment(self, keys: Keys) -> dict[str, str]:
        """Return the variables by which programs find this account and these keys."""
        return {key.upper(): value for key, value in keys.items()} | {
            "S3_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def inventory(self) -> set[str]:
        """Return the names of all there is of what the template makes."""
        ec2, iam, batch = self.client("ec2"), self.client("iam"), self.client("batch")
        found = {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}
        found |= {each["repositoryArn"] for each in self.client("ecr").describe_repositories()["repositories"]}
        found |= {each["jobQueueArn"] for each in batch.describe_job_queues()["jobQueues"]}
        environments = batch.describe_compute_environments()["computeEnvironments"]
        found |= {each["computeEnvironmentArn"] for each in environments}
        found |= {each["Arn"] for each in iam.list_roles()["Roles"]}
        found |= {each["Arn"] for each in iam.list_policies(Scope="Local")["Policies"]}
        found |= {each["Arn"] for each in iam.list_instance_profiles()["InstanceProfiles"]}
        for what, key in EC2_KINDS.items():
            answer = getattr(ec2, f"describe_{what}")()
            found |= {each[key] for each in next(value for value in answer.values() if isinstance(value, list))}
        return found

    def user(self, name: str, policies: list[str]) -> Keys:
        """Make a user with some policies; return the keys."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

    def role(self, arn: str) -> Keys:
        """Return keys of a role, as ECS gives them to a container; before permissions are enforced."""
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="job")["Credentials"]
        keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
        return keys | {"aws_session_token": made["SessionToken"]}


@contextmanager
def serve() -> Iterator[Account]:
    """Serve an empty account with an administrator."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        for kind, delete in DELETIONS.items():
            patch.setattr(kind, "delete", delete, raising=False)
        patch.setitem(default_user_config, "batch", {"use_docker": False})  # jobs end at once, and start nothing
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            _, port = server.get_host_and_port()
            made = Account(f"http://127.0.0.1:{port}", {"aws_access_key_id": "any", "aws_secret_access_key": "any"})
            urlopen(Request(f"{made.url}/moto-api/reset", method="POST")).close()  # all of a process share one
            made.client("iam").create_policy(PolicyName="administrator", PolicyDocument=json.dumps(ADMINISTRATOR))
            keys = made.user("administrator", [f"arn:aws:iam::{ACCOUNT}:policy/administrator"])
            yield Account(made.url, keys)
        finally:
            server.stop()


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with serve() as made:
        yield made


@pytest.fixture(scope="module")
def outputs(account: Account) -> dict[str, str]:
    """Deploy the template as it is; return what the stack says."""
    return deploy(account)


@pytest.fixture(scope="module")
def job_role(outputs: dict[str, str]) -> str:
    return luigi_cfg_of(outputs)["aws_batch"]["job_role"]


def luigi_cfg_of(outputs: Mapping[str, str]) -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read_string(outputs["LuigiCfg"])
    return config


def deploy(made: Account, name: str = "platewright", **parameters: str) -> dict[str, str]:
    """Create a stack, and return its outputs.

    Two things that AWS does itself are given: moto splits no default of a list, and has no service-linked roles.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    lists = re.findall(r"^  (\w+):\n    Type: CommaDelimitedList\n(?:    #.*\n)*    Default: (\S+)", text, re.MULTILINE)
    given = {each: default for each, default in lists if default != '""'}
    given |= {"ServiceRole": _service_role(made), **parameters}
    stacks = made.client("cloudformation")
    stacks.create_stack(
        StackName=name,
        TemplateBody=text,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    outputs = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def _service_role(made: Account) -> str:
    iam = made.client("iam")
    try:
        arn: str = iam.get_role(RoleName="AWSServiceRoleForBatch")["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        arn = iam.create_role(RoleName="AWSServiceRoleForBatch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return arn


def _delete_gateway(self: InternetGateway, account_id: str, region: str) -> None:
    backend = ec2_backends[account_id][region]
    if self.vpc:
        backend.detach_internet_gateway(self.id, self.vpc.id)
    backend.delete_internet_gateway(self.id)


def _disassociate(self: SubnetRouteTableAssociation, account_id: str, region: str) -> None:
    table = ec2_backends[account_id][region].route_tables.get(self.route_table_id)
    for association, subnet in list(table._associations.items()) if table else []:
        if subnet == self.subnet_id:
            del table._associations[association]


def _delete_route_table(self: RouteTable, account_id: str, region: str) -> None:
    backend = ec2_backends[account_id][region]
    if self.id in backend.route_tables:
        backend.delete_route_table(self.id)


def _delete_endpoint(self: VPCEndPoint, account_id: str, region: str) -> None:
    del ec2_backends[account_id][region].vpc_end_points[self.id]


def _delete_policy(self: ManagedPolicy, account_id: str, region: str) -> None:
    backend = iam_backends[account_id]["aws"]
    for role in backend.roles.values():
        role.managed_policies.pop(self.arn, None)
    backend.delete_policy(self.arn)


def _delete_queue(self: JobQueue, account_id: str, region: str) -> None:
    batch_backends[account_id][region].delete_job_queue(self.name)


def _delete_environment(self: ComputeEnvironment, account_id: str, region: str) -> None:
    batch_backends[account_id][region].delete_compute_environment(self.name)


DELETIONS: Mapping[type, Any] = {
    InternetGateway: _delete_gateway,
    SubnetRouteTableAssociation: _disassociate,
    RouteTable: _delete_route_table,
    VPCEndPoint: _delete_endpoint,
    ManagedPolicy: _delete_policy,
    JobQueue: _delete_queue,
    ComputeEnvironment: _delete_environment,
}
"""How resources go that moto's CloudFormation only makes."""

"""The CloudFormation template: checked, made and deleted on moto, and looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from tasks.dataset import layout
from tasks.definitions import stages
from tasks.settings import aws_prices
from tests.unit.aws_account import REGION, TEMPLATE, Account, account, deploy, luigi_cfg_of, outputs

__all__ = ["account", "outputs"]


def properties(resource: str) -> dict[str, Any]:
    """Return what the template says of a resource, where moto leaves it out."""
    return cfn_yaml.load(TEMPLATE)["Resources"][resource]["Properties"]


def test_cfn_lint_finds_nothing() -> None:
    command = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([command, TEMPLATE], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_manual_names_every_parameter_and_no_output_that_there_is_not() -> None:
    docs = layout.REPOSITORY / "docs"
    manual = "".join((docs / name).read_text(encoding="utf-8") for name in ("aws.md", "aws_account.md"))
    written = cfn_yaml.load(TEMPLATE)

    assert [name for name in written["Parameters"] if f"`{name}`" not in manual] == []
    assert set(re.findall(r"outputs ([A-Z]\w+)", manual)) == set(written["Outputs"])


def test_plan_reckons_with_the_disk_that_machines_have() -> None:
    assert aws_prices.read(aws_prices.OURS).disk_gb == cfn_yaml.load(TEMPLATE)["Parameters"]["DiskGb"]["Default"]


def test_every_image_that_stages_run_in_has_its_repository() -> None:
    kinds = cfn_yaml.load(TEMPLATE)["Resources"].values()
    names = [each["Properties"]["RepositoryName"] for each in kinds if each["Type"] == "AWS::ECR::Repository"]

    assert [name["Fn::Sub"] for name in names] == [f"${{NamePrefix}}/{image}" for image in stages.stage_images()]


def test_images_are_pushed_to_where_the_repositories_are(account: Account, outputs: dict[str, str]) -> None:
    there = account.client("ecr").describe_repositories()["repositories"]

    assert {each["repositoryUri"] for each in there} == {f"{outputs['Registry']}/{i}" for i in stages.stage_images()}


@pytest.mark.parametrize(
    ("queue", "kind", "types", "most", "image"),
    [
        ("platewright-spot", "SPOT", "m5.2xlarge", 256, "ECS_AL2023"),
        ("platewright-on-demand", "EC2", "m5.2xlarge", 64, "ECS_AL2023"),
        ("platewright-gpu", "SPOT", "g4dn.xlarge", 16, "ECS_AL2023_NVIDIA"),
    ],
)
def test_every_queue_takes_jobs_for_machines_of_its_kind_which_are_none_while_idle(
    account: Account, outputs: dict[str, str], queue: str, kind: str, types: str, most: int, image: str
) -> None:
    batch = account.client("batch")
    found = batch.describe_job_queues(jobQueues=[queue])["jobQueues"][0]
    order = [each["computeEnvironment"] for each in found["computeEnvironmentOrder"]]
    environments = batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
    resources = environments[0]["computeResources"]

    assert (found["state"], found["status"], len(environments)) == ("ENABLED", "VALID", 1)
    assert (environments[0]["state"], environments[0]["status"]) == ("ENABLED", "VALID")
    assert (resources["type"], resources["instanceTypes"][0]) == (kind, types)
    assert (resources["minvCpus"], resources["maxvCpus"]) == (0, most)
    assert resources["ec2Configuration"] == [{"imageType": image}]
    assert len(resources["subnets"]) == 3


def test_the_bucket_is_encrypted_and_private_and_keeps_no_half_uploads(
    account: Account, outputs: dict[str, str]
) -> None:
    found = account.client("s3").get_bucket_encryption(Bucket=outputs["Bucket"])
    rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
    written = properties("DataBucket")  # moto makes no more of it
    block, lifecycle = written["PublicAccessBlockConfiguration"], written["LifecycleConfiguration"]["Rules"]

    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert len(block) == 4 and set(block.values()) == {True}
    assert [each["AbortIncompleteMultipartUpload"] for each in lifecycle] == [{"DaysAfterInitiation": 3}]


def test_machines_have_an_encrypted_disk_and_sessions_for_their_metadata(
    account: Account, outputs: dict[str, str]
) -> None:
    found = account.client("ec2").describe_launch_template_versions(Versions=["$Latest"])["LaunchTemplateVersions"]
    data = found[0]["LaunchTemplateData"]
    disk, metadata = data["BlockDeviceMappings"][0]["Ebs"], data["MetadataOptions"]

    assert (disk["VolumeSize"], disk["VolumeType"], disk["Encrypted"]) == (200, "gp3", True)
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)


def test_nothing_comes_in_only_https_goes_out_and_s3_is_reached_without_a_nat(
    account: Account, outputs: dict[str, str]
) -> None:
    ec2 = account.client("ec2")
    own = [each for each in ec2.describe_security_groups()["SecurityGroups"] if each["GroupName"] != "default"]
    endpoint = ec2.describe_vpc_endpoints()["VpcEndpoints"][0]

    assert [group["IpPermissions"] for group in own] == [[]]
    assert "SecurityGroupIngress" not in properties("SecurityGroup")
    assert [(to["FromPort"], to["ToPort"]) for to in properties("SecurityGroup")["SecurityGroupEgress"]] == [(443, 443)]
    assert (endpoint["VpcEndpointType"], endpoint["ServiceName"]) == ("Gateway", f"com.amazonaws.{REGION}.s3")
    assert ec2.describe_nat_gateways()["NatGateways"] == []


def test_the_outputs_are_the_lines_of_luigi_cfg(account: Account, outputs: dict[str, str]) -> None:
    config = luigi_cfg_of(outputs)
    role = account.client("iam").get_role(RoleName=config["aws_batch"]["job_role"].rpartition("/")[2])["Role"]

    assert config["paths"]["root"] == f"s3://{outputs['Bucket']}/data_root"
    assert dict(config["runtime"]) == {"place": "aws_batch"}
    assert config["aws_batch"]["job_role"] == role["Arn"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    for key, queue in (("queue", "platewright-spot"), ("gpu_queue", "platewright-gpu")):
        assert config["aws_batch"][key] == queue
    assert config["aws_batch"]["region"] == REGION


def test_a_bucket_and_a_network_that_are_there_are_used(account: Account, outputs: dict[str, str]) -> None:
    ec2, batch = account.client("ec2"), account.client("batch")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    account.client("s3").create_bucket(Bucket="lab")
    own = {"NamePrefix": "lab", "ExistingBucket": "lab", "ExistingVpc": vpc, "ExistingSubnets": subnet}
    other = deploy(account, "lab", **own, DataPrefix="cell/painting", SpotMaxvCpus="1600")
    kinds = account.client("cloudformation").describe_stack_resources(StackName="lab")["StackResources"]
    made = [each.get("ResourceType") for each in kinds]
    queue = batch.describe_job_queues(jobQueues=["lab-spot"])["jobQueues"][0]
    environment = queue["computeEnvironmentOrder"][0]["computeEnvironment"]
    found = batch.describe_compute_environments(computeEnvironments=[environment])["computeEnvironments"][0]

    assert {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::S3::Bucket"}.isdisjoint(made)
    assert "root = s3://lab/cell/painting\n" in other["LuigiCfg"]
    assert (found["computeResources"]["subnets"], found["computeResources"]["maxvCpus"]) == ([subnet], 1600)


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..EC2..SecurityGroupEgress")
def test_a_file_system_is_reached_by_nfs_alone_and_jobs_may_mount_it_but_not_as_root(
    account: Account, outputs: dict[str, str]
) -> None:
    ec2, iam = account.client("ec2"), account.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    targets = ec2.create_security_group(GroupName="targets", Description="EFS", VpcId=vpc)["GroupId"]
    efs = f"arn:aws:elasticfilesystem:{REGION}:123456789012:file-system/fs-0123456789abcdef0"
    own = {"NamePrefix": "files", "ExistingVpc": vpc, "ExistingSubnets": subnet}
    made = deploy(account, "files", **own, FileSystemSecurityGroup=targets, FileSystemArn=efs)
    role = luigi_cfg_of(made)["aws_batch"]["job_role"].rpartition("/")[2]
    document = iam.get_role_policy(RoleName=role, PolicyName="file-system")["PolicyDocument"]["Statement"][0]
    (comes_in,) = ec2.describe_security_groups(GroupIds=[targets])["SecurityGroups"][0]["IpPermissions"]
    machines = ec2.describe_security_groups(GroupIds=[comes_in["UserIdGroupPairs"][0]["GroupId"]])["SecurityGroups"][0]
    goes_out = properties("NfsOut")  # moto makes nothing of it

    assert (comes_in["FromPort"], comes_in["ToPort"]) == (2049, 2049)
    assert machines["Description"] == "Machines of Platewright - nothing comes in"
    assert (goes_out["FromPort"], goes_out["DestinationSecurityGroupId"]) == (2049, {"Ref": "FileSystemSecurityGroup"})
    assert document["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert document["Resource"] == efs
    assert iam.list_role_policies(RoleName=luigi_cfg_of(outputs)["aws_batch"]["job_role"].rpartition("/")[2])[
        "PolicyNames"
    ] == ["gallery"]


def test_a_stack_that_is_deleted_leaves_nothing_but_its_bucket(account: Account, outputs: dict[str, str]) -> None:
    before = account.inventory()
    bucket = deploy(account, "gone", NamePrefix="gone")["Bucket"]
    during = account.inventory()
    account.client("cloudformation").delete_stack(StackName="gone")

    assert len(during - before) >= 26
    assert account.inventory() - before == {bucket}

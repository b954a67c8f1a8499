"""compose.yaml gives a stage the same image, command and rights as the docker engine does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.dataset import layout as layouts
from tasks.definitions import stages
from tasks.results.fingerprint import Artifact
from tasks.runtime.core.job import Job
from tasks.runtime.engines.docker_engine import DockerEngine, create_options
from tasks.runtime.images import images
from tests.unit.fakes import make_run

STAGES = sorted(stages.load())
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((layouts.REPOSITORY / "compose.yaml").read_text())["services"]
UNITS = {"m": 2**20, "g": 2**30}


def job_of(stage: str) -> Job:
    definition = stages.load()[stage]
    inputs = {name: [Artifact(Path("/data") / name, "", 1, 1)] for name in definition.inputs}
    return make_run(Path("/runs"), definition, **inputs).jobs()[0]


def service_of(stage: str) -> dict[str, Any]:
    return SERVICES[stage.replace("_", "-")]


def bytes_of(text: str) -> int:
    number, unit = re.fullmatch(r"([\d.]+)([mg])", text).groups()
    return int(float(number) * UNITS[unit])


@pytest.mark.parametrize("stage", STAGES)
def test_a_service_runs_the_same_program_in_the_same_image(stage: str) -> None:
    job, service = job_of(stage), service_of(stage)

    assert service["image"] == images.tag(job.image)
    assert service["entrypoint"] == list(job.words[:2])
    assert "command" not in service


@pytest.mark.parametrize("stage", STAGES)
def test_a_service_has_the_same_rights(stage: str) -> None:
    options, service = create_options(job_of(stage)), service_of(stage)
    same = ("read_only", "init", "cap_drop", "security_opt", "network_mode")

    assert {name: service[name] for name in same} == {name: options[name] for name in same}
    assert service["user"] == "${STAGE_USER:-1000:1000}"
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & service.keys()


@pytest.mark.parametrize("stage", STAGES)
def test_a_service_has_the_same_limits(stage: str) -> None:
    options, service = create_options(job_of(stage)), service_of(stage)

    assert bytes_of(service["mem_limit"]) == options["mem_limit"]
    assert bytes_of(service["memswap_limit"]) == options["memswap_limit"]
    assert service["cpus"] * 10**9 == options["nano_cpus"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_service_has_the_same_variables_and_temporary_folder(stage: str) -> None:
    options, service = create_options(job_of(stage)), service_of(stage)
    guard = {"STAGE_GUARD": "stdin"}

    assert service["environment"] | guard == options["environment"]
    assert dict(entry.split(":", 1) for entry in service["tmpfs"]) == options["tmpfs"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_service_sees_its_inputs_read_only_and_its_output_writable(stage: str) -> None:
    volumes = service_of(stage)["volumes"]
    mounts = job_of(stage).mounts

    assert {volume["target"]: volume.get("read_only", False) for volume in volumes} == {"/in": True, "/out": False}
    assert [volume["bind"]["create_host_path"] for volume in volumes] == [False, False]
    assert {mount.target.split("/")[1] for mount in mounts if not mount.writable} <= {"in"}
    assert [mount.target for mount in mounts if mount.writable] == ["/out"]


def test_a_stage_has_a_network_only_if_it_asks_for_one(containers: Path) -> None:
    closed = make_run(Path("/runs"), stages.load()["paint"]).jobs()[0]
    table = containers / "easel/stages.toml"
    table.write_text(table.read_text().replace("network = false", "network = true", 1))
    stages.load.cache_clear()
    asking = make_run(Path("/runs"), stages.load()["paint"]).jobs()[0]

    assert create_options(closed)["network_mode"] == "none"
    assert create_options(asking)["network_mode"] == "bridge"


def test_docker_mounts_inputs_read_only(containers: Path) -> None:
    images.write_lock("easel", "sha256:abc")
    inputs = {"images": [Artifact(Path("/data/images"), "", 1, 1)]}
    job = make_run(Path("/runs"), stages.load()["paint"], **inputs).jobs()[0]
    words = DockerEngine().command(job)

    assert "--mount=type=bind,source=/data/images,target=/in/images/images,readonly" in words
    assert f"--mount=type=bind,source={job.folder}/out,target=/out" in words


def test_the_docker_command_repeats_the_container(containers: Path) -> None:
    images.write_lock("easel", "sha256:abc")
    job = make_run(Path("/runs"), stages.load()["paint"]).jobs()[0]
    words, options = DockerEngine().command(job), create_options(job)
    image = words.index("sha256:abc")

    assert words[:3] == ["docker", "run", "--rm"]
    assert words[image + 1 :] == list(job.words)
    assert {"--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"} <= {*words}
    assert f"--user={options['user']}" in words
    assert f"--memory={2**30}" in words
    assert "--cpus=1" in words
    assert not [word for word in words if "STAGE_GUARD" in word]

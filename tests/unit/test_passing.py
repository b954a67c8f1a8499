"""A job sees the variables of its caller that it names; their values are in no command, file or manifest."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tasks.runtime.core.job import Job
from tasks.runtime.engines import passing
from tasks.runtime.engines.docker_engine import DockerEngine
from tasks.runtime.engines.process_engine import ProcessEngine
from tasks.runtime.images import images
from tests.unit.fakes import make_job

SECRET = "a-secret"
NAMES = ("AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text("[default]\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE", raising=False)
    return Job(**{**make_job(tmp_path / "1of1").__dict__, "passed": NAMES, "network": True})


def test_a_variable_is_passed_if_it_is_set_and_a_file_if_boto3_would_find_it(job: Job, tmp_path: Path) -> None:
    found = passing.values([*NAMES, "AWS_SESSION_TOKEN"])

    assert found == {
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws/credentials"),
    }


def test_docker_passes_variables_by_name_and_mounts_the_files(containers: Path, job: Job, tmp_path: Path) -> None:
    images.write_lock("easel", "sha256:abc")
    words = DockerEngine().command(job)
    inside = f"{passing.FOLDER}/AWS_SHARED_CREDENTIALS_FILE"

    assert "--env=AWS_SECRET_ACCESS_KEY" in words
    assert f"--env=AWS_SHARED_CREDENTIALS_FILE={inside}" in words
    assert f"--mount=type=bind,source={tmp_path}/.aws/credentials,target={inside},readonly" in words
    assert "--network=bridge" in words
    assert [word for word in words if SECRET in word] == []
    assert passing.by_value(job.passed) == ["AWS_SECRET_ACCESS_KEY"]
    assert passing.seen(job.passed) == {"AWS_SHARED_CREDENTIALS_FILE": inside}


def test_the_process_engines_command_takes_them_from_the_shell(containers: Path, job: Job, tmp_path: Path) -> None:
    words = ProcessEngine().command(job)
    closed = ProcessEngine().command(make_job(job.folder))

    assert words[:2] != ["env", "-i"]
    assert f"AWS_SHARED_CREDENTIALS_FILE={tmp_path}/.aws/credentials" in words
    assert closed[:2] == ["env", "-i"]
    assert [word for word in words if SECRET in word] == []
    assert SECRET not in job.as_json()


@pytest.mark.parametrize("passed", [NAMES, ()])
def test_a_program_on_the_process_engine_sees_what_is_passed_and_nothing_else(
    passed: tuple[str, ...], job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "another")
    own = Job(**{**job.__dict__, "passed": passed})
    own.folder.mkdir()
    engine = ProcessEngine()
    monkeypatch.setattr(engine, "_words", lambda job: ["/usr/bin/env"])
    monkeypatch.setattr(engine, "_variables", lambda job: {"OWN": "1"})
    engine.run(own, threading.Event())
    seen = (own.folder / "stdout.log").read_text().split()

    assert "OWN=1" in seen
    assert (f"AWS_SECRET_ACCESS_KEY={SECRET}" in seen) == bool(passed)
    assert not [word for word in seen if word.startswith("AWS_SESSION_TOKEN")]

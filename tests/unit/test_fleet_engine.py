"""The engine of AWS Batch runs nothing here: it tells which image of a registry runs there, and how to repeat a job."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tasks.definitions import recipes
from tasks.definitions.stages import Resources
from tasks.errors import EngineError
from tasks.runtime.aws.fleet_engine import FleetEngine
from tasks.runtime.core.job import Job
from tasks.runtime.images import images
from tests.unit.conftest import forget

DIGEST = "sha256:0123456789abcdef"
PUSHED = "ghcr.io/lab/easel@sha256:fedcba"


def fleet() -> FleetEngine:
    return FleetEngine(lambda job: f"s3://bucket/prefix/shards/{job.folder.name}", {"AWS_REGION": "us-east-1"}, "host")


def make_job(folder: Path) -> Job:
    return Job("paint-1", "easel", "paint.py", (), (), folder / "1-abc", Resources(1, 1, 1, 0))


@pytest.fixture
def pushed(containers: Path) -> Path:
    images.write_lock("easel", DIGEST, "", PUSHED)
    return containers


def test_what_runs_is_the_image_of_the_registry_by_its_digest(pushed: Path) -> None:
    assert fleet().unusable("easel") is None
    assert fleet().environment("easel") == {"engine": "aws_batch", "image": PUSHED}


def test_an_image_that_was_not_pushed_or_is_of_another_recipe_is_refused(containers: Path) -> None:
    nothing = fleet().unusable("easel")
    images.write_lock("easel", DIGEST)
    built = fleet().unusable("easel")
    images.write_lock("easel", DIGEST, "", PUSHED)
    (containers / "easel/paint.py").write_text("changed = True\n")
    forget()

    assert "type: python -m tasks images build easel" in str(nothing)
    assert "type: python -m tasks images push --registry HOST/PATH easel" in str(built)
    assert "another recipe" in str(fleet().unusable("easel"))


def test_where_an_image_was_pushed_is_known_until_the_image_changes(pushed: Path) -> None:
    images.write_lock("easel", DIGEST)
    same = images.read_lock()["easel"]
    images.write_lock("easel", "sha256:new")
    another = images.read_lock()["easel"]
    images.write_lock("easel", DIGEST, "", PUSHED)
    images.write_lock("easel", DIGEST, "cuda")

    assert same == {"recipe": recipes.recipe_hash("easel"), "digest": DIGEST, "pushed": PUSHED}
    assert "pushed" not in another
    assert "pushed" not in images.read_lock()["easel"]


def test_a_lock_of_before_has_nothing_pushed(pushed: Path) -> None:
    lock = {"easel": {"recipe": recipes.recipe_hash("easel"), "digest": DIGEST}}
    (pushed / "images.lock").write_text(json.dumps(lock))

    assert "was not pushed" in str(fleet().unusable("easel"))


def test_a_job_is_repeated_here_by_its_files_on_s3_and_credentials_are_passed_by_name(
    pushed: Path, tmp_path: Path
) -> None:
    words = fleet().command(make_job(tmp_path))

    assert words[:4] == ["docker", "run", "--rm", "--network=host"]
    assert words[4:8] == [
        "--env=AWS_ACCESS_KEY_ID",
        "--env=AWS_SECRET_ACCESS_KEY",
        "--env=AWS_SESSION_TOKEN",
        "--env=AWS_REGION=us-east-1",
    ]
    assert words[8:] == [PUSHED, "python", "-m", "batch_agent.element", "--again", "s3://bucket/prefix/shards/1-abc"]


def test_nothing_runs_here(pushed: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nothing runs on this machine by the engine aws_batch"):
        fleet().run(make_job(tmp_path), threading.Event())

"""What doctor finds of AWS: queues that take jobs, images that can be pulled, and who does not let it look."""

from __future__ import annotations

import pytest

from tasks import cloud, doctor, recipes, stages
from tasks.finding import BAD, GOOD, Finding
from tasks.runtime import aws, engines, images
from tasks.runtime.queue import NoAnswerError
from tests.unit.conftest import LoadSettings
from tests.unit.fake_batch import Batch, use

PLACE = "[paths]\nroot = s3://bucket/prefix\n[runtime]\nplace = aws_batch\n[aws_batch]\nregion = us-east-1\n"


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> Batch:
    lock = {
        image: {"recipe": recipes.recipe_hash(image), "digest": "sha256:1", "pushed": f"ghcr.io/lab/{image}@sha256:2"}
        for image in stages.stage_images()
    }
    monkeypatch.setattr(images, "read_lock", lambda: lock)
    return use(monkeypatch)


def found() -> dict[str, Finding]:
    return {finding.subject: finding for finding in cloud.examine()}


def test_queues_and_images_that_can_be_used_are_good(luigi_cfg: LoadSettings, batch: Batch) -> None:
    luigi_cfg(PLACE)
    findings = found()

    assert {finding.state for finding in findings.values()} == {GOOD}
    assert findings["queue platewright-spot"].said == f"it takes jobs, of {len(stages.load())} stages"
    assert findings["pushed gallery"].said == "ghcr.io/lab/gallery@sha256:2"


def test_a_stages_own_queue_is_looked_at_too(luigi_cfg: LoadSettings, batch: Batch) -> None:
    luigi_cfg(PLACE + "[measure]\naws_batch_queue = large\n")
    findings = found()

    assert findings["queue platewright-spot"].state == GOOD
    assert findings["queue large"].state == BAD
    assert "there is no job queue 'large'; known: platewright-spot" in findings["queue large"].said


def test_an_image_that_was_not_pushed_and_an_aws_that_does_not_answer_are_bad(
    luigi_cfg: LoadSettings, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*asked: object, **how: object) -> None:
        raise NoAnswerError("AWS does not answer batch:DescribeJobQueues")

    luigi_cfg(PLACE)
    del images.read_lock()["gallery"]["pushed"]
    monkeypatch.setattr(aws, "all_of", silent)
    findings = found()

    assert findings["queue platewright-spot"].state == BAD
    assert "does not answer" in findings["queue platewright-spot"].said
    assert "images push --registry HOST/PATH gallery" in findings["pushed gallery"].said


def test_doctor_asks_no_engine_of_this_machine_for_what_runs_there(
    luigi_cfg: LoadSettings, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "engine", lambda name: pytest.fail(f"{name} was asked"))
    luigi_cfg(PLACE)
    subjects = {finding.subject for finding in doctor.examine()}

    assert {"queue platewright-spot", "pushed gallery"} <= subjects
    assert "engine" not in subjects


def test_elsewhere_nothing_is_looked_at(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert found() == {}

"""An intermediate goes once it was used, which makes nothing stale, and is made again when it is needed."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import luigi
import pytest

from tasks.dataset.layout import Layout
from tasks.errors import SettingsError
from tasks.results import manifest
from tasks.results.store import trash
from tasks.runtime.core import locks
from tasks.runtime.core.job import Job, Outcome
from tasks.settings import settings
from tasks.stage_tasks import intermediates
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, any_stage, build, lay_plate, lay_table

BARCODES = ["Assay_Plate_Barcode", "Plate_Map_Name"]
DELETE = "[storage]\ndelete = measure, fetch_images\n"


@pytest.fixture
def made(stub_engine: FakeEngine, luigi_cfg: LoadSettings) -> Layout:
    """Lay a plate and run it with luigi.cfg's leave to delete."""
    layout = luigi_cfg(DELETE)
    lay_plate(layout)
    assert build(run_plate())
    return layout


def run_plate() -> luigi.Task:
    luigi.task_register.Register.clear_instance_cache()
    return pipeline.RunPlate(batch_id=BATCH, plate=PLATE)


def analysis(layout: Layout) -> Path:
    return layout.published("analysis", BATCH, PLATE) / "analysis"


def test_what_was_used_is_deleted_and_nothing_is_stale(made: Layout) -> None:
    assert not analysis(made).exists()
    assert run_plate().complete()
    assert pipeline.Measure(batch_id=BATCH, plate=PLATE).complete()


def test_what_luigi_cfg_does_not_name_is_kept(stub_engine: FakeEngine, luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    build(run_plate())

    assert analysis(layout).exists()
    assert [each.maker.stage for each in intermediates.intermediates(run_plate())] == ["measure"]


def test_a_stage_that_has_to_read_it_again_has_it_made_again_and_only_it(
    made: Layout, stub_engine: FakeEngine, luigi_cfg: LoadSettings
) -> None:
    before = manifest.read(made.manifest("measure", BATCH, PLATE))
    luigi_cfg(DELETE + "[aggregate]\nmethod = median\n")
    ran: list[str] = []
    stub_engine.act = lambda job, cancelled: (ran.append(job.program), any_stage(job, cancelled))[1]
    finished = build(run_plate())
    after = manifest.read(made.manifest("measure", BATCH, PLATE))

    assert finished
    assert before
    assert after
    assert before.freed
    assert after.outputs["analysis"]["digest"] == before.outputs["analysis"]["digest"]
    assert ran[0] == "measure.py"
    assert {"load_data.py", "illumination.py", "collate.py", "montage.py"}.isdisjoint(ran)
    assert not analysis(made).exists()
    assert run_plate().complete()


def test_what_a_stage_waits_for_stays(stub_engine: FakeEngine, luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg(DELETE)
    lay_plate(layout)
    build(pipeline.Measure(batch_id=BATCH, plate=PLATE))
    (found,) = intermediates.intermediates(run_plate())

    assert set(found.waits_for) == {"aggregate", "collate", "montage"}
    assert intermediates.free(run_plate()) == 0
    assert analysis(layout).exists()


def test_what_a_run_is_at_stays(stub_engine: FakeEngine, luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    build(run_plate())
    luigi_cfg(DELETE)
    with locks.alone(layout.lock("aggregate", BATCH, PLATE), "aggregate"):
        meanwhile = intermediates.free(run_plate())
        there = analysis(layout).exists()

    assert (meanwhile, there) == (0, True)
    assert intermediates.free(run_plate()) > 0
    assert not analysis(layout).exists()


def test_one_plate_is_finished_and_let_go_before_the_next_is_begun(
    stub_engine: FakeEngine, luigi_cfg: LoadSettings
) -> None:
    layout = luigi_cfg(DELETE)
    plates = ["P1", "P2", "P3"]
    for plate in plates:
        lay_plate(layout, plate)
    lay_table(layout.barcode_platemap(BATCH), ",", BARCODES, [[plate, "JUMP_platemap"] for plate in plates])
    there: list[int] = []

    def counted(job: Job, cancelled: threading.Event) -> Outcome:
        there.append(sum((layout.published("analysis", BATCH, plate) / "analysis").exists() for plate in plates))
        return any_stage(job, cancelled)

    stub_engine.act = counted
    finished = build(pipeline.RunBatch(batch_id=BATCH))

    assert finished
    assert max(there) == 1
    assert len(there) > 3 * 10


def test_what_a_person_laid_is_never_deleted(made: Layout) -> None:
    assert any(made.image_folders(BATCH).rglob("*.tiff"))


def test_fetched_images_go_too_and_what_was_read_of_them_is_remembered(
    stub_engine: FakeEngine, luigi_cfg: LoadSettings
) -> None:
    layout = luigi_cfg("")
    folder = lay_plate(layout)
    say_that_they_were_fetched(layout, folder.parent)
    build(run_plate())
    before = pipeline.LoadData(batch_id=BATCH, plate=PLATE).fingerprint()
    luigi_cfg(DELETE)
    intermediates.free(run_plate())

    assert not folder.exists()
    assert run_plate().complete()
    assert pipeline.LoadData(batch_id=BATCH, plate=PLATE).fingerprint() == before
    (task,) = (each for each in pipeline.LoadData(batch_id=BATCH, plate=PLATE).deps() if each.task_family == FETCH)
    assert task.kept
    assert not task.complete()


FETCH = "FetchImages"


def say_that_they_were_fetched(layout: Layout, folder: Path) -> None:
    """Write the manifest that a fetch of these images would have left."""
    path = layout.manifest("fetch_images", BATCH, PLATE)
    path.parent.mkdir(parents=True)
    entry = {"path": folder.relative_to(layout.root).as_posix(), "digest": "any", "files": 1, "bytes": 6}
    told = manifest.Manifest("fetch_images", BATCH, PLATE, {}, {"images": entry}, {}, "none", "2026-01-01", 1.0)
    manifest.write(path, told)


def test_a_stage_that_is_no_intermediate_is_refused(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[storage]\ndelete = annotate\n")

    with pytest.raises(
        SettingsError, match=r"\[storage\] delete = annotate.*known: fetch_images, import_images, measure"
    ):
        settings.load()


def test_a_crash_between_the_manifest_and_the_deletion_loses_nothing(
    stub_engine: FakeEngine, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    build(run_plate())
    luigi_cfg(DELETE)
    with monkeypatch.context() as crash:
        crash.setattr(trash, "remove", lambda path, trash: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            intermediates.free(run_plate())
    told = json.loads(layout.manifest("measure", BATCH, PLATE).read_text())

    assert "freed" in told["outputs"]["analysis"]
    assert pipeline.Measure(batch_id=BATCH, plate=PLATE, kept=True).complete()  # it lies there whole
    assert intermediates.free(run_plate()) > 0

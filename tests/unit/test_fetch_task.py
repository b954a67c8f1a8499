"""What is fetched goes to where a person would have laid it, and what a person laid stays as it is."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import threading
from pathlib import Path

import pytest
from stagekit import contracts

from tasks.commands.staleness import STALE, explain
from tasks.dataset import layout
from tasks.dataset.layout import Layout
from tasks.definitions import recipes
from tasks.errors import BadNameError, PublishError
from tasks.results import fingerprint, manifest
from tasks.results.store.store import LocalStore
from tasks.runtime.arrays.places import prepare_folder
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import engines
from tasks.settings import checks
from tasks.stage_tasks.fetch import FetchTask
from tasks.workflow import inputs, pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, good, lay_plate, make_job, write_result

FOLDER = f"images/{BATCH}/images/{PLATE}__2020-11-08T18_18_00-Measurement1"
IMAGES = {f"{FOLDER}/Images/r01c01f01p01-ch{number}sk1fk1fl1.tiff": b"pixels %d" % number for number in (1, 2)}
METADATA = {
    f"workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv": b"Assay_Plate_Barcode,Plate_Map_Name\n",
    "workspace/metadata/external_metadata/JUMP_metadata.tsv": b"broad_sample\n",
}


class Gallery:
    """Does what the fetch program does, of files that a test names."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.wanted: list[list[str]] = []

    def __call__(self, job: Job, cancelled: threading.Event) -> Outcome:
        flags = dict(zip(job.flags[::2], job.flags[1::2], strict=True))
        self.wanted.append(json.loads(flags["--wanted"]))
        files = job.folder / "out/files"
        for path, body in self.files.items():
            target = files / flags["--write_gallery"].split("/")[-1] / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
        with open(files / flags["--write_fetched"].split("/")[-1], "w", newline="") as table:
            writer = csv.DictWriter(table, contracts.FETCHED.required, restval="etag")
            writer.writeheader()
            for path, body in self.files.items():
                digest = hashlib.sha256(body).hexdigest()
                writer.writerow({"path": path, "bytes": len(body), "sha256": digest})
        write_result(job, files=len(self.files))
        return Outcome(0, 0.0)


@pytest.fixture
def root(luigi_cfg: LoadSettings) -> Layout:
    return luigi_cfg("")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine(Gallery(IMAGES))
    monkeypatch.setattr(engines, "choose", lambda wanted, image: engine)
    return engine


def fetch_images() -> FetchTask:
    return ready(inputs.FetchImages(batch_id=BATCH, plate=PLATE))


def ready(task: FetchTask) -> FetchTask:
    task.set_progress_percentage = task.set_status_message = lambda said: None  # as a Luigi worker gives them
    return task


def lying(root: Layout) -> dict[str, bytes]:
    """Return what lies in the dataset beside the tables of what was fetched."""
    files = (path for path in root.dataset.rglob("*") if path.is_file() and "workspace/fetched" not in str(path))
    return {path.relative_to(root.dataset).as_posix(): path.read_bytes() for path in files}


def test_what_is_fetched_lies_as_in_the_gallery(root: Layout, engine: FakeEngine) -> None:
    task = fetch_images()
    before = task.complete()
    task.run()
    found = manifest.read(task.manifest_path())

    assert not before
    assert task.complete()
    assert lying(root) == IMAGES
    assert engine.act.wanted == [[f"images/{BATCH}/images/{PLATE}__*/"]]
    assert found is not None
    assert set(found.outputs) == {"fetched", FOLDER}
    assert found.outputs[FOLDER]["digest"] == fingerprint.artifact(root.dataset / FOLDER).digest
    assert (root.dataset / "workspace/fetched" / BATCH / f"{PLATE}_images.csv").exists()


def test_a_fetch_is_explained_by_what_is_absent_alone(
    root: Layout, engine: FakeEngine, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_images().run()
    luigi_cfg("[gallery]\nmeasurement = 2\n")
    monkeypatch.setattr(recipes, "program_hash", lambda stage: "another")
    shutil.rmtree(root.dataset / FOLDER)
    found = explain(fetch_images())

    assert found.state == STALE
    assert found.reasons == (
        f"its {FOLDER} is gone: {root.dataset / FOLDER}",
        f"nothing lies at {root.dataset}/images/{BATCH}/images/{PLATE}__*",
    )


def test_what_was_hashed_as_it_came_is_not_read_again(
    root: Layout, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    hashed = fingerprint._sha256
    monkeypatch.setattr(fingerprint, "_sha256", lambda path: read.append(path) or hashed(path))
    fetch_images().run()
    promised = inputs.Images(batch_id=BATCH, plate=PLATE).promises()["images"]
    read_by_us, read[:] = list(read), []
    fresh = fingerprint.artifact(root.dataset / FOLDER / "Images")

    assert [path for path in read_by_us if path.suffix == ".tiff"] == []
    assert len(read) == 2
    assert promised == fresh


def test_a_file_that_changed_after_it_was_fetched_is_read_again(root: Layout, engine: FakeEngine) -> None:
    fetch_images().run()
    before = inputs.Images(batch_id=BATCH, plate=PLATE).promises()["images"]
    (root.dataset / next(iter(IMAGES))).write_bytes(b"others")

    assert inputs.Images(batch_id=BATCH, plate=PLATE).promises()["images"].digest != before.digest


@pytest.mark.parametrize("name", [f"{PLATE}__2021-measured-again", PLATE])
def test_what_a_person_laid_is_not_completed(name: str, root: Layout) -> None:
    (root.image_folders(BATCH) / name).mkdir(parents=True)

    assert fetch_images().complete()


def test_another_plates_folder_is_not_this_ones(root: Layout) -> None:
    (root.image_folders(BATCH) / f"{PLATE}A__2021").mkdir(parents=True)

    assert not fetch_images().complete()


def test_only_what_is_wholly_absent_is_asked_for(root: Layout, engine: FakeEngine) -> None:
    platemaps = {path: body for path, body in METADATA.items() if "platemaps" in path}
    engine.act = Gallery(platemaps)
    root.external_metadata("mine.tsv").parent.mkdir(parents=True)
    root.external_metadata("mine.tsv").write_bytes(b"mine")
    task = ready(inputs.FetchMetadata(batch_id=BATCH))
    task.run()

    assert engine.act.wanted == [[f"workspace/metadata/platemaps/{BATCH}/"]]
    assert lying(root) == {**platemaps, "workspace/metadata/external_metadata/mine.tsv": b"mine"}
    assert task.complete()


def test_what_comes_to_lie_there_while_it_is_fetched_stays(root: Layout, engine: FakeEngine) -> None:
    mine = root.external_metadata("mine.tsv")
    gallery = Gallery(METADATA)

    def lay_meanwhile(job: Job, cancelled: threading.Event) -> Outcome:
        mine.parent.mkdir(parents=True)
        mine.write_bytes(b"mine")
        return gallery(job, cancelled)

    engine.act = lay_meanwhile
    ready(inputs.FetchMetadata(batch_id=BATCH)).run()

    assert mine.read_bytes() == b"mine"
    assert sorted(path.name for path in mine.parent.iterdir()) == ["mine.tsv"]
    assert root.barcode_platemap(BATCH).exists()


def test_what_was_fetched_and_removed_is_fetched_again(root: Layout, engine: FakeEngine) -> None:
    fetch_images().run()
    (root.dataset / FOLDER).rename(root.root / "moved away")
    gone = fetch_images().complete()
    fetch_images().run()

    assert not gone
    assert lying(root) == IMAGES
    assert len(engine.ran) == 2


def test_a_publication_that_a_crash_cut_short_goes_on_without_fetching(
    root: Layout, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.act = Gallery(METADATA)
    move, moved = LocalStore.move, []

    def crash(store: LocalStore, source: Path, target: Path) -> None:
        if moved:
            raise OSError("the machine went down")
        moved.append(target)
        move(store, source, target)

    monkeypatch.setattr(LocalStore, "move", crash)
    with pytest.raises(PublishError):
        ready(inputs.FetchMetadata(batch_id=BATCH)).run()
    halfway = lying(root)
    monkeypatch.setattr(LocalStore, "move", move)
    task = ready(inputs.FetchMetadata(batch_id=BATCH))

    assert not task.complete()
    task.run()

    assert len(halfway) == 1
    assert lying(root) == METADATA
    assert len(engine.ran) == 1
    assert manifest.read(task.manifest_path()) is not None


def test_how_it_is_fetched_is_no_other_result(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    before = fetch_images().fingerprint()
    luigi_cfg("[gallery]\nconnections = 3\nstall_seconds = 5\n")
    same = fetch_images().fingerprint()
    flags = fetch_images().job_spec().flags
    luigi_cfg("[gallery]\nbucket = mine\n")

    assert same == before
    assert (flags["connections"], flags["stall_seconds"]) == ("3", "5")
    assert fetch_images().fingerprint() != before


@pytest.mark.parametrize(("unsigned", "sees"), [("true", False), ("false", True)])
def test_credentials_reach_a_program_only_where_requests_are_signed(
    unsigned: str, sees: bool, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(f"[gallery]\nunsigned = {unsigned}\n")

    assert ("AWS_SECRET_ACCESS_KEY" in fetch_images().job_spec().environment) == sees
    assert "HTTPS_PROXY" in fetch_images().job_spec().environment


def test_an_interrupted_fetch_keeps_what_came(tmp_path: Path) -> None:
    kept = {}
    for resumes in (True, False):
        job = Job(**{**make_job(tmp_path / str(resumes) / "1of1").__dict__, "resumes": resumes})
        (job.folder / "out/partial").mkdir(parents=True)
        prepare_folder(job, FakeEngine(good))
        kept[resumes] = (job.folder / "out/partial").exists()

    assert kept == {True: True, False: False}


LAID = [inputs.Images, inputs.Platemap, inputs.ExternalMetadata, inputs.Backend, inputs.Profiles]


@pytest.mark.parametrize("task", LAID)
def test_what_is_laid_is_fetched_only_if_the_run_says_from_where_to_start(task: type, root: Layout) -> None:
    lay_plate(root)
    from_here = task(batch_id=BATCH, plate=PLATE)
    from_gallery = task(batch_id=BATCH, plate=PLATE, start_from="images")

    assert from_here.requires() == []
    assert [type(required) for required in from_gallery.requires()] == [task.fetched_by]


@pytest.mark.parametrize(
    ("start_from", "laid", "computed"),
    [
        ("laid", {"Images", "Platemap", "ExternalMetadata"}, {"load_data", "measure", "collate", "montage"}),
        ("images", {"Images", "Platemap", "ExternalMetadata"}, {"load_data", "measure", "collate", "montage"}),
        ("backend", {"Backend", "Platemap", "ExternalMetadata"}, {"aggregate"}),
        ("profiles", {"Profiles"}, set()),
    ],
)
def test_a_plate_starts_where_it_is_told(start_from: str, laid: set[str], computed: set[str], root: Layout) -> None:
    todo = [pipeline.RunPlate(batch_id=BATCH, plate=PLATE, start_from=start_from)]
    reached = {}
    while todo:
        task = todo.pop()
        reached[getattr(task, "stage", type(task).__name__)] = task
        todo += [each for each in _listed(task.requires()) if not isinstance(each, FetchTask)]
    stages = {name for name, task in reached.items() if hasattr(task, "stage")}

    assert {name for name in reached if name not in stages} - {"RunPlate"} == laid
    assert computed <= stages
    assert ("collate" in stages) == ("collate" in computed)
    assert all(task.start_from == start_from for task in reached.values())


def _listed(required: object) -> list:
    return list(required) if isinstance(required, (list, tuple)) else [required]


def test_a_batch_that_is_fetched_begins_with_its_list_of_plates(root: Layout) -> None:
    task = pipeline.RunBatch(batch_id=BATCH, start_from="images")

    assert task.requires() == [inputs.FetchMetadata(batch_id=BATCH)]
    assert not task.complete()
    lay_plate(root)
    parts = next(task.run())

    assert [type(part) for part in parts] == [pipeline.RunPlate, *pipeline.RunBatch.jointly]
    assert {part.start_from for part in parts} == {"images"}
    assert {each.start_from for part in parts for each in part.requires()} == {"images"}


def test_a_batch_from_its_backends_is_not_judged_by_images_that_it_lacks(root: Layout) -> None:
    lay_plate(root)
    parts = next(pipeline.RunBatch(batch_id=BATCH, start_from="backend").run())

    assert pipeline.QualityControl in pipeline.RunBatch.jointly
    assert pipeline.QualityControl not in {type(part) for part in parts}


def test_a_batch_of_published_profiles_computes_nothing(root: Layout) -> None:
    lay_plate(root)
    (part,) = next(pipeline.RunBatch(batch_id=BATCH, start_from="profiles").run())

    assert [type(task) for task in part.requires()] == [inputs.Profiles]


KEYS = ["a/b.csv", "a/c.csv", "x/b.csv", "a/b c.csv", "ü/µ.tsv", "a/...b", "a/-", "a/" + "long" * 60]


def test_every_file_has_a_place_of_its_own_among_the_manifests(root: Layout) -> None:
    paths = {inputs.FetchFile(key=key).manifest_path() for key in KEYS}

    assert len(paths) == len(KEYS)


@pytest.mark.parametrize("key", ["../a", "/a", "a//b", "a/", "a/../b", ".", "a\0b"])
def test_a_key_that_would_leave_the_data_root_is_refused(key: str) -> None:
    with pytest.raises(BadNameError, match="is no valid path of a file below"):
        layout.checked_key(key)


def test_a_relative_checksum_list_lies_beside_luigi_cfg(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "sums.csv").write_text(f"path,sha256\na/b.csv,{0:064d}\n")
    luigi_cfg("[gallery]\nchecksums = sums.csv\n")

    assert fetch_images().spec().files == {"checksums": tmp_path / "sums.csv"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checksums = none.csv", r"\[gallery\] checksums = none.csv: there is no such file"),
        ("connections = 0", r"\[gallery\] connections = 0: it must be a whole number of at least 1"),
        ("unsigned = maybe", r"\[gallery\] unsigned = maybe"),
    ],
)
def test_a_bad_setting_of_the_gallery_is_named(text: str, said: str, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(f"[gallery]\n{text}\n")

    with pytest.raises(Exception, match=said):
        checks.check(pipeline.stage_settings())

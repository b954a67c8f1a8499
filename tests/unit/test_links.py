"""With a data root on S3 the gallery's images stay where they are: a link stands for their folder."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks.commands import staleness
from tasks.dataset import catalogue, layout, lookup
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, ProgramError
from tasks.execution import backends
from tasks.planning import cost_plan, plate_sizes
from tasks.results import manifest
from tasks.results.store import links
from tasks.results.store.s3.elements import Elements
from tasks.results.store.s3.s3_store import S3Store
from tasks.runtime.arrays.places import Note, Watcher, prepare_folder, record
from tasks.runtime.core.job import Job, Mount, Outcome
from tasks.settings import settings
from tasks.stage_tasks import intermediates
from tasks.stage_tasks.fetch import FetchTask
from tasks.workflow import inputs, pipeline
from tests.integration import s3_server
from tests.integration.s3_server import BUCKET, S3Server
from tests.unit.conftest import LoadSettings, forget_settings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, good, make_job
from tests.unit.test_fetch_task import ready
from tests.unit.test_mirror import keys, lay

MEASURED = f"images/{BATCH}/images/{PLATE}__2020-11-08T18_18_00-Measurement1"
FILES = {
    **{f"{MEASURED}/Images/r01c0{column}f01p01-ch1sk1fk1fl1.tiff": b"pixels %d" % column for column in (1, 2)},
    f"{MEASURED}/Assaylayout/layout.xml": b"<layout/>",
}
DATASET, GALLERY = "cpg0000-jump-pilot/source_4", "gallery"


class Machines:
    """Runs the fetch program here, and lays what it made in the bucket, as the elements of AWS Batch do."""

    def __init__(self, store: S3Store) -> None:
        self.store = store
        self.ran: list[Job] = []

    def left(self, shards: Path) -> list[Path]:
        return []

    def lay(self, jobs: Sequence[Job]) -> bool:
        return Elements(self.store, Path()).lay(jobs)

    def run(self, jobs: Sequence[Job], watch: Watcher, note: Note | None = None) -> list[Outcome]:
        outcomes = [self._run(job) for job in jobs]
        for job, outcome in zip(jobs, outcomes, strict=True):
            assert note
            note(job, outcome)
        return outcomes

    def _run(self, job: Job) -> Outcome:
        prepare_folder(job, FakeEngine(good))
        here = {mount.target: str(mount.source) for mount in job.inputs}
        out = job.folder / "out"
        words = [here.get(word, word.replace("/out", str(out), 1)) for word in (*job.flags, "--output", "/out")]
        program = layout.CONTAINERS / "gallery" / job.program
        with open(job.folder / "stderr.log", "w") as log:
            environment = os.environ | {"PYTHONPATH": str(layout.CONTAINERS)}
            code = subprocess.run([sys.executable, program, *words], stderr=log, env=environment).returncode
        made = [path for path in (out / "files").rglob("*") if path.is_file()]
        told = {}
        for path in made:
            self.store.mirror.bucket.put(self.store.mirror.key(path), path)
            told[path.relative_to(out / "files").as_posix()] = [
                path.stat().st_size,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            ]
            path.unlink()
        (out / "files.json").write_text(json.dumps(told))
        self.ran.append(job)
        outcome = Outcome(code, 0.0)
        record(job, outcome)
        return outcome


Open = Callable[[str], Layout]


@pytest.fixture
def root(server: S3Server, luigi_cfg: LoadSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Lay a plate in a gallery, and open an empty data root on S3 as a machine that has a mirror of its own."""
    client = s3_server.client(server.port)
    client.create_bucket(Bucket=GALLERY)
    for path, body in FILES.items():
        client.put_object(Bucket=GALLERY, Key=f"{DATASET}/{path}", Body=body, ACL="public-read")
    url = f"http://127.0.0.1:{server.port}"
    monkeypatch.setattr(backends, "engine", lambda stage: FakeEngine(good))
    machines: dict[Path, Machines] = {}

    def of(stage: object, engine: object) -> Machines:
        store = settings.load().store
        assert isinstance(store, S3Store)
        return machines.setdefault(store.mirror.root, Machines(store))

    monkeypatch.setattr(backends, "of", of)

    def open_as(machine: str) -> Layout:
        luigi_cfg(
            f"[paths]\nroot = s3://{BUCKET}/lab\nmirror = {tmp_path / machine}\n[runtime]\nplace = aws_batch\n"
            f"[aws_batch]\nendpoint_url = {url}\nregion = us-east-1\n[storage]\ndelete = fetch_images\n"
            f"[gallery]\nbucket = {GALLERY}\nendpoint_url = {url}\n"
        )
        return settings.load().layout

    return open_as


def fetch_images() -> FetchTask:
    return ready(inputs.FetchImages(batch_id=BATCH, plate=PLATE))


def images() -> inputs.Images:
    return inputs.Images(batch_id=BATCH, plate=PLATE, start_from="images")


def linked(root: Open, machine: str = "one") -> Layout:
    """Return the data root after the plate's images were linked."""
    opened = root(machine)
    fetch_images().run()
    assert images().complete()
    return opened


def test_no_image_is_copied_and_their_folder_is_found(server: S3Server, root: Open) -> None:
    opened = root("one")
    before = images().complete(), fetch_images().complete()
    fetch_images().run()

    assert before == (False, False)
    assert fetch_images().complete()
    assert images().complete()
    assert images().path() == opened.dataset / MEASURED / "Images"
    assert not [key for key in keys(server) if key.endswith((".tiff", ".xml"))]


def test_the_table_says_what_the_gallery_has_and_that_it_was_not_read(server: S3Server, root: Open) -> None:
    opened = linked(root)
    table = settings.load().store.ensure_local(opened.published("fetched", BATCH, PLATE) / f"{PLATE}_images.csv")
    with open(table, newline="") as handle:
        rows = {row["path"]: row for row in csv.DictReader(handle)}

    assert {path: int(row["bytes"]) for path, row in rows.items()} == {path: len(body) for path, body in FILES.items()}
    assert {path: row["etag"] for path, row in rows.items()} == {
        path: hashlib.md5(body).hexdigest() for path, body in FILES.items()
    }
    assert {(row["sha256"], row["checked"]) for row in rows.values()} == {("", "listed")}
    assert {row["source"] for row in rows.values()} == {f"s3://{GALLERY}/{DATASET}/{path}" for path in FILES}


def test_it_is_the_same_for_every_machine_and_as_if_the_images_lay_in_the_bucket(server: S3Server, root: Open) -> None:
    linked(root)
    one = images().promises()["images"]
    root("two")
    complete, two = images().complete(), images().promises()["images"]
    for path, body in FILES.items():
        lay(server, f"{DATASET}/{path}", body.decode())
    root("three")
    laid_complete, laid = images().complete(), images().promises()["images"]

    assert complete
    assert laid_complete
    assert one.digest == two.digest == laid.digest
    assert (one.files, one.bytes) == (laid.files, laid.bytes) == (2, 16)


@pytest.mark.parametrize("name", [MEASURED.replace("Measurement1", "Measurement2"), MEASURED])
def test_images_that_a_person_laid_win(name: str, server: S3Server, root: Open) -> None:
    linked(root)
    lay(server, f"{DATASET}/{name}/Images/mine.tiff", "mine")
    opened = root("two")

    assert images().complete()
    assert images().path() == opened.dataset / name / "Images"
    assert images().promises()["images"].bytes == 4
    assert settings.load().store.linked(images().path()) is None


def test_a_link_that_was_removed_links_no_more(server: S3Server, root: Open) -> None:
    opened = linked(root)
    settings.load().store.mirror.bucket.delete(
        [settings.load().store.mirror.key(opened.link(opened.dataset / MEASURED))]
    )
    lay(server, f"{DATASET}/images/{BATCH}/images/OTHER__t-Measurement1/Images/o.tiff", "other")
    forget_settings()

    assert not images().complete()
    assert not fetch_images().complete()
    fetch_images().run()
    assert images().complete()


def test_a_job_is_given_the_gallerys_folder_and_the_table_to_hold_it_against(root: Open, tmp_path: Path) -> None:
    opened = linked(root)
    store = settings.load().store
    job = make_job(tmp_path / "job")
    mount = Mount(images().path(), "/in/images", listed="/in/load_data/load_data.csv")
    listed = Job(**{**job.__dict__, "inputs": (mount,), "units": ("A01-1",), "unit": "site"})
    listed.folder.mkdir(parents=True, exist_ok=True)
    Elements(store, opened.given).prepare(listed)
    table, folder = json.loads((listed.folder / "element.json").read_text())["inputs"]

    assert table["source"] == f"s3://{BUCKET}/lab/{DATASET}/workspace/fetched/{BATCH}/{PLATE}_images.csv"
    assert folder == {
        "target": "/in/images",
        "afar": False,
        "listed": {"table": "/in/load_data/load_data.csv", "kind": "site", "units": ["A01-1"]},
        "unsigned": True,
        "endpoint_url": settings.load().gallery.endpoint_url,
        "region": "us-east-1",
        "source": f"s3://{GALLERY}/{DATASET}/{MEASURED}/Images/",
        "known": {"table": table["target"], "link": f"s3://{BUCKET}/lab/.work/links/{DATASET}/{MEASURED}.json"},
    }


def test_a_program_that_reads_from_afar_is_told_so_and_sees_the_credentials(root: Open, tmp_path: Path) -> None:
    opened, told = linked(root), {}
    for afar in (True, False):
        mount = Mount(images().path(), "/in/images", afar=afar)
        job = Job(**{**make_job(tmp_path / str(afar)).__dict__, "inputs": (mount,), "passed": ("OWN",)})
        job.folder.mkdir(parents=True, exist_ok=True)
        Elements(settings.load().store, opened.given).prepare(job)
        told[afar] = json.loads((job.folder / "element.json").read_text())

    assert [told[afar]["inputs"][1]["afar"] for afar in (True, False)] == [True, False]
    assert {"OWN", "AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} <= set(told[True]["passed"])
    assert told[False]["passed"] == ["OWN"]


def test_a_link_is_explained_and_there_is_nothing_to_delete(root: Open) -> None:
    linked(root)
    before = staleness.explain(fetch_images()).state
    top = pipeline.LoadData(batch_id=BATCH, plate=PLATE, start_from="images")

    assert before == "complete"
    assert list(intermediates.intermediates(top)) == []
    assert intermediates.free(top) == 0
    assert fetch_images().complete()


def test_a_plate_that_was_measured_twice_is_linked_once_one_is_chosen(server: S3Server, root: Open) -> None:
    other = MEASURED.replace("Measurement1", "Measurement2")
    client = s3_server.client(server.port)
    client.put_object(Bucket=GALLERY, Key=f"{DATASET}/{other}/Images/x.tiff", Body=b"x", ACL="public-read")
    root("one")

    with pytest.raises(ProgramError, match="2 measurements"):
        fetch_images().run()


def test_a_plan_fetches_no_image_and_takes_a_plates_size_from_the_catalogue_or_its_images(
    server: S3Server, root: Open
) -> None:
    opened = root("one")
    (known,) = (each for each in catalogue.of_batch(opened, BATCH) if each.plate == PLATE)
    away = plate_sizes.size(opened, BATCH, PLATE, known)
    fetch_images().run()
    linked_size = plate_sizes.size(opened, BATCH, PLATE, known)
    with pytest.raises(MissingInputError, match="lie in the gallery; their sizes are not known"):
        plate_sizes.size(opened, BATCH, PLATE, None)
    image = tifffile_bytes()
    key = f"lab/{DATASET}/{MEASURED}/Images/r01c01f01p01-ch1sk1fk1fl1.tiff"
    s3_server.client(server.port).put_object(Bucket=BUCKET, Key=key, Body=image)
    laid = plate_sizes.size(root("two"), BATCH, PLATE, known)

    assert away == linked_size
    assert cost_plan._to_fetch(BATCH, {PLATE: away}, "images") == (0, 0.0)
    assert (laid.here, laid.images, laid.image_bytes, laid.width_pixels) == (True, 1, len(image), 20)


def tifffile_bytes() -> bytes:
    written = io.BytesIO()
    tifffile.imwrite(written, np.zeros((10, 20), np.uint16))
    return written.getvalue()


def test_a_folder_without_inner_folders_is_linked_as_a_whole() -> None:
    found = links.folders([("a.tiff", 1, "x"), ("b.tiff", 2, "y")])

    assert found == {"": links.Contents(2, 3, links.by_etag([("/a.tiff", 1, "x"), ("/b.tiff", 2, "y")]))}


def test_what_a_folder_holds_is_found_as_by_looking_at_each_file() -> None:
    files = [
        ("Images/b", 2, "y"),
        ("Images/deep/c", 4, "z"),
        ("top", 8, "t"),
        ("Images/a", 1, "x"),
        ("Other/a", 16, "o"),
    ]
    found = links.folders(files)
    slowly = {
        name: [each for each in sorted(files) if each[0].startswith(f"{name}/" if name else "")]
        for name in ("", "Images", "Other")
    }

    assert found.keys() == slowly.keys()
    for name, each in slowly.items():
        below = [("/" + path.removeprefix(f"{name}/" if name else ""), size, etag) for path, size, etag in each]
        assert found[name] == links.Contents(len(each), sum(size for _, size, _ in each), links.by_etag(below))


def test_the_manifest_holds_the_link_itself(root: Open) -> None:
    opened = linked(root)
    found = manifest.read(fetch_images().manifest_path())

    assert found is not None
    assert set(found.outputs) == {"fetched", "link"}
    assert found.outputs["link"]["path"] == f".work/links/{DATASET}/{MEASURED}.json"
    assert lookup.images(opened, BATCH, PLATE).name == "Images"

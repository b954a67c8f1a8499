"""A data root on S3: results are copied to their place within the bucket, the manifest last; two mirrors agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, PublishError
from tasks.results import fingerprint, manifest
from tasks.results.fingerprint import Artifact
from tasks.results.manifest import Manifest
from tasks.results.store.links import Links
from tasks.results.store.s3.claim import Claims
from tasks.results.store.s3.s3_store import S3Store
from tests.integration import s3_server
from tests.integration.s3_server import BUCKET, S3Server
from tests.unit.fakes import BATCH, PLATE
from tests.unit.test_mirror import keys, lay, mirror

FILES = {"analysis/A01/Cells.csv": "cells", "analysis/A02/Cells.csv": "more cells", "P.csv": "a,b\n1,2\n"}
Open = Callable[[str], tuple[Layout, S3Store]]


@pytest.fixture
def open_root(server: S3Server, tmp_path: Path) -> Open:
    """Open the data root as a machine does that has a mirror of its own."""

    def of(machine: str) -> tuple[Layout, S3Store]:
        layout = Layout(tmp_path / machine, "project", "source")
        claims = Claims(s3_server.client(server.port), BUCKET)
        return layout, S3Store(
            mirror(server, layout.root), lambda: claims, (layout.manifests, layout.links), Links(layout)
        )

    return of


def ran(server: S3Server, layout: Layout, files: dict[str, str], run: str = "r1") -> Path:
    """Let a run of one job have ended: its element has put what it made, and the host has fetched its words."""
    folder = layout.run("measure", BATCH, PLATE, run)
    job = folder / "shards/1of1"
    for name, content in files.items():
        lay(server, f"{(job / 'out/files' / name).relative_to(layout.root)}", content)
    (job / "out").mkdir(parents=True)
    told = {name: [len(text), hashlib.sha256(text.encode()).hexdigest()] for name, text in files.items()}
    (job / "out/files.json").write_text(json.dumps(told))
    (job / "outcome.json").write_text("{}")
    return folder


def brought_together(store: S3Store, run: Path) -> Path:
    """Do what gathering does with one job: its files, which are holes, are moved into the run's."""
    store.lay(run / "shards/1of1")
    (run / "shards/1of1/out/files").rename(run / "files")
    return run / "files"


def record(layout: Layout, run: Path, **outputs: Path) -> Manifest:
    told = {name: manifest.told(Artifact(path, name, 1, 7), layout.root) for name, path in outputs.items()}
    where = run.relative_to(layout.root).as_posix()
    return Manifest("measure", BATCH, PLATE, {"of": run.name}, told, {}, where, "2026-01-01", 1.0)


def publish(server: S3Server, opened: tuple[Layout, S3Store], files: dict[str, str], run: str = "r1") -> Path:
    layout, store = opened
    folder = ran(server, layout, files, run)
    made = brought_together(store, folder)
    place = layout.published("analysis", BATCH, PLATE)
    moves = {name: (made / name, place / name) for name in ("analysis", "P.csv")}
    manifest.publish(
        layout, record(layout, folder, analysis=place / "analysis", table=place / "P.csv"), moves, {}, store
    )
    return place


def test_results_are_copied_to_their_place_and_never_come_here(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    place = publish(server, (layout, store), FILES)
    start = f"lab/{place.relative_to(layout.root)}"

    assert {key for key in keys(server) if key.startswith(start)} == {f"{start}/{name}" for name in FILES}
    assert store.mirror.bucket.text(f"{start}/P.csv") == FILES["P.csv"]
    assert store.mirror.is_hole(place / "P.csv")
    assert not any(path.startswith(f"/{BUCKET}/{start}") for method, path in server.seen[:-1] if method == "GET")


def test_the_manifest_comes_last(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    publish(server, (layout, store), FILES)
    writes = [path for method, path in server.seen if method == "PUT"]
    ours = f"/{BUCKET}/lab/{layout.manifest('measure', BATCH, PLATE).relative_to(layout.root)}"

    assert writes[-1] == ours
    assert writes.count(ours) == 1


def test_another_machine_sees_the_result(server: S3Server, open_root: Open) -> None:
    place = publish(server, open_root("one"), FILES).relative_to(open_root("one")[0].root)
    layout, store = open_root("two")
    store.refresh()
    found = manifest.read(layout.manifest("measure", BATCH, PLATE))

    assert found is not None
    assert store.lies_there(Artifact(layout.root / place / "P.csv", "", 1, len(FILES["P.csv"])))
    assert store.lies_there(Artifact(layout.root / place / "analysis", "", 2, 15))
    assert store.ensure_local(layout.root / place / "P.csv").read_text() == FILES["P.csv"]


def test_a_result_that_somebody_deleted_is_not_taken_to_lie_there(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    place = publish(server, (layout, store), FILES)
    store.mirror.bucket.delete([store.mirror.key(place / "P.csv")])

    assert not open_root("one")[1].lies_there(Artifact(place / "P.csv", "", 1, len(FILES["P.csv"])))


def test_the_size_of_what_lies_there_is_told_without_fetching_it(server: S3Server, open_root: Open) -> None:
    place = publish(server, open_root("one"), FILES).relative_to(open_root("one")[0].root)
    layout, store = open_root("two")
    server.seen.clear()

    assert store.size(layout.root / place / "P.csv") == len(FILES["P.csv"])
    assert store.size(layout.root / place / "analysis") == len("cells") + len("more cells")
    assert store.size(layout.root / place / "gone") is None
    assert not any(path.endswith(".csv") for method, path in server.seen if method == "GET")


def test_a_new_result_leaves_nothing_of_the_old_one(server: S3Server, open_root: Open) -> None:
    opened = open_root("one")
    place = publish(server, opened, FILES)
    publish(server, opened, {"analysis/A01/Cells.csv": "other", "P.csv": "a\n"}, "r2")
    start = f"lab/{place.relative_to(opened[0].root)}"

    assert {key for key in keys(server) if key.startswith(start)} == {
        f"{start}/analysis/A01/Cells.csv",
        f"{start}/P.csv",
    }
    assert opened[1].mirror.bucket.text(f"{start}/analysis/A01/Cells.csv") == "other"


def test_what_a_person_laid_there_is_not_overwritten(server: S3Server, open_root: Open) -> None:
    opened = open_root("one")
    place = opened[0].published("analysis", BATCH, PLATE).relative_to(opened[0].root)
    lay(server, f"{place}/P.csv", "mine")

    with pytest.raises(PublishError, match="was not made by this toolkit"):
        publish(server, opened, FILES)
    assert opened[1].mirror.bucket.text(f"lab/{place}/P.csv") == "mine"


def test_a_crash_while_copying_leaves_no_manifest_and_the_next_try_publishes(
    server: S3Server,
    open_root: Open,
) -> None:
    layout, store = open_root("one")
    publish(server, (layout, store), FILES)
    copies = []

    def crash(environ: dict[str, object]) -> tuple[int, str] | None:
        copies.append(environ.get("HTTP_X_AMZ_COPY_SOURCE"))
        return (400, "Crash") if len([each for each in copies if each]) > 1 else None

    server.fault = crash
    with pytest.raises(Exception, match="Crash"):
        publish(server, (layout, store), FILES, "r2")
    server.fault = lambda environ: None
    fresh, other = open_root("two")  # on another machine
    other.refresh()
    halfway = manifest.read(fresh.manifest("measure", BATCH, PLATE))
    place = publish(server, (fresh, other), FILES, "r2")

    assert halfway is None
    assert manifest.read(fresh.manifest("measure", BATCH, PLATE)) is not None
    assert other.mirror.bucket.text(other.mirror.key(place / "P.csv")) == FILES["P.csv"]


def test_what_jobs_hashed_is_the_digest_that_reading_would_give(
    server: S3Server,
    open_root: Open,
    tmp_path: Path,
) -> None:
    layout, store = open_root("one")
    run = ran(server, layout, FILES)
    made = brought_together(store, run)
    fingerprint.remember(run / "hashes.json", made / "analysis", store.hashes(run))
    for name, content in FILES.items():
        (tmp_path / "read" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "read" / name).write_text(content)

    found = fingerprint.artifact(made / "analysis", run / "hashes.json")

    assert found.digest == fingerprint.artifact(tmp_path / "read/analysis").digest
    assert (found.files, found.bytes) == (2, len("cells") + len("more cells"))


def test_what_was_published_is_deleted_from_the_run(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    publish(server, (layout, store), FILES)
    run = layout.run("measure", BATCH, PLATE, "r1")
    lay(server, f"{(run / 'shards/1of1/stderr.log').relative_to(layout.root)}", "words")

    store.tidy(run)

    assert [key for key in keys(server) if "/runs/" in key] == [store.mirror.key(run / "shards/1of1/stderr.log")]


def test_a_laid_folder_has_one_digest_on_all_machines_and_another_once_it_changes(
    server: S3Server,
    open_root: Open,
) -> None:
    for name in ("a.tiff", "b.tiff"):
        lay(server, f"images/P/{name}", name)
    found = []
    for machine in ("one", "two"):
        layout, store = open_root(machine)
        store.look(layout.root / "images/P")
        found.append(store.artifact(layout.root / "images/P").digest)
    lay(server, "images/P/b.tiff", "other")

    assert found[0] == found[1] != store.artifact(layout.root / "images/P").digest


def test_a_laid_small_file_is_known_by_its_content_as_anywhere(
    server: S3Server,
    open_root: Open,
    tmp_path: Path,
) -> None:
    layout, store = open_root("one")
    lay(server, "metadata/map.txt", "well\n")
    (tmp_path / "map.txt").write_text("well\n")
    store.look(layout.root / "metadata")

    assert store.artifact(layout.root / "metadata/map.txt").digest == fingerprint.artifact(tmp_path / "map.txt").digest


def test_a_folder_that_is_gone_is_an_error_that_names_it(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    (layout.root / "images/P").mkdir(parents=True)

    with pytest.raises(MissingInputError, match=f"s3://{BUCKET}/lab/images/P is not there"):
        store.artifact(layout.root / "images/P")


def test_a_run_is_taken_up_as_it_is_in_the_bucket(server: S3Server, open_root: Open) -> None:
    layout, store = open_root("one")
    run = ran(server, layout, FILES)
    store.push(*(run / "shards/1of1" / name for name in ("outcome.json", "out/files.json")))
    brought_together(store, run)
    other, others = open_root("two")
    others.pull(other.run("measure", BATCH, PLATE, "r1"))
    others.tidy(other.run("measure", BATCH, PLATE, "r1"))

    store.pull(run)  # what another has published and tidied is not taken for a finished job

    assert not (run / "files").exists()
    assert not (run / "shards/1of1/outcome.json").exists()
    assert (other.root / (run / "shards/1of1/out/files.json").relative_to(layout.root)).exists()


def test_two_machines_hold_a_lock_one_after_the_other(server: S3Server, open_root: Open) -> None:
    (layout, one), (other, two) = open_root("one"), open_root("two")
    locks = [each.lock("measure", BATCH, PLATE) for each in (layout, other)]

    with one.alone(locks[0], "measure"):
        with two.at_once(locks[1]) as held:
            assert not held
        assert two.is_held(locks[1])
    with two.at_once(locks[1]) as held:
        assert held

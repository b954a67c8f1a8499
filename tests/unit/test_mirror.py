"""The mirror of a bucket: what is small is copied, what is large is a hole, and what was written here is not lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.errors import StoreError
from tasks.results.store.s3 import bucket
from tasks.results.store.s3.bucket import Bucket
from tasks.results.store.s3.index import Index
from tasks.results.store.s3.mirror import Mirror
from tests.integration import s3_server
from tests.integration.s3_server import BUCKET, S3Server


def mirror(server: S3Server, root: Path, name: str = BUCKET) -> Mirror:
    root.mkdir(parents=True, exist_ok=True)
    at = Bucket(name, "us-east-1", f"http://127.0.0.1:{server.port}")
    return Mirror(at, "lab/", root, Index(root.with_suffix(".sqlite")))


def lay(server: S3Server, key: str, content: str) -> None:
    s3_server.client(server.port).put_object(Bucket=BUCKET, Key=f"lab/{key}", Body=content.encode())


def keys(server: S3Server) -> list[str]:
    listed = s3_server.client(server.port).list_objects_v2(Bucket=BUCKET)
    return [each["Key"] for each in listed.get("Contents", ())]


@pytest.fixture
def here(server: S3Server, tmp_path: Path) -> Mirror:
    return mirror(server, tmp_path / "mirror")


def test_a_folder_of_small_files_is_copied(server: S3Server, here: Mirror) -> None:
    lay(server, "manifests/a.json", "one")
    lay(server, "manifests/deep/b.json", "two")
    lay(server, "other/c.json", "three")

    here.sync(here.root / "manifests")

    assert (here.root / "manifests/a.json").read_text() == "one"
    assert (here.root / "manifests/deep/b.json").read_text() == "two"
    assert not (here.root / "other").exists()


def test_a_copy_that_is_the_same_is_not_fetched_again(server: S3Server, here: Mirror) -> None:
    lay(server, "manifests/a.json", "one")
    here.sync(here.root / "manifests")
    server.seen.clear()

    here.sync(here.root / "manifests")

    assert [method for method, path in server.seen if path.endswith("a.json")] == []


def test_a_copy_follows_its_object(server: S3Server, here: Mirror) -> None:
    lay(server, "manifests/a.json", "one")
    lay(server, "manifests/b.json", "gone")
    here.sync(here.root / "manifests")
    lay(server, "manifests/a.json", "two")
    here.bucket.delete(["lab/manifests/b.json"])

    here.sync(here.root / "manifests")

    assert (here.root / "manifests/a.json").read_text() == "two"
    assert not (here.root / "manifests/b.json").exists()


def test_what_was_written_here_stays_until_it_is_put(server: S3Server, here: Mirror) -> None:
    own = here.root / "manifests/own.json"
    own.parent.mkdir()
    own.write_text("mine")

    here.sync(own.parent)
    kept = own.read_text()
    here.put([own])

    assert kept == "mine"
    assert keys(server) == ["lab/manifests/own.json"]


def test_a_file_that_was_put_is_put_again_only_once_it_has_changed(server: S3Server, here: Mirror) -> None:
    own = here.root / "ledger.jsonl"
    own.write_text("a line\n")
    here.put([own])
    server.seen.clear()
    here.put([own])
    quiet = list(server.seen)
    own.write_text("a line\nanother\n")
    here.put([own])

    assert quiet == []
    assert here.bucket.text("lab/ledger.jsonl") == "a line\nanother\n"


def test_of_a_large_file_there_is_a_hole_of_its_size(server: S3Server, here: Mirror) -> None:
    lay(server, "backend/P.sqlite", "x" * 5000)

    here.look(here.root / "backend")
    hole = here.root / "backend/P.sqlite"

    assert (hole.stat().st_size, hole.stat().st_blocks) == (5000, 0)
    assert here.is_hole(hole)


def test_who_reads_a_hole_has_it_filled_first(server: S3Server, here: Mirror) -> None:
    lay(server, "backend/P.csv", "well,cells\n")
    path = here.root / "backend/P.csv"
    here.look(path)

    here.fetch(path)

    assert (path.read_text(), here.is_hole(path)) == ("well,cells\n", False)


def test_a_copy_is_not_made_a_hole_again(server: S3Server, here: Mirror) -> None:
    lay(server, "backend/P.csv", "well,cells\n")
    here.fetch(here.root / "backend/P.csv")

    here.look(here.root / "backend")

    assert (here.root / "backend/P.csv").read_text() == "well,cells\n"


def test_a_folder_shows_its_folders_and_not_what_is_in_them(server: S3Server, here: Mirror) -> None:
    lay(server, "images/P1__2020/Images/a.tiff", "a")
    lay(server, "images/P2__2020/Images/b.tiff", "b")

    here.look(here.root / "images")

    assert sorted(path.name for path in (here.root / "images").iterdir()) == ["P1__2020", "P2__2020"]
    assert list((here.root / "images/P1__2020").iterdir()) == []


def test_what_is_gone_from_the_bucket_is_seen_to_be_gone(server: S3Server, here: Mirror) -> None:
    lay(server, "backend/P.sqlite", "x")
    path = here.root / "backend/P.sqlite"
    here.look(path)
    here.bucket.delete(["lab/backend/P.sqlite"])

    here.look(path)

    assert not path.exists()


def test_a_file_counts_as_there_only_with_its_size(server: S3Server, here: Mirror) -> None:
    lay(server, "profiles/P.csv.gz", "12345")
    path = here.root / "profiles/P.csv.gz"

    assert here.holds(path, 5)
    assert not here.holds(path, 6)
    assert here.holds(path.parent, 0)
    assert not here.holds(here.root / "profiles/P.csv", 5)


def test_a_folder_is_not_taken_for_there_because_of_a_longer_name(server: S3Server, here: Mirror) -> None:
    lay(server, "analysis_old/Cells.csv", "1")

    assert not here.holds(here.root / "analysis", 0)


def test_a_deleted_folder_is_gone_here_and_there_and_its_neighbour_is_not(server: S3Server, here: Mirror) -> None:
    for name in ("illum/P/a.npy", "illum/P/b/c.npy", "illum/P2/a.npy"):
        lay(server, name, "1")
    here.look(here.root / "illum/P")

    here.delete(here.root / "illum/P")

    assert keys(server) == ["lab/illum/P2/a.npy"]
    assert not (here.root / "illum/P").exists()


def test_more_objects_than_one_request_takes_are_deleted(
    server: S3Server, here: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "DELETED_AT_ONCE", 2)
    for number in range(5):
        lay(server, f"runs/{number}", "")

    here.delete(here.root / "runs")

    assert keys(server) == []


def test_a_lost_index_costs_a_fetch_and_no_file(server: S3Server, here: Mirror) -> None:
    lay(server, "manifests/a.json", "one")
    here.sync(here.root / "manifests")
    here.index.path.unlink()
    fresh = Mirror(here.bucket, here.prefix, here.root, Index(here.index.path))

    fresh.sync(here.root / "manifests")

    assert (here.root / "manifests/a.json").read_text() == "one"


def test_a_bucket_that_is_not_there_is_named(server: S3Server, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"s3://no-such-bucket/.*there is no bucket no-such-bucket.*\[paths\] root"):
        mirror(server, tmp_path / "m", "no-such-bucket").sync(tmp_path / "m/manifests")


def test_who_may_not_is_told_what_he_lacks(server: S3Server, here: Mirror) -> None:
    server.fault = lambda environ: (403, "AccessDenied")

    with pytest.raises(StoreError, match=r"may not list it \(AccessDenied.*controller's policy"):
        here.sync(here.root / "manifests")


def test_who_has_no_credentials_is_told_where_they_come_from(
    server: S3Server, here: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(StoreError, match=r"Unable to locate credentials; credentials come from AWS_"):
        here.sync(here.root / "manifests")


def test_processes_that_make_the_same_holes_at_once_do_not_disturb_each_other(here: Mirror) -> None:
    files = [here.root / f"images/{number}.tiff" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda worker: here.stand_for((path, 1000, f"{worker}") for path in files), range(8)))

    assert sorted(here.root.glob("images/*")) == sorted(files)
    assert all(path.stat().st_size == 1000 and here.is_hole(path) for path in files)

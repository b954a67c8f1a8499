"""A mirror of a bucket is a folder of its own: no file of a person's is ever deleted or overwritten in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.results.store.s3 import mirror_mark
from tasks.settings import settings
from tests.integration.s3_server import S3Server
from tests.unit.conftest import LoadSettings
from tests.unit.test_mirror import lay, mirror

URL = "s3://bucket/lab"
ON_S3 = "[paths]\nroot = {root}\nmirror = {mirror}\n[runtime]\nplace = aws_batch\n"


def files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != mirror_mark.MARK)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Lay a folder with a person's data."""
    folder = tmp_path / "data"
    (folder / "cpg0000-jump-pilot/source_4/images").mkdir(parents=True)
    (folder / "cpg0000-jump-pilot/source_4/images/mine.tiff").write_text("mine")
    return folder


def test_a_folder_with_data_is_refused_as_mirror_before_anything_is_touched(
    data: Path, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(ON_S3.format(root=URL, mirror=data))
    with pytest.raises(SettingsError, match="cpg0000-jump-pilot") as refused:
        settings.load()

    assert str(data) in str(refused.value)
    assert files(data) == {"cpg0000-jump-pilot/source_4/images/mine.tiff": "mine"}


def test_a_local_data_root_is_refused_as_mirror(data: Path, luigi_cfg: LoadSettings) -> None:
    (data / ".work/manifests").mkdir(parents=True)
    luigi_cfg(ON_S3.format(root=URL, mirror=data))

    with pytest.raises(SettingsError):
        settings.load()


@pytest.mark.parametrize("there", [True, False], ids=["empty", "absent"])
def test_an_empty_folder_becomes_the_mirror_of_one_data_root_only(
    there: bool, tmp_path: Path, luigi_cfg: LoadSettings
) -> None:
    folder = tmp_path / "mirror"
    folder.mkdir() if there else None
    for _ in range(2):
        luigi_cfg(ON_S3.format(root=f"{URL}/", mirror=folder))
        assert settings.load().store.url == URL
    luigi_cfg(ON_S3.format(root="s3://bucket/other", mirror=folder))

    with pytest.raises(SettingsError, match=f"mirrors {URL}"):
        settings.load()


def test_a_mirror_of_an_earlier_version_and_one_beside_mirrors_of_prefixes_are_taken(tmp_path: Path) -> None:
    old, outer = tmp_path / "old", tmp_path / "bucket"
    for folder in (old, outer / "lab"):
        (folder / ".work").mkdir(parents=True)
        (folder / ".work/mirror.sqlite").touch()
    mirror_mark.claim(old, URL)
    mirror_mark.claim(outer, "s3://bucket")

    assert (old / mirror_mark.MARK).is_file()
    assert (outer / mirror_mark.MARK).is_file()


@pytest.mark.parametrize("content", ["", "[]", "{}", "no json"])
def test_a_mark_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / mirror_mark.MARK).write_text(content)

    with pytest.raises(SettingsError, match=mirror_mark.MARK):
        mirror_mark.claim(tmp_path, URL)


def test_a_file_as_mirror_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError):
        mirror_mark.claim(tmp_path / "file", URL)


def test_a_persons_file_that_the_bucket_does_not_have_stays_in_the_mirror(server: S3Server, tmp_path: Path) -> None:
    here = mirror(server, tmp_path / "mirror")
    lay(server, "images/P1/a.tiff", "a")
    here.look(here.root / "images")
    here.look(here.root / "images/P1")
    for mine in ("images/P1/mine.txt", "images/P2/mine.txt", "own.txt"):
        (here.root / mine).parent.mkdir(exist_ok=True)
        (here.root / mine).write_text("mine")
    here.bucket.delete(["lab/images/P1/a.tiff"])
    for looked_at in ("images", "images/P1", "own.txt"):
        here.look(here.root / looked_at)
    here.delete(here.root / "images/P1")

    assert files(here.root) == dict.fromkeys(["images/P1/mine.txt", "images/P2/mine.txt", "own.txt"], "mine")


@pytest.mark.parametrize("act", ["look", "sync", "fetch"])
def test_a_persons_file_in_the_place_of_an_object_is_kept_aside(act: str, server: S3Server, tmp_path: Path) -> None:
    here = mirror(server, tmp_path / "mirror")
    lay(server, "metadata/a.csv", "theirs")
    path = here.root / "metadata/a.csv"
    path.parent.mkdir()
    path.write_text("mine")
    getattr(here, act)(path.parent)
    kept = [text for name, text in files(here.root).items() if name.startswith(".set-aside/metadata/a.csv.")]

    assert kept == ["mine"]
    assert path.stat().st_size == len("theirs")


def test_a_copy_that_the_index_forgot_is_not_kept_aside(server: S3Server, tmp_path: Path) -> None:
    here = mirror(server, tmp_path / "mirror")
    lay(server, "metadata/a.csv", "theirs")
    lay(server, "metadata/b.csv", "large")
    here.fetch(here.root / "metadata/a.csv")
    here.look(here.root / "metadata/b.csv")
    here.index.path.unlink()
    again = mirror(server, here.root)
    again.sync(again.root / "metadata")

    assert files(here.root) == {"metadata/a.csv": "theirs", "metadata/b.csv": "large"}


def test_a_hole_that_the_index_forgot_goes_with_its_object(server: S3Server, tmp_path: Path) -> None:
    here = mirror(server, tmp_path / "mirror")
    lay(server, "metadata/b.csv", "large")
    here.look(here.root / "metadata/b.csv")
    here.index.path.unlink()
    here.bucket.delete(["lab/metadata/b.csv"])
    again = mirror(server, here.root)
    again.look(again.root / "metadata/b.csv")

    assert files(here.root) == {}

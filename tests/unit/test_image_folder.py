"""Images on S3 are looked at by ranged requests: the same faults in the same words as of a folder here, few bytes."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from stagekit.afar import Afar
from stagekit.transfer import Object

from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import BELOW, S3, new_bucket
from tests.unit.gallery import Done, Gallery, name
from tests.unit.test_load_data import A01, FAULTS, N09, random_image

BLOCK_BYTES = 16 * 1024


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gallery:
    """Lay two wells of two channels, A01 and N09, and their platemap."""
    made = Gallery(tmp_path, monkeypatch, capsys)
    made.lay(*(name(*well, channel) for well in (A01, N09) for channel in (5, 1)))
    made.map("A01", "N09")
    return made


@pytest.fixture
def s3(s3_port: int) -> S3:
    return new_bucket(s3_port)


@pytest.fixture
def proxy(s3: S3) -> Iterator[FaultProxy]:
    own = FaultProxy(s3.port)
    yield own
    own.close()


def as_microscopes_write(path: Path, pixels: np.ndarray, after: int = 84_000) -> None:
    """Write a TIFF as Harmony does: first the pixels, then the directory, then its values and much XML."""
    body = pixels.tobytes()
    start = 8 + len(body)
    tags = [(256, 4, pixels.shape[1]), (257, 4, pixels.shape[0]), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, pixels.shape[0]), (279, 4, len(body))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", start) + body + directory + b"<xml/>" * (after // 6))


def cut_microscope_image(path: Path) -> None:
    as_microscopes_write(path, np.zeros((300, 300), np.uint16))
    path.write_bytes(path.read_bytes()[:100_000])


HOSTILE = {
    **{what: (file, spoil) for what, (file, spoil, _) in FAULTS.items()},
    "nothing": (name(*A01, 5), lambda path: None),
    "no image": ("Index.idx.xml", lambda path: path.write_text("<Images><Image>")),
    "directory at the end": (name(*A01, 5), lambda path: as_microscopes_write(path, np.zeros((300, 300), np.uint16))),
    "cut before its directory": (name(*A01, 5), cut_microscope_image),
    "large and cut": (name(*A01, 5), lambda path: _cut_large(path)),
    "a directory beyond the end": (name(*A01, 5), lambda path: path.write_bytes(b"II*\0" + struct.pack("<I", 9**9))),
    "a directory of itself": (name(*A01, 5), lambda path: path.write_bytes(b"II*\0" + struct.pack("<I", 4) * 9)),
}  # fmt: skip


def _cut_large(path: Path) -> None:
    random_image(300, 300)(path)
    path.write_bytes(path.read_bytes()[:-1])


def upload(gallery: Gallery, s3: S3, url: str = "") -> Path:
    """Lay the plate's images in the bucket; return the file that describes their folder."""
    files = {path.name: path for path in gallery.images.iterdir()}
    for each, path in files.items():
        s3.put(f"Images/{each}", path.read_bytes())
    listed = {each: Object(path.stat().st_size, s3.etag(f"Images/{each}")) for each, path in files.items()}
    description = gallery.folder / "afar/Images"
    description.parent.mkdir(exist_ok=True)
    where = f"s3://{s3.bucket}/{BELOW}/Images/"
    Afar(where, url or f"http://127.0.0.1:{s3.port}", "us-east-1", True, listed).write(description)
    return description


def told(done: Done) -> tuple[object, ...]:
    tables = {path.name: path.read_text() for path in done.files.iterdir()}
    for path in list(done.files.iterdir()):
        path.unlink()
    return done.code, done.said, tables


@pytest.mark.parametrize(("file", "spoil"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("faulty_sites", ["stop", "exclude"])
def test_a_folder_on_s3_is_judged_as_one_that_is_here(
    faulty_sites: str, file: str, spoil: Callable[[Path], object], gallery: Gallery, s3: S3
) -> None:
    spoil(gallery.images / file)
    here = told(gallery.run(faulty_sites=faulty_sites))
    afar = told(gallery.run(faulty_sites=faulty_sites, images=str(upload(gallery, s3))))

    assert afar == here
    assert "Traceback" not in str(afar[1])


def test_positions_are_read_from_afar(gallery: Gallery, s3: S3) -> None:
    entries = "".join(
        f"<Image><URL>{name(*well, 1)}</URL><PositionX>1</PositionX><PositionY>2</PositionY></Image>"
        for well in (A01, N09)
    )
    (gallery.images / "Index.idx.xml").write_text(f"<Images>{entries}</Images>")
    here = told(gallery.run())

    assert told(gallery.run(images=str(upload(gallery, s3)))) == here
    assert "Metadata_PositionX" in here[2]["load_data.csv"]  # type: ignore[index]


def test_of_a_large_image_two_blocks_are_read(gallery: Gallery, s3: S3, proxy: FaultProxy) -> None:
    for well in (A01, N09):
        for channel in (1, 5):
            as_microscopes_write(gallery.images / name(*well, channel), np.ones((1080, 1080), np.uint16))
    done = gallery.run(images=str(upload(gallery, s3, proxy.url)))
    sizes = [path.stat().st_size for path in gallery.images.iterdir()]

    assert done.code == 0, done.said
    ranges = [asked.range.removeprefix("bytes=").split("-") for asked in proxy.gets() if asked.range]
    assert len(proxy.gets()) == len(ranges) == 2 * len(sizes)
    assert {int(last) - int(first) + 1 for first, last in ranges} == {BLOCK_BYTES}
    assert min(sizes) > 2_000_000


def test_an_image_that_changes_after_it_was_listed_is_named(gallery: Gallery, s3: S3) -> None:
    description = upload(gallery, s3)
    s3.put(f"Images/{name(*A01, 5)}", b"another")
    done = gallery.run(images=str(description))

    assert done.code == 65
    assert f"/Images/{name(*A01, 5)} is not what it was a moment ago" in done.said


def test_an_image_that_is_gone_is_named(gallery: Gallery, s3: S3) -> None:
    description = upload(gallery, s3)
    s3.remove(f"Images/{name(*A01, 5)}")
    done = gallery.run(images=str(description))

    assert (done.code, "is not what it was a moment ago" in done.said) == (65, True)


def test_a_service_that_fails_is_no_fault_of_an_image(gallery: Gallery, s3: S3, proxy: FaultProxy) -> None:
    description = upload(gallery, s3, proxy.url)
    proxy.inject("internal_error", name(*A01, 5), times=1000)
    done = gallery.run(images=str(description))

    assert done.code == 69
    assert f"s3://{s3.bucket}/{BELOW}/Images/{name(*A01, 5)}: " in done.said
    assert not (done.files / "preflight.tsv").exists()


@pytest.mark.parametrize("kind", ["internal_error", "slow_down", "reset", "truncate"])
def test_a_fault_of_the_service_that_passes_is_not_noticed(
    kind: str, gallery: Gallery, s3: S3, proxy: FaultProxy
) -> None:
    description = upload(gallery, s3, proxy.url)
    proxy.inject(kind, name(*A01, 5))
    done = gallery.run(images=str(description))

    assert done.code == 0, done.said
    assert proxy.fired[kind] == 1


def test_an_image_that_is_read_here_and_afar_has_the_same_bytes_wherever_one_reads(
    gallery: Gallery, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.gallery import FOLDER

    body = np.random.default_rng(7).bytes(3 * BLOCK_BYTES + 17)
    (gallery.images / "x.tiff").write_bytes(body)
    description = upload(gallery, s3)
    monkeypatch.syspath_prepend(str(FOLDER))
    import image_folder

    file = image_folder.of(str(description)).open("x.tiff")
    for first, count in np.random.default_rng(8).integers(0, len(body), (60, 2)).tolist():
        assert file.seek(first) == file.tell() == first
        assert file.read(count) == body[first : first + count]
    file.seek(-5, 2)
    assert file.read() == body[-5:]
    assert file.read(1) == b""
    assert image_folder.of(str(gallery.images)).open("x.tiff").read(9) == body[:9]
    for module in ("image_folder", "bucket"):  # another image has modules of the same name
        del sys.modules[module]


def test_what_tifffile_reads_of_a_microscopes_image_is_an_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (30, 40)).astype(np.uint16)
    as_microscopes_write(tmp_path / "x.tiff", pixels)

    assert np.array_equal(tifffile.imread(tmp_path / "x.tiff"), pixels)

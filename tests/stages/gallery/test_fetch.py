"""What is asked for comes as it lies in the gallery: every file, whole, checked, under its own name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import S3, Fetch

BATCH, PLATE = "2020_11_04_CPJUMP1", "BR00117013"
IMAGES = f"images/{BATCH}/images"
MEASURED = f"{IMAGES}/{PLATE}__2020-11-08T22_00_00-Measurement1"


def test_a_plates_images_come_from_the_folder_that_is_looked_up(s3: S3, fetch: Fetch, real_data: Path) -> None:
    laid = {
        f"{MEASURED}/Images/{path.name}": path.read_bytes() for path in sorted((real_data / "images").iterdir())[:8]
    }
    for path, body in laid.items():
        s3.put(path, body)
    s3.put(f"{IMAGES}/{PLATE}A__2020-11-09T10_00_00-Measurement1/Images/other.tiff", b"another plate's")
    done = fetch.run(f"{IMAGES}/{PLATE}__*/")

    assert done.returncode == 0, done.stderr
    assert fetch.came() == laid
    assert [row["path"] for row in fetch.table()] == sorted(laid)
    assert {row["path"]: row["sha256"] for row in fetch.table()} == {
        path: hashlib.sha256(body).hexdigest() for path, body in laid.items()
    }
    assert fetch.result()["facts"]["files"] == len(laid)
    assert fetch.result()["facts"]["bytes"] == sum(map(len, laid.values()))
    assert "8 of 8 files" in done.stderr


def test_metadata_and_profiles_come_with_all_that_is_below_their_folders(s3: S3, fetch: Fetch, real_data: Path) -> None:
    metadata = real_data / "metadata"
    files = [path for path in metadata.rglob("*") if path.is_file() and path.parent != metadata]
    laid = {f"workspace/metadata/{path.relative_to(metadata)}": path.read_bytes() for path in files}
    for path, body in laid.items():
        s3.put(path, body)
    done = fetch.run(f"workspace/metadata/platemaps/{BATCH}/", "workspace/metadata/external_metadata/")

    assert done.returncode == 0, done.stderr
    assert fetch.came() == {
        path: body for path, body in laid.items() if BATCH + "/" in path or "external_metadata" in path
    }
    assert len(fetch.came()) == 9


def test_several_measurements_are_listed_unless_one_is_chosen(s3: S3, fetch: Fetch) -> None:
    for number in (1, 2, 12):
        s3.put(f"{IMAGES}/{PLATE}__2020-11-08T22_00_00-Measurement{number}/Images/a.tiff", b"%d" % number)
    done = fetch.run(f"{IMAGES}/{PLATE}__*/")
    fetch.measurement = "Measurement2"
    chosen = fetch.run(f"{IMAGES}/{PLATE}__*/")

    assert done.returncode == 65
    assert all(f"-Measurement{number}" in done.stderr for number in (1, 2, 12))
    assert "[gallery] measurement" in done.stderr
    assert chosen.returncode == 0, chosen.stderr
    assert list(fetch.came().values()) == [b"2"]


def test_a_plate_or_file_that_is_not_there_is_named_with_what_is(s3: S3, fetch: Fetch) -> None:
    s3.put(f"{IMAGES}/BR00117010__2020-11-08T18_18_00-Measurement1/Images/a.tiff", b"1")
    s3.put("workspace/metadata/platemaps/B/barcode_platemap.csv", b"1")
    plate = fetch.run(f"{IMAGES}/{PLATE}__*/")
    file = fetch.run("workspace/metadata/platemaps/B/barcode.csv")

    assert plate.returncode == file.returncode == 65
    assert f"no folder of the plate {PLATE}" in plate.stderr
    assert "BR00117010__2020-11-08T18_18_00-Measurement1" in plate.stderr
    assert "barcode.csv is not in the gallery; beside it there are: barcode_platemap.csv" in file.stderr
    assert "Traceback" not in plate.stderr + file.stderr


def test_a_listing_of_more_than_a_thousand_keys_comes_whole(s3: S3, fetch: Fetch, proxy: FaultProxy) -> None:
    laid = {f"{MEASURED}/Images/{number:04d}.tiff": b"%d" % number for number in range(1_203)}
    s3.put_many(laid)
    done = fetch.run(f"{MEASURED}/")
    listings = [asked for asked in proxy.asked if not asked.key]

    assert done.returncode == 0, done.stderr
    assert len(listings) == 2, "the listing was not longer than one answer"
    assert fetch.came() == laid


def test_what_is_left_in_the_gallery_is_listed_and_not_asked_for(s3: S3, fetch: Fetch, proxy: FaultProxy) -> None:
    laid = {f"{MEASURED}/Images/{number}.tiff": b"%d" % number for number in range(3)}
    for path, body in laid.items():
        s3.put(path, body)
    s3.put_in_parts(f"{MEASURED}/Index.xml", b"x" * (6 << 20), 5 << 20)
    fetch.content = "leave"
    done = fetch.run(f"{IMAGES}/{PLATE}__*/")
    rows = {row["path"]: row for row in fetch.table()}

    assert done.returncode == 0, done.stderr
    assert proxy.gets() == []
    assert fetch.came() == {}
    assert {path: (row["bytes"], row["etag"]) for path, row in rows.items()} == {
        path: (str(size), s3.etag(path))
        for path, size in {**dict.fromkeys(laid, 1), f"{MEASURED}/Index.xml": 6 << 20}.items()
    }
    assert {(row["sha256"], row["checked"]) for row in rows.values()} == {("", "listed")}
    assert fetch.result()["facts"]["bytes"] == 3 + (6 << 20)
    assert fetch.result()["warnings"] == []


def test_that_a_list_of_checksums_was_not_held_against_what_is_left_is_told(
    s3: S3, fetch: Fetch, tmp_path: Path
) -> None:
    s3.put(f"{MEASURED}/Images/a.tiff", b"a")
    fetch.checksums = tmp_path / "sums.csv"
    fetch.checksums.write_text(f"path,sha256\nImages/a.tiff,{'0' * 64}\nImages/b.tiff,{'0' * 64}\n")
    fetch.content = "leave"
    done = fetch.run(f"{IMAGES}/{PLATE}__*/")
    warnings = fetch.result()["warnings"]
    fetch.checksums.write_text("path,sha256\nImages/a.tiff,no sum\n")
    refused = fetch.run(f"{IMAGES}/{PLATE}__*/")

    assert done.returncode == 0, done.stderr
    assert warnings == ["1 files stay in the gallery unread: sums.csv has their SHA-256, not compared"]
    assert refused.returncode == 65


ODD = [
    "with space.tiff",
    "plus+sign.tiff",
    "ü-µm.tiff",
    "100%.tiff",
    "a&b=c.tiff",
    "#1?.tiff",
    'it\'s "quoted", x.tiff',
]


def test_keys_with_odd_characters_come_under_their_own_names(s3: S3, fetch: Fetch) -> None:
    for name in ODD:
        s3.put(f"{MEASURED}/{name}", name.encode())
    done = fetch.run(f"{MEASURED}/")

    assert done.returncode == 0, done.stderr
    assert fetch.came() == {f"{MEASURED}/{name}": name.encode() for name in ODD}
    assert sorted(row["path"] for row in fetch.table()) == sorted(f"{MEASURED}/{name}" for name in ODD)


@pytest.mark.parametrize("bad", ["../../../../../../escaped", "a/../../b", "a//b", "./a", "x" * 300])
def test_a_key_that_would_escape_the_data_root_is_refused(
    bad: str, s3: S3, fetch: Fetch, tmp_path: Path, proxy: FaultProxy
) -> None:
    s3.put(f"{MEASURED}/good.tiff", b"good")
    s3.put(f"{MEASURED}/{bad}", b"bad")
    listed = s3.client.list_objects_v2(Bucket=s3.bucket)["Contents"]
    done = fetch.run(f"{MEASURED}/")

    assert any(entry["Key"].endswith(f"/{bad}") for entry in listed), "the server does not list such a key"
    assert done.returncode == 65
    assert "is refused: as a path it would not stay below the data root" in done.stderr
    assert fetch.came() == {}
    assert proxy.gets() == []
    assert not list(tmp_path.rglob("escaped"))


def test_a_file_and_a_folder_of_one_name_are_named(s3: S3, fetch: Fetch) -> None:
    s3.put(f"{MEASURED}/a", b"a file")
    s3.put(f"{MEASURED}/a/b", b"below it")
    done = fetch.run(f"{MEASURED}/")

    assert done.returncode == 65
    assert f"holds a file '{MEASURED}/a' and files below a folder of that name" in done.stderr


def test_an_empty_file_and_a_folder_marker_do_no_harm(s3: S3, fetch: Fetch) -> None:
    s3.put(f"{MEASURED}/", b"")
    s3.put(f"{MEASURED}/empty.txt", b"")
    done = fetch.run(f"{MEASURED}/")

    assert done.returncode == 0, done.stderr
    assert fetch.came() == {f"{MEASURED}/empty.txt": b""}


def test_a_bucket_or_service_that_is_not_there_is_named_with_the_setting(s3: S3, fetch: Fetch) -> None:
    fetch.bucket = "no-such-bucket"
    bucket = fetch.run("a/b.csv")
    fetch.url = "http://127.0.0.1:9"
    service = fetch.run("a/")

    assert bucket.returncode in (65, 69)
    assert "no-such-bucket" in bucket.stderr
    assert service.returncode == 69
    assert "see [gallery] endpoint_url" in service.stderr
    assert "Traceback" not in bucket.stderr + service.stderr


def test_a_disk_that_is_too_small_is_told_before_anything_comes(s3: S3, fetch: Fetch, proxy: FaultProxy) -> None:
    s3.put("a/b.csv", b"x" * 1000)
    fake = "import shutil, collections\nUsage = collections.namedtuple('Usage', 'total used free')\n"
    fetch.patch = fake + "shutil.disk_usage = lambda path: Usage(0, 0, 400_000_000)"
    done = fetch.run("a/")

    assert done.returncode == 69
    assert "0.4 GB are free on the data root's disk: free 0.6 GB" in done.stderr
    assert proxy.gets() == []


def test_every_file_is_a_unit_by_its_path_below_what_holds_all_of_them(s3: S3, fetch: Fetch) -> None:
    for name in ("Images/a.tiff", "Images/b.tiff", "Images/Index.idx.xml", "notes.txt"):
        s3.put(f"{MEASURED}/{name}", b"1")
    fetch.run(f"{IMAGES}/{PLATE}__*/")
    names = ("Images/a.tiff", "Images/b.tiff", "Images/Index.idx.xml", "notes.txt")

    assert fetch.units() == dict.fromkeys(names, ("ok", ""))


def test_a_single_file_is_a_unit_by_its_name(s3: S3, fetch: Fetch) -> None:
    s3.put("workspace/metadata/notes.txt", b"1")
    fetch.run("workspace/metadata/notes.txt")

    assert fetch.units() == {"notes.txt": ("ok", "")}

"""Browsing the gallery: folders with their counts and sizes, cut short where the listing is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.stages.gallery.service import BELOW, CONTAINERS, S3, Fetch

FILES = {"a/1.csv": 10, "a/deep/2.csv": 20, "b/3.csv": 5, "c/4.csv": 1, "z.txt": 7}


@pytest.fixture
def filled(s3: S3) -> S3:
    for path, size in FILES.items():
        s3.put(path, b"x" * size)
    return s3


def browse(fetch: Fetch, folder: str, most: int = 1000, below: str = BELOW) -> subprocess.CompletedProcess[str]:
    given = {
        "bucket": fetch.bucket, "endpoint_url": fetch.url, "region": "us-east-1", "unsigned": "true", "below": below,
        "connections": "2", "stall_seconds": "2", "folder": folder, "most": str(most), "output": str(fetch.folder),
    }  # fmt: skip
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    program = [str(fetch.python), str(CONTAINERS / "gallery/browse.py"), *words]
    return subprocess.run(program, env=fetch.environment, capture_output=True, text=True, check=False, timeout=60)


def entries(folder: Path) -> list[tuple[object, ...]]:
    found = json.loads((folder / "result.json").read_text())["facts"]["entries"]
    return [tuple(entry.values()) for entry in found]


def test_folders_come_with_the_count_and_size_of_all_that_is_below_them(fetch: Fetch, filled: S3) -> None:
    done = browse(fetch, "")

    assert done.returncode == 0, done.stderr
    assert entries(fetch.folder) == [
        ("a/", 2, 30, True), ("b/", 1, 5, True), ("c/", 1, 1, True), ("z.txt", 1, 7, True),
    ]  # fmt: skip


def test_a_folder_below_and_the_buckets_own_root_can_be_listed(fetch: Fetch, filled: S3) -> None:
    browse(fetch, "a")
    below = entries(fetch.folder)
    browse(fetch, "/", below="")

    assert below == [("1.csv", 1, 10, True), ("deep/", 1, 20, True)]
    assert entries(fetch.folder) == [(BELOW.split("/")[0] + "/", 5, 43, True)]


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (5, [("a/", 2, 30, True), ("b/", 1, 5, True), ("c/", 1, 1, True), ("z.txt", 1, 7, True)]),
        (3, [("a/", 2, 30, True), ("b/", 1, 5, True), ("c/", 0, 0, False), ("z.txt", 0, 0, False)]),
        (1, [("a/", 1, 10, False), ("b/", 0, 0, False), ("c/", 0, 0, False), ("z.txt", 0, 0, False)]),
    ],
)
def test_a_listing_that_is_cut_short_says_what_was_not_counted(
    fetch: Fetch, filled: S3, most: int, expected: list[tuple[object, ...]]
) -> None:
    browse(fetch, "", most)

    assert entries(fetch.folder) == expected


def test_a_folder_that_is_not_there_is_named(fetch: Fetch, filled: S3) -> None:
    done = browse(fetch, "nowhere")

    assert done.returncode == 65
    assert f"s3://{fetch.bucket}/{BELOW}/nowhere/: there is nothing" in done.stderr

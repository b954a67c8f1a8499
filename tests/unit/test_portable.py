"""Where the data root lies is told to nobody, and a path that only looks alike stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.results.portable import without_root

TEXTS = {
    "the root itself": ("/data", "<data root>"),
    "a file below": ("error: /data/a.tiff is cut", "error: <data root>/a.tiff is cut"),
    "in quotes": ("open('/data/a b.csv', \"/data\")", "open('<data root>/a b.csv', \"<data root>\")"),
    "at a sentence's end": ("nothing lies in /data. Look there", "nothing lies in <data root>. Look there"),
    "before a colon": ("/data: it is full", "<data root>: it is full"),
    "a URL": ("file:///data/a.tiff", "file://<data root>/a.tiff"),
    "a flag's value": ("--root=/data/x", "--root=<data root>/x"),
    "several": ("/data/a:/data/b", "<data root>/a:<data root>/b"),
    "a longer name": ("/data2/a.tiff", "/data2/a.tiff"),
    "a name with a dash": ("/data-old/a.tiff", "/data-old/a.tiff"),
    "a name with a dot": ("/data.bak/a.tiff", "/data.bak/a.tiff"),
    "below another folder": ("/mnt/data/a.tiff", "/mnt/data/a.tiff"),
    "a relative path": ("shared/data/a.tiff", "shared/data/a.tiff"),
    "a bucket's": ("s3://bucket/data/a.tiff", "s3://bucket/data/a.tiff"),
    "another alphabet": ("/dataß/a.tiff", "/dataß/a.tiff"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_only_paths_of_the_data_root_are_replaced(text: str, expected: str) -> None:
    value = {text: [text, {"deep": (text, 1, 1.5, None, True)}]}

    assert without_root(value, Path("/data")) == {expected: [expected, {"deep": [expected, 1, 1.5, None, True]}]}


@pytest.mark.parametrize("name", ["a+b (c)", "Zellen-Ü", 'quo"te', "back\\slash"])
def test_a_root_of_any_name_is_replaced(name: str, tmp_path: Path) -> None:
    root = tmp_path / name

    assert without_root([f"{root}/a.csv", f"{root}x"], root) == ["<data root>/a.csv", f"{root}x"]


def test_a_root_that_is_a_link_is_replaced_by_either_name(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "far")
    value = [f"{tmp_path}/root/a", f"{tmp_path}/far/a"]

    assert without_root(value, tmp_path / "root") == ["<data root>/a", "<data root>/a"]


def test_what_is_no_text_and_the_root_of_all_stay_as_they_are() -> None:
    assert json.dumps(without_root({"a": "/x/y"}, Path("/"))) == '{"a": "/x/y"}'

"""A result depends on content: not on times, not on where things lie."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tasks.results import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.tiff").write_bytes(b"first")
    (folder / "inner/b.tiff").write_bytes(b"second")
    return folder


def digest(path: Path, memory: Path | None = None) -> str:
    return fingerprint.artifact(path, memory).digest


def test_the_digest_of_a_file_is_its_sha256(folder: Path) -> None:
    found = fingerprint.artifact(folder / "a.tiff")

    assert found == fingerprint.Artifact(folder / "a.tiff", hashlib.sha256(b"first").hexdigest(), 1, 5)


def test_the_digest_of_a_folder_is_that_of_its_sorted_names_and_contents(folder: Path) -> None:
    lines = [("a.tiff", b"first"), ("inner/b.tiff", b"second")]
    listing = "".join(f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in lines)

    assert fingerprint.artifact(folder) == fingerprint.Artifact(
        folder, hashlib.sha256(listing.encode()).hexdigest(), 2, 11
    )


@pytest.mark.parametrize("name", ["a.tiff", "."])
def test_touching_a_file_changes_nothing(folder: Path, name: str) -> None:
    before = digest(folder / name)
    os.utime(folder / "a.tiff", (1, 1))

    assert digest(folder / name) == before


@pytest.mark.parametrize("name", ["a.tiff", "."])
def test_a_changed_byte_changes_the_digest(folder: Path, name: str) -> None:
    before = digest(folder / name)
    (folder / "a.tiff").write_bytes(b"First")

    assert digest(folder / name) != before


def test_a_renamed_file_changes_the_digest_of_its_folder(folder: Path) -> None:
    before = digest(folder)
    (folder / "a.tiff").rename(folder / "c.tiff")

    assert digest(folder) != before


def test_a_moved_folder_keeps_its_digest(folder: Path) -> None:
    before = digest(folder)

    assert digest(folder.rename(folder.with_name("elsewhere"))) == before


def test_two_files_whose_contents_are_swapped_change_the_digest(folder: Path) -> None:
    before = digest(folder)
    (folder / "a.tiff").write_bytes(b"second")
    (folder / "inner/b.tiff").write_bytes(b"first")

    assert digest(folder) != before


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on."""
    names: list[str] = []
    real = fingerprint._sha256
    monkeypatch.setattr(fingerprint, "_sha256", lambda file: names.append(file.name) or real(file))
    return names


def test_remembered_files_are_not_read_again(folder: Path, tmp_path: Path, read: list[str]) -> None:
    memory = tmp_path / "memory/plate.json"
    first, second = digest(folder, memory), digest(folder, memory)

    assert first == second == digest(folder)
    assert sorted(read) == ["a.tiff", "a.tiff", "b.tiff", "b.tiff"]  # once with memory, once without


def test_only_a_file_that_changed_is_read_again_and_remembered(folder: Path, tmp_path: Path, read: list[str]) -> None:
    memory = tmp_path / "plate.json"
    digest(folder, memory)
    (folder / "a.tiff").write_bytes(b"other")
    os.utime(folder / "a.tiff", (1, 1))
    del read[:]

    assert digest(folder, memory) == digest(folder, memory)
    assert read == ["a.tiff"]
    assert digest(folder, memory) == digest(folder)


def test_a_removed_file_is_forgotten(folder: Path, tmp_path: Path) -> None:
    memory = tmp_path / "plate.json"
    digest(folder, memory)
    (folder / "a.tiff").unlink()

    assert digest(folder, memory) == digest(folder)
    assert list(json.loads(memory.read_text())) == ["inner/b.tiff"]


@pytest.mark.parametrize("text", ["", '{"a.tiff": [5, '], ids=["empty", "cut off"])
def test_a_spoilt_memory_is_as_good_as_none(folder: Path, tmp_path: Path, text: str) -> None:
    memory = tmp_path / "plate.json"
    memory.write_text(text)

    assert digest(folder, memory) == digest(folder)


def test_the_order_of_parts_does_not_matter_and_every_part_does() -> None:
    parts = {"stage": "normalize", "parameters": {"method": "mad_robustize", "samples": "all"}}
    turned = {"parameters": {"samples": "all", "method": "mad_robustize"}, "stage": "normalize"}

    assert fingerprint.digest(parts) == fingerprint.digest(turned)
    assert fingerprint.digest(parts) != fingerprint.digest({**parts, "stage": "annotate"})
    assert fingerprint.digest(parts) != fingerprint.digest({**parts, "parameters": {"method": "standardize"}})

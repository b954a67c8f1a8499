"""Verify says which files are no longer as they were fetched or made, and what to do."""

from __future__ import annotations

import argparse
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.commands import verify
from tasks.dataset.layout import Layout
from tasks.results import manifest
from tasks.runtime.engines import engines
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, make_manifest
from tests.unit.test_fetch_task import IMAGES, Gallery, fetch_images


@pytest.fixture
def root(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A data root with two fetched images and a sqlite that was made."""
    layout = luigi_cfg("")
    monkeypatch.setattr(engines, "choose", lambda wanted, image: FakeEngine(Gallery(IMAGES)))
    fetch_images().run()
    made = layout.published("backend", BATCH, PLATE) / f"{PLATE}.sqlite"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"cells")
    record = make_manifest({"backend": made}, layout.root)
    entry = {**record.outputs["backend"], "bytes": 5, "digest": hashlib.sha256(b"cells").hexdigest()}
    path = layout.manifest("collate", BATCH, PLATE)
    path.parent.mkdir(parents=True)
    manifest.write(path, replace(record, outputs={"backend": entry}))
    return layout


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    flags = argparse.ArgumentParser()
    verify.add(flags)
    code = verify.act(flags.parse_args(words))
    return code, capsys.readouterr().out.splitlines()


def change(path: Path, body: bytes) -> None:
    """Change a file's bytes, but not its time of change."""
    then = path.stat()
    path.write_bytes(body)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))


def test_what_is_as_it_was_is_counted(root: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys)

    assert code == 0
    assert said == ["2 results, 4 files and folders compared by size, 0 not as they were"]


def test_a_file_that_is_gone_or_shorter_is_named_with_the_next_step(
    root: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = IMAGES
    (root.dataset / first).unlink()
    (root.dataset / second).write_bytes(b"cut")
    code, said = run(capsys, "--batch-id", BATCH, "--plate", PLATE)

    assert code == 1
    assert said[0] == f"{root.dataset / first}: it is gone; run: luigi --module tasks FetchFile --key '{first}'"
    assert said[1].startswith(f"{root.dataset / second}: it has another size than when it was made; remove it and run")


def test_other_bytes_of_the_same_length_are_found_by_reading(root: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = root.dataset / next(iter(IMAGES))
    change(path, b"x" * path.stat().st_size)
    quick, _ = run(capsys, "--plate", PLATE)
    code, said = run(capsys, "--deep", "--plate", PLATE)

    assert quick == 0
    assert code == 1
    assert f"{path}: it has other bytes than when it was made" in said[0]
    assert len(said) == 2


def test_only_what_is_asked_for_is_looked_at(root: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "--plate", "another")

    assert (code, said) == (0, ["0 results, 0 files and folders compared by size, 0 not as they were"])

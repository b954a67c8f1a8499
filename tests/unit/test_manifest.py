"""Publishing: a manifest stands for its files, whatever happens on the way."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import fingerprint, manifest
from tasks.results.manifest import Manifest
from tests.unit.fakes import BATCH, PLATE

Files = Mapping[str, tuple[Path, Path]]
PARTS = {"stage": "collate", "parameters": {"n": "2"}}
OLD_PARTS = {"stage": "collate", "parameters": {"n": "1"}}
REPLACES = 6  # of a publication of a file and a folder over old ones: intent, file, old folder, folder, manifest


class Crash(BaseException):
    """The end of the process, as by SIGKILL."""


def moves(layout: Layout) -> dict[str, tuple[Path, Path]]:
    run, place = layout.root / ".work/run", layout.published("backend", BATCH, PLATE)
    return {"backend": (run / "a.sqlite", place / "a.sqlite"), "tiles": (run / "tiles", place / "tiles")}


def make_files(layout: Layout, content: str) -> None:
    file, folder = (source for source, _ in moves(layout).values())
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    (folder / f"{content}.txt").write_text(content)


def record(layout: Layout, parts: Mapping[str, object] = PARTS) -> Manifest:
    outputs = {}
    for name, (source, target) in moves(layout).items():
        made = fingerprint.artifact(source)
        path = target.relative_to(layout.root).as_posix()
        outputs[name] = {"path": path, "digest": made.digest, "files": made.files, "bytes": made.bytes}
    return Manifest("collate", BATCH, PLATE, parts, outputs, {"engine": "fake"}, ".work/run", "2020-11-04", 1.0)


def publish(layout: Layout, content: str, parts: Mapping[str, object] = PARTS) -> None:
    make_files(layout, content)
    manifest.publish(layout, record(layout, parts), moves(layout))


def place_of(layout: Layout) -> Path:
    return layout.manifest("collate", BATCH, PLATE)


def holds(layout: Layout) -> bool:
    """Return whether every file that the manifest claims is there with the content that it claims."""
    found = manifest.read(place_of(layout))
    assert found is not None
    return all(fingerprint.artifact(each.path) == each for each in found.artifacts(layout.root).values())


def published(layout: Layout) -> dict[str, str]:
    place = layout.published("backend", BATCH, PLATE)
    return {path.relative_to(place).as_posix(): path.read_text() for path in place.rglob("*") if path.is_file()}


def crash_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = iter(range(1, 100))
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if next(calls) == number:
            raise Crash
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


def test_publishing_moves_the_files_and_writes_the_manifest(layout: Layout) -> None:
    publish(layout, "new")

    assert published(layout) == {"a.sqlite": "new", "tiles/new.txt": "new"}
    assert manifest.read(place_of(layout)).is_of(PARTS)
    assert not any(source.exists() for source, _ in moves(layout).values())
    assert holds(layout)


def test_a_manifest_is_read_as_it_was_written(layout: Layout) -> None:
    make_files(layout, "new")
    written = record(layout)
    manifest.publish(layout, written, moves(layout))

    assert manifest.read(place_of(layout)) == written


def test_a_new_result_replaces_the_old_one_whole(layout: Layout) -> None:
    publish(layout, "old", OLD_PARTS)
    publish(layout, "new")

    assert published(layout) == {"a.sqlite": "new", "tiles/new.txt": "new"}
    assert holds(layout)
    assert not list((layout.trash).iterdir())


@pytest.mark.parametrize("left_out", ["backend", "tiles"])
def test_what_a_setting_leaves_out_now_does_not_stay_beside_the_new_result(layout: Layout, left_out: str) -> None:
    publish(layout, "old", OLD_PARTS)
    make_files(layout, "new")
    kept = {name: move for name, move in moves(layout).items() if name != left_out}
    whole = record(layout)
    outputs = {name: made for name, made in whole.outputs.items() if name in kept}
    manifest.publish(layout, dataclasses.replace(whole, outputs=outputs), kept)
    places = {name: place for name, (_, place) in moves(layout).items()}

    assert {name for name, place in places.items() if place.exists()} == set(kept)
    assert holds(layout)
    assert not list((layout.trash).glob("*"))


def test_the_manifest_comes_last_and_the_old_one_goes_first(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(layout, "old", OLD_PARTS)
    seen: list[tuple[str, bool]] = []
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        seen.append((Path(target).name, place_of(layout).exists()))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    publish(layout, "new")
    trash = seen[2][0]

    assert seen == [
        (f"{PLATE}.publishing", True),
        ("a.sqlite", False),
        (trash, False),
        ("tiles", False),
        (f"{PLATE}.json", False),
    ]


@pytest.mark.parametrize("number", range(1, REPLACES))
@pytest.mark.parametrize("old", [True, False], ids=["over an old result", "first"])
@pytest.mark.parametrize("again", ["resume", "rerun"])
def test_a_crash_at_any_step_leaves_no_false_claim_and_can_be_mended(
    number: int, old: bool, again: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old:
        publish(layout, "old", OLD_PARTS)
    make_files(layout, "new")
    with monkeypatch.context() as context:
        crash_at(context, number if old else min(number, REPLACES - 2))
        with pytest.raises(Crash):
            manifest.publish(layout, record(layout), moves(layout))
    claimed = manifest.read(place_of(layout))

    assert claimed is None or (claimed.is_of(OLD_PARTS) and holds(layout))

    resumed = again == "resume" and manifest.resume(layout, place_of(layout), PARTS, moves(layout))
    if not resumed:
        publish(layout, "new")

    assert resumed == (again == "resume" and number > 1)
    assert published(layout) == {"a.sqlite": "new", "tiles/new.txt": "new"}
    assert manifest.read(place_of(layout)).is_of(PARTS)
    assert holds(layout)


def test_a_publication_of_another_fingerprint_is_not_resumed(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        crash_at(context, 2)
        with pytest.raises(Crash):
            publish(layout, "new")

    assert not manifest.resume(layout, place_of(layout), OLD_PARTS, moves(layout))
    assert manifest.read(place_of(layout)) is None


def test_old_files_are_not_taken_for_new_ones_that_were_lost(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(layout, "old", OLD_PARTS)
    with monkeypatch.context() as context:
        crash_at(context, 2)
        with pytest.raises(Crash):
            publish(layout, "new")
    file, _ = moves(layout)["backend"]
    file.unlink()

    assert not manifest.resume(layout, place_of(layout), PARTS, moves(layout))
    assert manifest.read(place_of(layout)) is None


def test_a_full_disk_is_told_and_can_be_mended(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(
            PublishError, match=rf"collate/{PLATE}: the results could not be published: .*No space left"
        ):
            publish(layout, "new")

    assert manifest.read(place_of(layout)) is None

    publish(layout, "new")

    assert holds(layout)


@pytest.mark.parametrize("name", ["backend", "tiles"])
def test_a_file_that_is_not_ours_is_left_as_it_was(name: str, layout: Layout) -> None:
    target = moves(layout)[name][1]
    mine = target if name == "backend" else target / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(PublishError, match="is there and was not made by this toolkit; move it away") as failure:
        publish(layout, "new")

    assert str(target) in str(failure.value)
    assert mine.read_text() == "mine"
    assert manifest.read(place_of(layout)) is None
    assert all(source.exists() for source, _ in moves(layout).values())


def test_a_persons_file_in_a_folder_that_is_made_again_is_not_lost(layout: Layout) -> None:
    publish(layout, "old", OLD_PARTS)
    mine = moves(layout)["tiles"][1] / "notes.txt"
    mine.write_text("mine")

    with pytest.raises(PublishError, match=r"tiles holds 1 file that this toolkit did not make .*notes\.txt"):
        publish(layout, "new")

    assert mine.read_text() == "mine"
    assert place_of(layout).exists()

    mine.unlink()
    (mine.parent / ".DS_Store").write_text("of a file browser")
    publish(layout, "new")

    assert holds(layout)


SPOILT = {
    "absent": None,
    "empty": "",
    "half": '{"stage": "collate", "ba',
    "other version": lambda text: text.replace(f'"version": {manifest.VERSION}', '"version": 99'),
    "no version": lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "version"}),
    "unknown field": lambda text: text.replace('"stage"', '"stages"', 1),
    "a list": "[]",
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_is_no_whole_manifest_of_this_version_is_none(spoil: object, layout: Layout) -> None:
    publish(layout, "new")
    path = place_of(layout)
    text = spoil(path.read_text()) if callable(spoil) else spoil
    path.unlink() if text is None else path.write_text(text)

    assert manifest.read(path) is None

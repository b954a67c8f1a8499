"""What a manifest does not say to be ours is a person's, also where the manifest cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import manifest, manifest_claims
from tests.unit.test_manifest import OLD_PARTS, holds, make_files, moves, place_of, publish, published, record

UNREADABLE = {
    "empty": b"",
    "cut": b'{"stage": "collate", "ba',
    "a list": b"[]",
    "no text": b"\xff\xfe\x00",
    "no outputs": b'{"version": 1}',
    "outputs that are no table": b'{"version": 1, "outputs": ["a"]}',
    "outside of the data root": b'{"version": 1, "outputs": {"a": {"path": "../a"}}}',
    "absolute": b'{"version": 1, "outputs": {"a": {"path": "/etc/passwd"}}}',
}


@pytest.mark.parametrize("suffix", [".json", ".publishing"], ids=["manifest", "intent"])
@pytest.mark.parametrize("spoilt", UNREADABLE.values(), ids=UNREADABLE)
def test_beside_a_manifest_that_cannot_be_read_no_file_is_overwritten(
    suffix: str, spoilt: bytes, layout: Layout
) -> None:
    record_of_it = place_of(layout).with_suffix(suffix)
    record_of_it.parent.mkdir(parents=True)
    record_of_it.write_bytes(spoilt)
    mine = moves(layout)["backend"][1]
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(PublishError) as refused:
        publish(layout, "new")

    assert mine.read_text() == "mine"
    assert str(record_of_it) in str(refused.value)
    assert str(mine) in str(refused.value)
    assert manifest.read(place_of(layout)) is None


def other_version(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99, **changes}))


def test_a_manifest_of_another_version_still_says_what_is_ours(layout: Layout) -> None:
    publish(layout, "old", OLD_PARTS)
    other_version(place_of(layout), a_field_of_that_version=1)
    publish(layout, "new")

    assert published(layout) == {"a.sqlite": "new", "tiles/new.txt": "new"}
    assert holds(layout)


def test_beside_a_manifest_of_another_version_a_persons_file_is_not_overwritten(layout: Layout) -> None:
    publish(layout, "old", OLD_PARTS)
    outputs = json.loads(place_of(layout).read_text())["outputs"]
    other_version(place_of(layout), outputs={"tiles": outputs["tiles"]})
    mine = moves(layout)["backend"][1]
    mine.write_text("mine")
    make_files(layout, "new")
    with pytest.raises(PublishError):
        manifest.publish(layout, record(layout), moves(layout))

    assert mine.read_text() == "mine"


def test_a_manifest_that_is_not_there_claims_nothing_and_is_not_silent(tmp_path: Path) -> None:
    assert manifest_claims.of(tmp_path / "none.json", tmp_path) == {}
    assert not manifest_claims.is_silent(tmp_path / "none.json")

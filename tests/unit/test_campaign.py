"""The campaign's own eyes: what it looks for, it sees."""

from __future__ import annotations

from pathlib import Path

from tasks.dataset.layout import Layout
from tasks.results import fingerprint, manifest
from tests.campaign import invariants
from tests.unit.fakes import BATCH, PLATE, make_manifest


def publish(layout: Layout) -> Path:
    made = layout.published("backend", BATCH, PLATE) / f"{PLATE}.sqlite"
    made.parent.mkdir(parents=True)
    made.write_text("cells")
    record = make_manifest({"backend": made}, layout.root, run=".work/runs/project/source/collate/b/p/1")
    record.outputs["backend"]["digest"] = fingerprint.artifact(made).digest
    path = layout.manifest("collate", BATCH, PLATE)
    path.parent.mkdir(parents=True)
    manifest.write(path, record)
    return made


def test_a_whole_result_is_not_broken(layout: Layout) -> None:
    publish(layout)

    assert invariants.broken(layout, frozenset()) == []


def test_other_bytes_a_missing_file_and_a_file_that_nothing_claims_are_seen(layout: Layout) -> None:
    made = publish(layout)
    made.write_text("cellS")
    other = invariants.broken(layout, frozenset())
    made.unlink()
    (made.parent / "half.csv").write_text("x")
    gone = invariants.broken(layout, frozenset())

    assert [said for said in other if "other bytes" in said]
    assert [said for said in gone if "is not there" in said]
    assert [said for said in gone if said.endswith("half.csv is there and nothing claims it")]


def test_a_result_or_shard_that_is_gone_is_lost_but_not_one_that_became_a_result(layout: Layout) -> None:
    publish(layout)
    shard = layout.work / "runs/project/source/collate/b/p/1/shards/1of1/outcome.json"
    other = layout.work / "runs/project/source/measure/b/p/2/shards/1of1/outcome.json"
    for path in (shard, other):
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    before = invariants.finished_work(layout)
    for path in (shard, other):
        path.unlink()
    shards = invariants.lost(before, invariants.finished_work(layout))
    layout.manifest("collate", BATCH, PLATE).unlink()
    both = invariants.lost(before, invariants.finished_work(layout))

    assert shards == ["shard project/source/measure/b/p/2/shards/1of1"]
    assert f"result collate/{BATCH}/{PLATE}.json" in both


def test_a_spoilt_line_of_a_ledger_is_seen(layout: Layout) -> None:
    folder = layout.ledger("measure", BATCH, PLATE)
    folder.mkdir(parents=True)
    (folder / "000001-h-1.jsonl").write_text('{"event": "begin"}\n{"eve\n{"event": "end"}\n{"cut')

    assert invariants.unreadable_ledgers(layout) == ["000001-h-1.jsonl:2"]

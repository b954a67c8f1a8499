"""A set of plates that lost files to another: what its manifest says, who may write it, and what is told of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.commands import retry
from tasks.commands.staleness import STALE, explain
from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import batch_record, manifest, provenance, usage
from tasks.results.manifest import Manifest
from tasks.runtime.core import locks
from tasks.runtime.core.job import Job, Outcome
from tasks.settings import settings
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, FakeEngine, make_manifest, wait_until
from tests.unit.test_plate_sets import PLATES, engine, normalized, result, results, select, selecting

__all__ = ["engine", "normalized"]  # fixtures


def place_of(layout: Layout, name: str) -> Path:
    return layout.manifest("select_features_batch", BATCH, name)


def told(layout: Layout, name: str) -> Manifest:
    found = manifest.read(place_of(layout, name))
    assert found is not None
    return found


@pytest.fixture
def superseded(normalized: Layout) -> Layout:
    """Let the set `two` take over P2 from the set `one`, which keeps P1."""
    select("P1", "P2", name="one").run()
    select("P2", "P3", name="two", replaces="one").run()
    return normalized


def forget_how(layout: Layout, name: str) -> None:
    """Let the manifest of a superseded set say as little as earlier versions let it."""
    manifest.write(place_of(layout, name), replace(told(layout, name), fingerprint={"superseded by": "two"}))


def test_a_superseded_result_still_says_how_the_files_that_it_keeps_were_made(superseded: Layout) -> None:
    one = told(superseded, "one")

    assert one.superseded_by == "two"
    assert one.tells_how
    assert {"profiles/P1", "excluded"} == set(one.outputs)
    assert not told(superseded, "two").superseded_by


def test_the_crate_of_a_batch_tells_of_superseded_results_and_their_files(superseded: Layout) -> None:
    provenance.write(superseded, BATCH, settings.load().store)
    file = superseded.published("profiles", BATCH, "P1") / "P1_normalized_feature_select_batch.csv.gz"
    found = provenance.history(superseded, file)

    assert found.unchanged
    assert found.steps[-1].run == "select_features_batch/one"
    assert provenance.is_current(superseded, BATCH, settings.load().store)


def test_a_crate_leaves_out_what_says_nothing_of_how_it_was_made(superseded: Layout) -> None:
    forget_how(superseded, "one")
    path = superseded.manifest("a_stage_of_long_ago", BATCH, "P1")
    path.parent.mkdir(parents=True)
    manifest.write(path, make_manifest({}, superseded.root, "a_stage_of_long_ago", fingerprint={"program": "x"}))
    provenance.write(superseded, BATCH, settings.load().store)
    crate = (superseded.provenance(BATCH) / provenance.METADATA).read_text()

    assert "select_features_batch/two" in crate
    assert "select_features_batch/one" not in crate
    assert "a_stage_of_long_ago" not in crate


@pytest.mark.parametrize("by", ["this version", "an earlier version"])
def test_the_one_reason_of_a_superseded_result_is_who_took_its_files(by: str, superseded: Layout) -> None:
    if by == "an earlier version":
        forget_how(superseded, "one")
    found = explain(select("P1", "P2", name="one"))

    assert found.state == STALE
    assert found.reasons == ("the set 'two' took over files of it (--replaces)",)


def test_a_superseded_result_that_a_setting_changed_too_says_both(superseded: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[select_features]\noperations = blocklist\n")
    first, second = explain(select("P1", "P2", name="one")).reasons

    assert "'two'" in first
    assert second.startswith("the setting operations was ")


def test_a_superseded_result_counts_in_no_report_and_no_usage(superseded: Layout) -> None:
    assert [each.plate for each in batch_record.manifests(superseded, BATCH) if each.members] == ["two"]
    assert [each.subject for each in usage.look(superseded, stage="select_features_batch")] == ["two"]


def test_a_set_that_another_version_recorded_is_not_overwritten_in_silence(superseded: Layout) -> None:
    path = place_of(superseded, "two")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(PublishError, match=r"two\.json.*another version"):
        select("P2", name="three", replaces="two").run()

    assert result(superseded, "P2") == "two"


def meanwhile(act: Callable[[], None]) -> Callable[[Job, threading.Event], Outcome]:
    """Return a program during whose first job something else happens."""
    left = [act]

    def program(job: Job, cancelled: threading.Event) -> Outcome:
        if left:
            left.pop()()
        return selecting(job, cancelled)

    return program


def test_what_another_set_published_during_the_jobs_stays_its_own(normalized: Layout, engine: FakeEngine) -> None:
    select("P1", "P2", name="one").run()
    engine.act = meanwhile(lambda: select("P1", "P2", "P4", name="one").run())
    select("P2", "P3", name="two", replaces="one").run()

    assert results(normalized) == ["one", "two", "two", "one", None]
    assert set(told(normalized, "one").outputs) == {"profiles/P1", "profiles/P4", "excluded"}
    assert told(normalized, "one").members == ("P1", "P2", "P4")


def test_a_file_that_came_to_be_anothers_during_the_jobs_is_not_overwritten(
    normalized: Layout, engine: FakeEngine
) -> None:
    engine.act = meanwhile(lambda: select("P2", "P3", name="two").run())
    with pytest.raises(PublishError):
        select("P1", "P2", name="one").run()

    assert results(normalized) == [None, "two", "two", None, None]
    assert select("P2", "P3", name="two").complete()


def test_sets_of_a_batch_are_published_one_at_a_time(normalized: Layout, engine: FakeEngine) -> None:
    task = select(*PLATES)
    with locks.alone(normalized.lock_of_sets("select_features_batch", BATCH), "test"):
        thread = threading.Thread(target=task.run)
        thread.start()
        waits = not wait_until(lambda: not thread.is_alive(), 1.0)
        before = manifest.read(task.manifest_path())
    thread.join(10)

    assert waits
    assert before is None
    assert manifest.read(task.manifest_path()) is not None


def test_a_set_is_published_by_a_view_that_was_taken_under_the_lock(
    normalized: Layout, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data root on S3 is seen through a mirror, which may be some seconds old."""
    store, seen = type(settings.load().store), []
    lock = normalized.lock_of_sets("select_features_batch", BATCH)

    def refresh(self: object, *, now: bool = False) -> None:
        seen.append(now and locks.is_held(lock))

    monkeypatch.setattr(store, "refresh", refresh)
    select(*PLATES).run()

    assert True in seen  # now, and while the lock is held


def test_retry_rewrites_no_manifest_that_a_run_is_at(superseded: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place_of(superseded, "two")
    manifest.write(path, replace(told(superseded, "two"), units={"quarantined": 1, "ok": 2}))
    state = retry.State("select_features_batch", BATCH, "two", retry.DONE, "site", 3, {"quarantined": 1, "ok": 2})
    with locks.alone(superseded.lock("select_features_batch", BATCH, "two"), "test"):
        thread = threading.Thread(target=retry._reopen, args=(superseded, state))
        thread.start()
        waits = not wait_until(lambda: not thread.is_alive(), 0.5)
        manifest.write(path, replace(told(superseded, "two"), units={"ok": 3}))
    thread.join(10)

    assert waits
    assert "again" not in told(superseded, "two").fingerprint


def test_what_retry_is_to_make_again_is_explained_so(superseded: Layout) -> None:
    path = place_of(superseded, "two")
    manifest.write(path, replace(told(superseded, "two"), units={"quarantined": 1, "ok": 2}))
    state = retry.State("select_features_batch", BATCH, "two", retry.DONE, "site", 3, {"quarantined": 1, "ok": 2})
    retry._reopen(superseded, state)
    first, *_ = explain(select("P2", "P3", name="two")).reasons

    assert "(retry)" in first

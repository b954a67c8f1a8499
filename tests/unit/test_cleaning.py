"""`clean` lists what may go and why; it deletes that and nothing else, and only when it is told to."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.commands import disposable
from tasks.dataset import layout as layout_module
from tasks.dataset.layout import Layout
from tasks.results import ledger, manifest
from tasks.results.ledger import Ledger
from tasks.runtime.arrays import array_folder
from tasks.runtime.core import locks
from tasks.runtime.images import environments
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, build, lay_plate, make_job
from tests.unit.test_storage import DELETE, analysis, run_plate


@pytest.fixture
def made(stub_engine: FakeEngine, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Layout:
    """Lay a plate and run it; nothing is let go."""
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "environments")
    layout = luigi_cfg("")
    lay_plate(layout)
    assert build(run_plate())
    return layout


def clean(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.VERBS["clean"].add(parser)
    return command.VERBS["clean"].act(parser.parse_args(words))


def replaced_run(layout: Layout) -> Path:
    """Leave the folder of a run that the plate's last one replaced."""
    (current,) = layout.run("aggregate", BATCH, PLATE, "any").parent.iterdir()
    old = current.parent / "0123456789ab"
    old.mkdir()
    (old / "stderr.log").write_text("12345")
    return old


def test_an_intermediate_stays_until_luigi_cfg_names_it(made: Layout, luigi_cfg: LoadSettings) -> None:
    (before,) = disposable.find()
    luigi_cfg(DELETE)
    (after,) = disposable.find()

    assert (before.goes, after.goes) == (False, True)
    assert "[storage] delete" in before.why
    assert after.paths == [analysis(made)]


def test_nothing_is_deleted_without_delete(made: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(DELETE)
    old = replaced_run(made)
    clean()

    assert analysis(made).exists()
    assert old.exists()


def test_delete_deletes_what_goes_and_the_results_stay_complete(made: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(DELETE)
    old = replaced_run(made)
    (current,) = set(old.parent.iterdir()) - {old}
    clean("--delete")

    assert not analysis(made).exists()
    assert not old.exists()
    assert current.exists()
    assert run_plate().complete()
    assert disposable.find() == []


def test_a_run_in_progress_is_let_be(made: Layout) -> None:
    old = replaced_run(made)
    with locks.alone(made.lock("aggregate", BATCH, PLATE), "aggregate"):
        meanwhile = [each.paths for each in disposable.find() if each.kind == disposable.REPLACED]

    assert meanwhile == []
    assert [each.bytes for each in disposable.find() if each.paths == (old,)] == [5]


def test_what_a_run_has_come_to_need_since_the_list_was_made_is_let_be(
    made: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replaced_run(made)
    listed = disposable.find()
    with locks.alone(made.lock("aggregate", BATCH, PLATE), "aggregate"):
        held = disposable.delete(listed)
    path = made.manifest("aggregate", BATCH, PLATE)
    found = manifest.read(path)
    manifest.write(path, replace(found, run=old.relative_to(made.root).as_posix()))
    since = disposable.delete(listed)

    assert (held, since) == (0, 0)
    assert old.exists()


def unfinished_run(layout: Layout, ended: str, name: str = "0123456789ab") -> Path:
    """Leave a run that came after the plate's result, and how it ended in the ledger."""
    folder = layout.run("aggregate", BATCH, PLATE, name)
    (folder / "shards/1of1").mkdir(parents=True)
    (folder / "shards/1of1/outcome.json").write_text("{}")
    book = Ledger(layout.ledger("aggregate", BATCH, PLATE), folder.relative_to(layout.root).as_posix())
    book.begin("plate", 0)
    if ended:
        book.append(ledger.END, state=ended, said="its disk was full")
    return folder


@pytest.mark.parametrize("ended", [ledger.GIVEN_UP, ledger.STOPPED, ""], ids=["failed", "stopped", "killed"])
@pytest.mark.parametrize("first", [True, False], ids=["never made", "made before"])
def test_a_run_that_did_not_end_well_is_listed_and_goes_only_if_asked(ended: str, first: bool, made: Layout) -> None:
    folder = unfinished_run(made, ended)
    if first:
        made.manifest("aggregate", BATCH, PLATE).unlink()
    clean("--delete")
    (told,) = [each for each in disposable.find() if each.paths == (folder,)]

    assert (told.kind, told.goes, told.bytes) == (disposable.UNFINISHED, False, 2)

    clean("--delete", "--unfinished")

    assert not folder.exists()


def test_a_run_whose_jobs_may_be_under_way_is_let_be(made: Layout) -> None:
    folder = replaced_run(made)
    job = make_job(folder / "shards/1of1")
    job.folder.mkdir(parents=True)
    array_folder.write("array-1", [[job]])
    clean("--delete", "--unfinished")

    assert folder.exists()


def test_a_run_that_is_half_published_is_let_be(made: Layout) -> None:
    folder = unfinished_run(made, ledger.MADE)
    path = made.manifest("aggregate", BATCH, PLATE)
    intent = replace(manifest.read(path), run=folder.relative_to(made.root).as_posix())
    manifest.write(path.with_suffix(".publishing"), intent)
    path.unlink()
    clean("--delete", "--unfinished")

    assert folder.exists()


def test_the_measurements_of_both_engines_are_evidence_and_stay(made: Layout) -> None:
    folder = made.run("measure", BATCH, PLATE, layout_module.BOTH_ENGINES)
    (folder / "fast").mkdir(parents=True)
    (folder / "fast/Cells.csv").write_text("1")
    clean("--delete", "--unfinished")
    (told,) = [each for each in disposable.find() if each.paths == (folder,)]

    assert (told.kind, told.goes) == (disposable.EVIDENCE, False)
    assert (folder / "fast/Cells.csv").exists()


def test_beside_a_manifest_that_cannot_be_read_no_run_goes(made: Layout) -> None:
    old = replaced_run(made)
    made.manifest("aggregate", BATCH, PLATE).write_text("{")
    clean("--delete", "--unfinished")

    assert old.exists()


def test_another_batch_is_let_be(made: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(DELETE)
    clean("--delete", "--batch-id", "another")

    assert analysis(made).exists()


def test_what_a_crash_left_and_old_environments_go(made: Layout, tmp_path: Path) -> None:
    left = made.trash / "abc"
    old = environments.FOLDER / "gallery-0123456789ab"
    current = environments.folder("gallery")
    for folder in (left, old, current):
        folder.mkdir(parents=True)
        (folder / "file").write_text("1234")
    clean("--delete")

    assert (left.exists(), old.exists(), current.exists()) == (False, False, True)


def test_the_list_is_there_for_programs(made: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    clean("--json")
    (told,) = json.loads(capsys.readouterr().out)

    assert told["name"] == f"measure of {BATCH}/{PLATE}"
    assert told["paths"] == [str(analysis(made))]

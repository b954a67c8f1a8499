"""`clean` lists what may go and why; it deletes that and nothing else, and only when it is told to."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks import cleaning
from tasks.layout import Layout
from tasks.runtime import environments, locks
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, build, lay_plate
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
    (before,) = cleaning.find()
    luigi_cfg(DELETE)
    (after,) = cleaning.find()

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
    assert cleaning.find() == []


def test_a_run_in_progress_is_let_be(made: Layout) -> None:
    old = replaced_run(made)
    with locks.alone(made.lock("aggregate", BATCH, PLATE), "aggregate"):
        meanwhile = [each.paths for each in cleaning.find() if each.kind == cleaning.REPLACED]

    assert meanwhile == []
    assert [each.bytes for each in cleaning.find() if each.paths == (old,)] == [5]


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

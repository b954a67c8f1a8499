"""`python -m tasks equivalent` makes real results again, and writes an entry only if every byte is the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.commands import equivalent, remake
from tasks.commands.remake import DIFFERS, SAME, Remade
from tasks.dataset.layout import Layout
from tasks.definitions import recipes
from tasks.results import equivalence, status
from tasks.results.equivalence import Code
from tasks.results.manifest import Manifest
from tasks.runtime.core.job import Job, Outcome
from tests.unit import measuring_bench
from tests.unit.fakes import BATCH, PLATE, write_outputs, write_result
from tests.unit.measuring_bench import Bench, make, run

A, B = "a" * 64, "b" * 64
Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / equivalence.NAME
    monkeypatch.setattr(equivalence, "table", lambda: path)
    return path


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    def act(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", "equivalent", *words, "--batch-id", BATCH])
        capsys.readouterr()
        code = command.main()
        return code, capsys.readouterr().out

    return act


@pytest.fixture
def reworded(listed: Layout, table: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Measure a plate; then all programs are others."""
    run("measure")
    monkeypatch.setattr(recipes, "program_hash", lambda stage: B)
    return listed


def snapshot(layout: Layout) -> dict[str, tuple[int, int]]:
    passing = {"locks", "slots"}  # files that a run takes and gives back
    files = (path for path in layout.root.rglob("*") if path.is_file() and not passing & set(path.parts))
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_program_that_makes_the_same_bytes_gets_an_entry_and_its_results_are_complete(
    reworded: Layout, verb: Verb
) -> None:
    before, was = make("measure").complete(), snapshot(reworded)
    code, printed = verb("all")
    seen = equivalence.entries()

    assert not before
    assert code == 0, printed
    assert {each.stage for each in seen} == {"load_data", "illumination", "measure"}
    assert all(each.new.program == B and each.old.environment == each.new.environment for each in seen)
    assert all(f"{PLATE} of {BATCH}" in each.compared for each in seen)
    assert all(make(stage).complete() for stage in ("load_data", "illumination", "measure"))
    assert snapshot(reworded) == was  # nothing was published, and what was made to be compared is gone


def test_only_the_stage_that_was_asked_for_gets_an_entry(reworded: Layout, verb: Verb) -> None:
    code, _ = verb("load_data", "--plate", PLATE)

    assert code == 0
    assert [each.stage for each in equivalence.entries()] == ["load_data"]
    assert equivalence.entries()[0].command.endswith(f"equivalent load_data --batch-id {BATCH} --plate {PLATE}")


def test_json_says_what_was_compared_and_written(reworded: Layout, verb: Verb) -> None:
    code, printed = verb("load_data", "--json")
    told = json.loads(printed)
    (compared,), (written,) = told["compared"], told["written"]

    assert code == 0
    assert (compared["stage"], compared["subject"], compared["state"]) == ("load_data", PLATE, SAME)
    assert compared["new"]["program"] == written["new"]["program"] == B
    assert compared["old"] == written["old"]


def test_a_program_that_makes_other_bytes_gets_none_and_the_file_is_named(
    reworded: Layout, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring_bench, "write_outputs", lambda job: write_outputs(job, "made otherwise"))
    code, printed = verb("measure")

    assert code == 1
    assert equivalence.entries() == ()
    assert "output analysis" in printed
    assert str(make("measure").output_folder("analysis")) in printed
    assert not make("measure").complete()


def test_a_program_that_tells_other_facts_gets_none(
    reworded: Layout, verb: Verb, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_facts(job: Job, cancelled: object) -> Outcome:
        write_outputs(job)
        write_result(job, site=["A01-1"], channel=["DNA"])
        return Outcome(0, 0.0)

    monkeypatch.setattr(Bench, "__call__", lambda self, job, cancelled: other_facts(job, cancelled))
    code, printed = verb("load_data")

    assert code == 1
    assert "fact site" in printed
    assert equivalence.entries() == ()


def test_a_program_that_fails_gets_none(reworded: Layout, verb: Verb, bench: Bench) -> None:
    bench.bad = {"A01-2"}
    code, printed = verb("measure")

    assert code == 1
    assert f"measure/{PLATE}: {DIFFERS}" in printed
    assert equivalence.entries() == ()


def test_what_was_made_from_other_inputs_or_settings_is_not_compared(reworded: Layout, verb: Verb) -> None:
    with open(reworded.platemap(BATCH, "JUMP_platemap"), "a") as platemap:
        platemap.write("A02\tBRD-2\n")
    code, printed = verb("load_data")

    assert code == 1
    assert "the input platemap has other content" in printed
    assert equivalence.entries() == ()


def test_what_lacks_an_input_is_not_compared(reworded: Layout, verb: Verb) -> None:
    (folder,) = {path.parent for path in reworded.dataset.glob("images/*/images/*/Images/*.tiff")}
    folder.rename(folder.with_name("elsewhere"))
    code, _ = verb("measure")

    assert code == 1
    assert equivalence.entries() == ()


def test_the_state_of_the_stage_stays_as_it_was(reworded: Layout, verb: Verb, bench: Bench) -> None:
    before = status.look(reworded)
    bench.bad = {"A01-2"}
    verb("measure")

    assert status.look(reworded) == before


def test_what_the_present_program_made_needs_no_entry(listed: Layout, table: Path, verb: Verb) -> None:
    assert verb("load_data")[0] == 0
    assert equivalence.entries() == ()
    assert not table.exists()


def test_check_makes_the_present_programs_results_again_and_writes_nothing(
    listed: Layout, table: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    same, _ = verb("all", "--check")
    monkeypatch.setattr(measuring_bench, "write_outputs", lambda job: write_outputs(job, "made otherwise"))
    other, _ = verb("all", "--check")

    assert (same, other) == (0, 1)
    assert not table.exists()


def test_a_batch_without_results_is_an_error(listed: Layout, table: Path, verb: Verb) -> None:
    assert verb("collate")[0] == 1


def result(state: str, plate: str) -> Remade:
    found = Manifest("measure", BATCH, plate, {}, {}, {}, "", "", 0.0)
    return Remade(found, state, Code(A, A), Code(B, A), files=2, bytes=10)


def test_one_plate_that_differs_keeps_the_entry_from_being_written() -> None:
    same, other = result(SAME, "P1"), result(DIFFERS, "P2")

    assert list(equivalent._entries([same, other], "")) == []
    (written,) = equivalent._entries([same, result(SAME, "P2")], "")
    assert written.compared == f"P1, P2 of {BATCH}: 4 files, 20 bytes"


def test_of_a_folder_the_first_file_that_differs_is_named(tmp_path: Path) -> None:
    for side, content in (("old", "1"), ("new", "2")):
        (tmp_path / side / "deep").mkdir(parents=True)
        (tmp_path / side / "a.csv").write_text("same")
        (tmp_path / side / "deep/b.csv").write_text(content)

    assert remake._first_file(tmp_path / "old", tmp_path / "new").startswith(str(tmp_path / "new/deep/b.csv"))
    (tmp_path / "new/deep/b.csv").unlink()
    assert "only in" in remake._first_file(tmp_path / "old", tmp_path / "new")


def test_of_a_plate_the_features_of_every_network_are_compared() -> None:
    ours, other = result(SAME, "cell_painting_cnn.P1").found, result(SAME, "cell_painting_cnn.P2").found

    assert [remake._is_of(each, "P1") for each in (ours, other)] == [True, False]

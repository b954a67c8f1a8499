"""Why a result is complete or stale: the setting, program, image, input or file that differs, and nothing else."""

from __future__ import annotations

import json

import pytest

from tasks import __main__ as command
from tasks.commands.staleness import BLOCKED, COMPLETE, MISSING, STALE, Explanation, explain
from tasks.dataset.layout import Layout
from tasks.definitions import recipes
from tasks.stage_tasks.stage import Staged
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE
from tests.unit.measuring_bench import make


def load_data() -> Staged:
    return make("load_data")


@pytest.fixture
def made(load_data_made: Layout) -> Layout:
    return load_data_made


def explained() -> Explanation:
    return explain(load_data())


def test_a_result_that_would_be_made_alike_is_complete(made: Layout) -> None:
    seen = explained()

    assert (seen.state, seen.reasons) == (COMPLETE, ())
    assert seen.made.endswith("by fake")


def test_a_changed_setting_is_named_with_both_values(made: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[preflight]\nfaulty_sites = exclude\n")

    assert explained().reasons == ("the setting faulty_sites was 'stop' and is 'exclude'",)
    assert explained().state == STALE


def test_a_changed_input_is_named(made: Layout) -> None:
    with open(made.platemap(BATCH, "JUMP_platemap"), "a") as table:
        table.write("A02\tBRD-2\n")

    assert explained().reasons == ("the input platemap has other content",)


def test_a_changed_program_and_image_are_named(made: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "program_hash", lambda stage: "another")
    program = explained().reasons
    monkeypatch.undo()
    monkeypatch.setattr(recipes, "environment_hash", lambda image: "another")

    assert program == ("the program load_data.py, or a module that it uses, has changed",)
    assert explained().reasons == ("the image gallery has another recipe (its locks, Dockerfile or base)",)


def test_a_file_that_is_gone_or_was_cut_is_named(made: Layout) -> None:
    folder = made.published("load_data_csv", BATCH, PLATE)
    (folder / "load_data.csv").unlink()
    (folder / "preflight.tsv").write_text("longer than it was")
    reasons = explained().reasons

    assert reasons[0] == f"its load_data is gone: {folder / 'load_data.csv'}"
    assert reasons[1].startswith("its preflight has 18 bytes and was published with 4")


def test_what_was_never_made_or_waits_for_another_says_so(made: Layout, luigi_cfg: LoadSettings) -> None:
    measure = pipeline.Measure(batch_id=BATCH, plate=PLATE)
    missing = explain(measure).reasons
    luigi_cfg("[preflight]\nfaulty_sites = exclude\n")
    stale = explain(pipeline.Measure(batch_id=BATCH, plate=PLATE))

    assert missing == ("it needs illumination, which is missing: it was never made here",)
    assert stale.state == BLOCKED
    assert stale.reasons == (
        "it needs load_data, which is stale: the setting faulty_sites was 'stop' and is 'exclude'",
    )


def test_what_a_person_has_to_lay_is_named(made: Layout) -> None:
    made.platemap(BATCH, "JUMP_platemap").unlink()
    seen = explained()

    assert seen.state == BLOCKED
    assert "the platemap of plate BR00117013 is not there" in seen.reasons[0]


def test_the_verb_finds_the_batch_and_prints_the_reasons(
    made: Layout, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "collate", PLATE])
    assert command.main() == 0
    printed = capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "load_data", PLATE, "--json"])
    assert command.main() == 0

    assert printed.startswith(f"collate/{PLATE} is {BLOCKED}\n  it needs illumination, which is {MISSING}")
    assert json.loads(capsys.readouterr().out)["state"] == COMPLETE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["colate", PLATE], "there is no stage 'colate'"),
        (["collate", "BR1"], f"there is no plate 'BR1'; known: {PLATE}"),
    ],
)
def test_an_unknown_stage_or_plate_is_told(
    words: list[str], said: str, made: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", "explain", *words])

    assert command.main() == 1
    assert said in capsys.readouterr().err


def test_a_plate_of_several_batches_needs_its_batch(
    made: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = made.barcode_platemap("other")
    other.parent.mkdir()
    other.write_text(made.barcode_platemap(BATCH).read_text())
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "load_data", PLATE])

    assert command.main() == 1
    assert f"--batch-id {BATCH} | other" in capsys.readouterr().err


def test_a_stage_of_all_plates_is_explained_by_its_batch(
    made: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "select_features_batch", BATCH])
    code = command.main()
    printed = capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "select_features_batch", "another"])

    assert code == 0
    assert printed.startswith(
        f"select_features_batch/{BATCH} is {BLOCKED}\n  it needs illumination, which is {MISSING}"
    )
    assert command.main() == 1
    assert f"there is no batch 'another'; known: {BATCH}" in capsys.readouterr().err


def test_the_report_is_explained_by_its_batch(
    made: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "report", BATCH])

    assert command.main() == 0
    assert f"report/{BATCH} is {MISSING}" in capsys.readouterr().out

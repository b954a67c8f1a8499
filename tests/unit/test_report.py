"""The report's record says what was made and what was not; the report is stale when what it shows has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import batch_record, ledger, manifest
from tasks.results.ledger import Ledger
from tasks.runtime.core import locks
from tasks.runtime.engines import engines
from tasks.workflow import report as reports
from tasks.workflow.pipeline import Report, RunBatch, RunBenchmark
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, good, lay_experiment, lay_plate, make_manifest

RATE = {"dollars_per_core_hour": 0.5, "said": "as told"}


@pytest.fixture
def made(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A batch of which a montage and a joint quality control were made."""
    layout = luigi_cfg("")
    lay_plate(layout)
    monkeypatch.setattr(engines, "choose", lambda wanted, image: FakeEngine(good))
    publish(layout, "montage", {"montage": layout.published("quality_control", BATCH, PLATE) / f"{PLATE}_montage.png"})
    picture = layout.published("quality_control", BATCH, PLATE) / f"{PLATE}_quality.png"
    publish(layout, "quality_control", {f"pictures/{PLATE}": picture}, plate=BATCH, members=(PLATE,))
    return layout


def publish(layout: Layout, stage: str, outputs: dict[str, Path], **changes: object) -> None:
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    found = make_manifest(outputs, layout.root, stage, **changes)
    path = layout.manifest(stage, found.batch, found.plate)
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest.write(path, found)


def leave_a_failure(layout: Layout, stage: str = "montage") -> Ledger:
    """Leave what a run does that failed: its log, and the ledger with its units and its last word."""
    run = layout.run(stage, BATCH, PLATE, "failed").relative_to(layout.root).as_posix()
    log = layout.root / run / "shards" / "1of1" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"error: {layout.root}/a.tiff is cut\n")
    book = Ledger(layout.ledger(stage, BATCH, PLATE), run)
    book.begin("site", 2)
    told = {"job": "1of1", "attempt": 1, "reason": "corrupt_input", "log": f"{run}/shards/1of1/stderr.log"}
    units = {"A01-1": ("failed", 1.0, "cut"), "A01-2": ("ok", 1.0, "")}
    book.append(ledger.ATTEMPT, **told, peak_memory_gb=None, units=units)
    book.append(ledger.END, state=ledger.GIVEN_UP, said=f"{stage}/{PLATE} failed")
    return book


def report() -> Report:
    task = Report(batch_id=BATCH)
    task.set_progress_percentage = task.set_status_message = lambda said: None  # as a Luigi worker gives them
    return task


def test_it_is_made_and_then_complete(made: Layout) -> None:
    before = report().complete()
    report().run()
    page = made.dataset / "workspace/report" / BATCH / f"{BATCH}_report.html"

    assert (before, report().complete()) == (False, True)
    assert page.read_text() == "made"


CHANGES = {
    "a result was made again": {"seconds": 2.0},
    "a warning": {"warnings": ("beware",)},
    "a unit was quarantined": {"facts": {"quarantined": {"A01-1": "no cells"}}},
    "another setting": {"fingerprint": {"stage": "montage", "parameters": {"x": "1"}}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_stale_when_what_it_shows_has_changed(made: Layout, change: dict[str, object]) -> None:
    report().run()
    publish(
        made, "montage", {"montage": made.published("quality_control", BATCH, PLATE) / f"{PLATE}_montage.png"}, **change
    )

    assert not report().complete()


def test_it_is_not_stale_for_another_batch_or_its_own_manifest(made: Layout) -> None:
    report().run()
    path = made.published("quality_control", "other", PLATE) / "x.png"
    publish(made, "montage", {"montage": path}, batch="other")

    assert report().complete()


def test_the_deep_profiles_of_the_batch_are_part_of_it(made: Layout) -> None:
    path = made.published("profiles", made.deep_batch(BATCH), PLATE) / f"{PLATE}.csv.gz"
    publish(made, "normalize", {"profiles": path}, batch=made.deep_batch(BATCH))

    assert {run["batch"] for run in batch_record.of_batch(made, BATCH, RATE)["runs"]} == {BATCH, f"{BATCH}_DL"}


def test_the_program_gets_the_record_and_the_files_that_it_lists_in_their_order(made: Layout) -> None:
    task = report()
    task.run()
    found = task.inputs()
    recorded = json.loads(made.record(BATCH).read_text())

    assert [each.path.name for each in found["montage"]] == [f"{PLATE}_montage.png"]
    assert recorded["shown"]["montage"] == [{"plate": PLATE, "subject": PLATE}]
    assert recorded["shown"]["pictures"] == [{"plate": PLATE, "subject": BATCH}]
    assert recorded["shown"]["figures"] == []
    assert found["record"][0].bytes == made.record(BATCH).stat().st_size


def test_a_picture_that_was_removed_is_not_shown(made: Layout) -> None:
    (made.published("quality_control", BATCH, PLATE) / f"{PLATE}_montage.png").unlink()

    assert report().inputs()["montage"] == []


def test_the_record_holds_no_path_of_this_machine(made: Layout) -> None:
    leave_a_failure(made)
    text = json.dumps(batch_record.of_batch(made, BATCH, RATE))

    assert str(made.root) not in text
    assert "<data root>/a.tiff is cut" in text


def test_a_run_that_failed_since_is_told_with_its_error_its_units_and_last_words(made: Layout) -> None:
    report().run()
    leave_a_failure(made)
    (told,) = batch_record.of_batch(made, BATCH, RATE)["unfinished"]

    assert (told["stage"], told["subject"], told["state"]) == ("montage", PLATE, "failed")
    assert told["said"] == f"montage/{PLATE} failed"
    assert told["units"] == {"failed": 1, "ok": 1}
    assert told["failed"] == [{"unit": "A01-1", "state": "failed", "reason": "corrupt_input: cut"}]
    assert told["words"] == ["error: <data root>/a.tiff is cut"]
    assert not report().complete()


def test_a_run_that_is_still_at_work_is_no_failure(made: Layout) -> None:
    Ledger(made.ledger("montage", BATCH, PLATE), "runs/x").begin("plate", 0)
    with locks.alone(made.lock("montage", BATCH, PLATE), ""):
        during = batch_record.of_batch(made, BATCH, RATE)["unfinished"]
    (killed,) = batch_record.of_batch(made, BATCH, RATE)["unfinished"]

    assert during == []
    assert killed["said"] == "killed: it left no last word"


def test_a_failure_that_a_result_has_replaced_is_not_told(made: Layout) -> None:
    book = leave_a_failure(made)
    again = Ledger(made.ledger("montage", BATCH, PLATE), book.run)
    again.begin("site", 2)
    again.append(ledger.END, state=ledger.MADE, said="")

    assert batch_record.of_batch(made, BATCH, RATE)["unfinished"] == []


def test_of_many_units_that_failed_some_are_named_and_all_are_counted(made: Layout) -> None:
    book = leave_a_failure(made)
    many = {f"A01-{number}": ("failed", 0.0, "cut") for number in range(1, 3 * batch_record.MOST_UNITS)}
    told = {"job": "1of1", "attempt": 1, "reason": "corrupt_input", "log": "x", "peak_memory_gb": None}
    book.append(ledger.ATTEMPT, **told, units=many)
    book.append(ledger.END, state=ledger.GIVEN_UP, said="failed")
    (run,) = batch_record.of_batch(made, BATCH, RATE)["unfinished"]

    assert len(run["failed"]) == batch_record.MOST_UNITS
    assert sum(run["units"].values()) == len({*many, "A01-2"})


def test_plates_that_were_not_run_are_listed_with_what_is_known_of_them(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_experiment(layout)
    path = layout.published("quality_control", BATCH, "C1") / "C1_montage.png"
    publish(layout, "montage", {"montage": path}, plate="C1")
    (plate,) = batch_record.of_batch(layout, BATCH, RATE)["plates"]

    assert plate["plate"] == "C1"
    assert plate["conditions"]["Cell_type"] == "A549"


def test_an_empty_batch_has_no_report(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    with pytest.raises(MissingInputError, match="nothing has been made of batch nothing"):
        Report(batch_id="nothing").inputs()


def test_a_table_of_facts_stays_out_of_the_record(made: Layout) -> None:
    path = made.published("load_data_csv", BATCH, PLATE) / "load_data.csv"
    facts = {"site": ["A01-1"] * 5000, "wells": 24, "seed": "x"}
    publish(made, "load_data", {"load_data": path}, facts=facts)
    (run,) = [run for run in batch_record.of_batch(made, BATCH, RATE)["runs"] if run["stage"] == "load_data"]

    assert run["facts"] == {"wells": 24, "seed": "x"}


def test_a_batch_ends_with_its_report_unless_the_benchmark_makes_it(made: Layout) -> None:
    alone, inner = RunBatch(batch_id=BATCH), RunBenchmark(batch_id=BATCH, start_from="images").requires()[0]

    assert [type(task) for task in alone.reports()] == [Report]
    assert inner.reports() == []
    assert RunBatch(batch_id=BATCH, start_from="profiles").reports() == []


def test_a_run_that_was_stopped_by_hand_ends_at_once_without_a_report(
    made: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(reports, "in_a_process", lambda batch: started.append(batch) or ["true"])
    monkeypatch.setattr("sys.last_value", KeyboardInterrupt(), raising=False)
    reports.tell_of_failure(BATCH)
    after_ctrl_c = list(started)
    monkeypatch.delattr("sys.last_value")
    reports.tell_of_failure(BATCH)

    assert (after_ctrl_c, started) == ([], [BATCH])

"""What was used: seconds times cores, by stage and plate, for people, for programs, and in the report's record."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.dataset.layout import Layout
from tasks.results import batch_record, manifest, usage
from tasks.results.usage import Usage
from tasks.runtime.arrays import places
from tasks.runtime.core.job import Job, Outcome
from tasks.settings import aws_prices, rate, settings
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, SMALL, make_manifest

RATE = {"dollars_per_core_hour": 0.5, "said": "as told"}


def publish(layout: Layout, stage: str, plate: str, **changes: object) -> None:
    path = layout.manifest(stage, BATCH, plate)
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest.write(path, make_manifest({}, layout.root, stage, plate=plate, **changes))


@pytest.fixture
def used(luigi_cfg: LoadSettings) -> Layout:
    """Two plates that were measured, one by jobs of four cores, and one that was collated before cores were told."""
    layout = luigi_cfg("[plan]\ndollars_per_core_hour = 2\n")
    four = {"jobs": 3, "seconds": 1800.0, "core_seconds": 7200.0, "peak_memory_gb": 1.5}
    publish(layout, "measure", "P1", used=four, started="2026-01-01T00:00:00+00:00")
    one = {"jobs": 2, "seconds": 3600.0, "core_seconds": 3600.0, "peak_memory_gb": 2.5}
    publish(layout, "measure", "P2", used=one, started="2026-01-02T00:00:00+00:00")
    publish(layout, "collate", "P1", used={"jobs": 1, "seconds": 36.0}, started="2026-01-03T00:00:00+00:00")
    return layout


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["tasks", "status", "--used", *words])
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()

    assert command.main() == 0
    return capsys.readouterr().out


def test_jobs_take_their_seconds_times_their_cores(tmp_path: Path) -> None:
    """Two jobs, of one core and of four; a third did not end well."""
    outcomes = [(1, Outcome(0, 10.0, peak_memory_gb=0.5)), (4, Outcome(0, 2.5)), (8, Outcome(1, 99.0))]
    for number, (cpus, outcome) in enumerate(outcomes):
        folder = tmp_path / f"shards/{number}"
        (folder / "out").mkdir(parents=True)
        (folder / "out" / "result.json").write_text("{}")
        places.record(Job("j", "image", "p.py", (), (), folder, replace(SMALL, cpus=cpus)), outcome)

    assert places.used(tmp_path / "shards") == {
        "jobs": 2, "seconds": 12.5, "core_seconds": 10.0 + 4 * 2.5, "peak_memory_gb": 0.5,
    }  # fmt: skip


def test_a_result_is_told_with_its_core_hours_in_the_order_in_which_they_were_made(used: Layout) -> None:
    assert usage.look(used) == [
        Usage("measure", BATCH, "P1", 3, 2.0, 1.5),
        Usage("measure", BATCH, "P2", 2, 1.0, 2.5),
        Usage("collate", BATCH, "P1", 1, 0.01, None),
    ]
    assert [each.subject for each in usage.look(used, stage="measure", subject="P2")] == ["P2"]
    assert usage.look(used, batch="another") == []


def test_sums_are_of_all_and_the_peak_is_the_largest(used: Layout) -> None:
    by_stage = usage.together(usage.look(used), lambda each: each.stage)

    assert list(by_stage) == ["measure", "collate"]
    assert (by_stage["measure"].jobs, by_stage["measure"].core_hours, by_stage["measure"].peak_memory_gb) == (
        5,
        3.0,
        2.5,
    )
    assert by_stage["measure"].dollars(2) == 6.0


def test_what_another_set_of_plates_took_over_is_not_counted_twice(used: Layout) -> None:
    publish(used, "measure", "P3", used={"jobs": 9, "seconds": 9.0}, fingerprint={"superseded by": "all"})

    assert {each.subject for each in usage.look(used)} == {"P1", "P2"}


def test_people_see_stages_and_plates_with_their_sums(
    used: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = said(capsys, monkeypatch)
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines()]

    for row in (
        ["measure", "5", "3.00", "2.50", "6.00"],
        ["collate", "1", "0.01", "0.02"],
        ["P1", "4", "2.01", "1.50", "4.02"],
        ["P2", "2", "1.00", "2.50", "2.00"],
    ):
        assert row in rows
    assert rows.count(["all", "6", "3.01", "2.50", "6.02"]) == 2
    assert "2 dollars a core-hour: luigi.cfg [plan] dollars_per_core_hour" in shown


def test_programs_get_numbers(
    used: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads(said(capsys, monkeypatch, "--json", "--stage", "collate"))

    assert told["dollars_per_core_hour"] == 2
    assert told["used"] == [
        {
            "stage": "collate", "batch": BATCH, "subject": "P1", "jobs": 1, "core_hours": 0.01,
            "peak_memory_gb": None, "dollars": 0.02,
        }
    ]  # fmt: skip


def test_where_nothing_was_made_nothing_was_used(
    luigi_cfg: LoadSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("")

    assert said(capsys, monkeypatch) == "nothing was made here yet\n"


@pytest.mark.parametrize(
    ("whole", "digits"), [(0.0, 2), (9.1, 2), (400.0, 2), (0.99, 3), (0.056, 4), (0.0014, 5), (1e-12, 6)]
)
def test_a_small_sum_is_told_with_more_decimals(whole: float, digits: int) -> None:
    assert usage.decimals(whole) == digits


def test_on_amazon_a_core_hour_costs_what_a_vcpu_of_the_cheapest_class_does(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("[plan]\ndollars_per_core_hour = 2\n")
    here = rate.of_core_hour()
    with monkeypatch.context() as there:
        given = replace(settings.load(), place=places.AWS_BATCH)
        there.setattr(settings, "load", lambda: given)
        hired = rate.of_core_hour()
    slow = min(
        (each.spot + 200 * 0.08 / 730) / each.vcpus
        for each in aws_prices.read(aws_prices.OURS).classes
        if not each.gpus
    )

    assert here == rate.Rate(2.0, "luigi.cfg [plan] dollars_per_core_hour")
    assert hired.dollars_per_core_hour == pytest.approx(slow)
    assert hired.said == "a vCPU of c6i.4xlarge on a spot machine, us-east-1, 2026-01-19"


def test_the_record_of_the_report_tells_the_price_and_what_each_run_used(used: Layout) -> None:
    told = batch_record.of_batch(used, BATCH, RATE)

    assert told["rate"] == RATE
    assert sorted(run["used"].get("core_seconds", 0) for run in told["runs"]) == [0, 3600.0, 7200.0]
    assert {plate["plate"] for plate in told["plates"]} >= {"P1", "P2"} - {PLATE}

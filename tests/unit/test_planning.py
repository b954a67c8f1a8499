"""What a run will cost: the size of a plate, the sum over its stages, and what is done already."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks import __main__ as command
from tasks.commands import plan as verb
from tasks.dataset.layout import Layout
from tasks.errors import DefinitionError, MissingInputError
from tasks.planning import aws_costs, cost_model, cost_plan, plate_sizes
from tasks.runtime.arrays import places
from tasks.settings import aws_prices, settings
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

CELLS = 150.0


def lay(layout: Layout) -> None:
    """Lay two wells of two sites, two channels of 10 x 20 pixels."""
    images = lay_plate(layout)
    for path in images.iterdir():
        path.unlink()
    for column in (1, 2):
        for site in (1, 2):
            for channel in (1, 5):
                name = f"r01c{column:02d}f{site:02d}p01-ch{channel}sk1fk1fl1.tiff"
                tifffile.imwrite(images / name, np.zeros((10, 20), np.uint16))


def test_a_laid_plate_is_measured_by_its_files(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay(layout)
    found = plate_sizes.size(layout, BATCH, PLATE, None)
    files = list(layout.image_folders(BATCH).rglob("*.tiff"))

    assert (found.images, found.sites, found.wells, found.channels) == (8, 4, 2, 2)
    assert (found.height_pixels, found.width_pixels, found.here) == (10, 20, True)
    assert found.image_bytes == sum(path.stat().st_size for path in files)


def test_a_plate_that_is_not_here_has_the_size_that_the_catalogue_gives(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    plan = cost_plan.make("2020_11_04_CPJUMP1", [], "Perturbation=compound,Cell_type=U2OS,Time=48")

    assert len(plan.plates) == 4
    assert plan.bytes_to_fetch == pytest.approx(4 * 60e9, rel=0.01)
    assert plan.total.bytes > plan.bytes_to_fetch
    assert plan.assumed[0] == "4 plates' images are not here: their size is that of CPJUMP1's images"


def test_the_features_of_our_pipeline_are_counted_from_the_channels() -> None:
    five, eight = (cost_model.published_size(8, CELLS).__class__(8, 1, 1, 1, n, 9, 9, CELLS, True) for n in (5, 8))

    assert five.features == pytest.approx(3516, rel=0.01)  # of the demo batch, measured
    assert eight.features == pytest.approx(5795, rel=0.01)  # of the real wells, measured


def test_a_cost_is_the_sum_of_its_figures_times_the_quantities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "costs.toml"
    table.write_text("[paint]\nbytes = { image = 3, well = 10 }\ncore_seconds = { site = 0.5 }\n")
    monkeypatch.setattr(cost_model, "COSTS", table)
    size = cost_model.PlateSize(8, 999, 4, 2, 2, 10, 20, CELLS, True)
    cost_model._costs.cache_clear()
    monkeypatch.setattr(cost_model.PlateSize, "features", 7)
    try:
        cost = cost_model.of_stage("paint", size)
        with pytest.raises(DefinitionError, match="there is no stage 'frame'; known: paint"):
            cost_model.of_stage("frame", size)
    finally:
        cost_model._costs.cache_clear()

    assert cost == cost_model.Cost(bytes=8 * 3 + 2 * 10, core_seconds=4 * 0.5)


def test_an_audited_site_costs_what_stock_takes_for_it() -> None:
    size = cost_model.PlateSize(8, 999, 4, 2, 2, 1080, 1080, CELLS, True)
    none, one, all_of_them = (cost_model.of_measuring(size, "fast", audited) for audited in (0, 1, 99))
    stock = cost_model.of_measuring(size, "stock", 1)

    assert none == cost_model.of_stage("measure", size)
    assert one.core_seconds == pytest.approx(none.core_seconds + stock.core_seconds / 4)
    assert all_of_them.core_seconds == pytest.approx(none.core_seconds + stock.core_seconds)
    assert stock.bytes == one.bytes == none.bytes


def test_a_plan_knows_the_engine_and_the_audit(luigi_cfg: LoadSettings) -> None:
    spent = {}
    for text in ("engine = stock", "audit_sites = 0", "audit_sites = 1"):
        luigi_cfg(f"[measure]\n{text}\n")
        lines = cost_plan.make(BATCH, [PLATE], "").lines
        spent[text] = next(line.cost.core_seconds for line in lines if line.stage == "measure")

    assert spent["audit_sites = 0"] < spent["audit_sites = 1"] < spent["audit_sites = 0"] * 1.01
    assert 6 < spent["engine = stock"] / spent["audit_sites = 0"] < 12


SIDEWAYS = {
    "not of a batch's run": {
        "sample_sites",
        "sample_illumination",
        "sample_measure",
        "sample_montage",
        "estimate_cells",
        "tune_cells",
        "consensus",
        "spherize",
    },
    "the demo's": {"seed_checkpoint"},
}


def _has_costs(stage: str, size: cost_model.PlateSize) -> bool:
    try:
        return cost_model.of_stage(stage, size).core_seconds > 0
    except DefinitionError:
        return False


def test_every_stage_that_computes_has_its_costs_but_for_a_look_and_what_is_beside_a_run() -> None:
    size = cost_model.published_size(27_648, CELLS)
    computing = {name for name in pipeline.stage_tasks() if not name.startswith("fetch")} - set().union(
        *SIDEWAYS.values()
    )

    assert len(computing) > 25
    assert {name for name in computing if not _has_costs(name, size)} == set()


def test_a_plan_ends_with_the_report_and_has_the_benchmark_if_it_is_asked_for(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("")
    monkeypatch.setattr(cost_plan, "_to_fetch", lambda *_: (0, 0.0))  # which asks the gallery
    plain, ranked, fetched = (
        [line.stage for line in cost_plan.make("2020_11_04_CPJUMP1", [], "", *how).lines]
        for how in ((), ("images", True), ("profiles", True))
    )
    added = ["replicability", "matching", "gene_compound_matching", "tabulate", "figures", "report"]

    assert plain[-1] == "report"
    assert ranked == [*plain[:-1], *added]
    assert fetched == added


def test_the_published_benchmark_costs_what_was_measured_of_it() -> None:
    size = cost_model.PlateSize(1, 1, 40 * 384, 40 * 384, 8, 1080, 1080, CELLS, True)
    spent = sum(cost_model.of_stage(task.stage, size).core_seconds for task in cost_plan.BENCHMARK)

    assert spent == pytest.approx(109, rel=0.02)


def test_what_is_unknown_is_said(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    with pytest.raises(MissingInputError, match="batch 2020_11_04_CPJUMP1: there is no plate 'BR0'; known: BR00116991"):
        cost_plan.make("2020_11_04_CPJUMP1", ["BR0"], "")
    with pytest.raises(MissingInputError, match="the list of plates of batch unheard is not there"):
        cost_plan.make("unheard", [], "")


def test_the_plan_is_printed_for_people_and_for_programs(
    luigi_cfg: LoadSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    luigi_cfg("[plan]\ndollars_per_core_hour = 2\n[runtime]\ncores = 4\nmemory_gb = 8\n")
    plan = cost_plan.make(BATCH, [PLATE], "")
    verb._print(plan)
    for_people = capsys.readouterr().out
    verb._print_json(plan)
    numbers = json.loads(capsys.readouterr().out)

    assert "nothing was started" in for_people
    assert "2.0 a core-hour (luigi.cfg [plan])" in for_people
    assert numbers["dollars"] == pytest.approx(numbers["core_seconds"] / 3600 * 2)
    assert numbers["wall_seconds"] == pytest.approx(numbers["core_seconds"] / 4)
    assert numbers["disk_bytes"] == pytest.approx(
        numbers["fetched_bytes"] + sum(line["cost"]["bytes"] for line in numbers["lines"])
    )


AS_PUBLISHED = {"machines": 200, "hours": 0.5, "core_hours": 400.0, "dollars": 10.0}
"""What CellProfiler took for a plate of CPJUMP1 as it was published: on spot machines of 4 vCPUs."""


@pytest.mark.parametrize(("engine", "times_less"), [("fast", 35), ("stock", 5)])
def test_a_plate_of_cpjump1_is_planned_below_what_was_published_of_it(
    engine: str, times_less: float, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(f"[measure]\nengine = {engine}\n")
    plan = cost_plan.make("2020_11_04_CPJUMP1", ["BR00117010"], "")
    priced = aws_prices.read(aws_prices.OURS)
    measuring = [work for work in plan.works if work.stage in ("load_data", "illumination", "measure")]
    core_hours = sum(work.core_seconds for work in measuring) / 3600
    cost = aws_costs.costs(measuring, priced, AS_PUBLISHED["machines"])[0]
    puts, gets = cost_model.of_requests(plan.total, sum(line.jobs for line in plan.lines))
    dollars = aws_costs.costs(plan.works, priced, AS_PUBLISHED["machines"])[0].spot_dollars + priced.requests(
        puts, gets
    )

    assert core_hours * times_less < AS_PUBLISHED["core_hours"] < core_hours * times_less * 1.5
    assert cost.wall_hours < AS_PUBLISHED["hours"]
    assert dollars * 5 < AS_PUBLISHED["dollars"]


def test_a_plate_is_cut_into_as_few_jobs_as_may_be(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[measure]\nsites_per_shard = 100\n")
    plan = cost_plan.make("2020_11_04_CPJUMP1", ["BR00117010", "BR00117011"], "")
    jobs = {line.stage: line.jobs for line in plan.lines}

    assert (jobs["measure"], jobs["illumination"], jobs["collate"]) == (2 * 35, 2 * 8, 2)
    assert (jobs["select_features_batch"], jobs["report"]) == (1, 1)


def test_requests_are_of_images_sites_files_and_jobs() -> None:
    size = cost_model.PlateSize(images=32, image_bytes=1, sites=4, wells=2, channels=8, height_pixels=9, width_pixels=9,
                              cells_per_site=CELLS, here=True)  # fmt: skip
    measured, collated = (cost_model.of_stage(stage, size) for stage in ("measure", "collate"))

    assert (measured.files, measured.reads) == (4 * 7, 32)
    assert (collated.files, collated.reads) == (2, 4 * 7)
    assert cost_model.of_requests(measured + collated, 3) == (2 * 30 + 3 * 18, 2 * 60 + 3 * 17)


def test_what_luigi_cfg_lets_go_is_not_kept(luigi_cfg: LoadSettings) -> None:
    kept = {}
    for text in ("", "[storage]\ndelete = measure\n"):
        luigi_cfg(text)
        plan = cost_plan.make("2020_11_04_CPJUMP1", ["BR00117010"], "")
        kept[text] = plan.kept_bytes
        results = {line.stage: line.cost.bytes for line in plan.lines}

    assert kept[""] == pytest.approx(sum(results.values()))
    assert kept[""] - kept["[storage]\ndelete = measure\n"] == pytest.approx(results["measure"])


def test_amazon_is_told_of_where_it_is_asked_for_or_where_jobs_run_there(
    luigi_cfg: LoadSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("")
    words = ["tasks", "plan", "--batch-id", "2020_11_04_CPJUMP1", "--plates", "BR00117010"]
    shown = {}
    for how in ("plain", "--aws", "place"):
        with monkeypatch.context() as given:
            given.setattr(sys, "argv", [*words, *([how] if how == "--aws" else [])])
            if how == "place":
                there = dataclasses.replace(settings.load(), place=places.AWS_BATCH)
                given.setattr(settings, "load", lambda there=there: there)
            assert command.main() == 0
        shown[how] = capsys.readouterr().out

    assert "Amazon" not in shown["plain"]
    for how in ("--aws", "place"):
        assert "on Amazon Web Services in us-east-1, by the list prices of 2026-01-19: check them" in shown[how]
        assert "the cheapest: m6i.xlarge, " in shown[how]
        assert "not on c6i.xlarge: select_features_batch needs 1 vCPUs, 8 GiB" in shown[how]
        assert "a vCPU is a hyperthread" in shown[how]


def test_programs_get_what_amazon_would_cost(
    luigi_cfg: LoadSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("")
    words = ["plan", "--batch-id", "2020_11_04_CPJUMP1", "--plates", "BR00117010", "--json", "--aws", "--machines", "3"]
    monkeypatch.setattr(sys, "argv", ["tasks", *words])
    assert command.main() == 0
    told = json.loads(capsys.readouterr().out)["aws"]
    plan = cost_plan.make("2020_11_04_CPJUMP1", ["BR00117010"], "")
    classes = aws_costs.costs(plan.works, aws_prices.read(aws_prices.OURS), 3)

    assert [aws_costs.ClassCost(**each) for each in told["classes"]] == classes
    assert (told["machines"], told["cheapest"], told["region"]) == (3, [classes[0].name], "us-east-1")
    assert told["request_dollars"] == pytest.approx((told["puts"] * 0.005 + told["gets"] * 0.0004) / 1000)
    assert told["dollars_a_month"] == pytest.approx(plan.kept_bytes / 1e9 * 0.023)


def test_a_volume_takes_no_requests_and_has_a_price_of_its_own(
    luigi_cfg: LoadSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("[aws_batch]\nvolume = efs:fs-0123456789abcdef0\n")
    words = ["tasks", "plan", "--batch-id", "2020_11_04_CPJUMP1", "--plates", "BR00117010", "--aws"]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    assert command.main() == 0
    told = json.loads(capsys.readouterr().out)["aws"]
    plan = cost_plan.make("2020_11_04_CPJUMP1", ["BR00117010"], "")
    monkeypatch.setattr(sys, "argv", words)
    assert command.main() == 0
    shown = capsys.readouterr().out

    assert (told["puts"], told["gets"], told["request_dollars"]) == (0, 0, 0)
    assert told["dollars_a_month"] == pytest.approx(plan.kept_bytes / 1e9 * 0.30)
    assert "the volume, as EFS without its throughput: " in shown
    assert "S3" not in shown

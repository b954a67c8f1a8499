"""`verify --against stock`: the same sites by both engines; 0 only if every value agrees."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

import pytest

from tasks.commands import against_stock, verify
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, ProgramError
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import engines
from tasks.workflow import image_analysis, inputs
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, lay_plate, lay_profiles, lay_table, write_result, write_units
from tests.unit.test_graph import publish_all

SITES = ["A01-1", "A02-1", "B01-1"]  # as publish_all lists them
COLUMNS = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]


def flag(job: Job, name: str) -> str:
    return job.flags[job.flags.index(f"--{name}") + 1]


class Bench:
    """Stands for measure.py: a table a site, whose values may depend on the engine."""

    def __init__(self) -> None:
        self.values = {"fast": "0.5", "stock": "0.5"}
        self.measured: list[tuple[str, str]] = []

    def __call__(self, job: Job, cancelled: threading.Event) -> Outcome:
        engine = flag(job, "engine")
        names = flag(job, "shard").split(",")
        assert flag(job, "audit_sites") == "0"
        assert flag(job, "tables") == "csv"  # whatever luigi.cfg says: csv files are compared
        if self.values[engine] == "none":
            (job.folder / "stderr.log").write_text("no Java\n")
            return Outcome(65, 0.0)
        for name in names:
            self.measured.append((engine, name))
            folder = job.folder / "out/files/analysis" / f"{PLATE}-{name}"
            folder.mkdir(parents=True)
            (folder / "Cells.csv").write_text(f"Texture_A,AreaShape_B\n{self.values[engine]},7\n")
        write_units(job, *names)
        write_result(job, ["Costes is asked for"] if engine == "fast" else [])
        return Outcome(0, 0.0)


@pytest.fixture
def ready(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A plate that is listed and has illumination functions."""
    layout = luigi_cfg("[runtime]\ncores = 2\nmemory_gb = 8\n[measure]\ntables = parquet\n")
    lay_plate(layout)
    lay_profiles(layout, PLATE)
    publish_all(layout)
    table = layout.published("load_data_csv", BATCH, PLATE) / "load_data_with_illum.csv"
    lay_table(table, ",", COLUMNS, [[PLATE, *site.split("-")] for site in SITES])
    for task in (image_analysis.LoadData, image_analysis.Illumination, inputs.Images):
        monkeypatch.setattr(task, "complete", lambda self: True)
    return layout


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    monkeypatch.setattr(engines, "choose", lambda wanted, image: FakeEngine(bench))
    return bench


def verified(*words: str) -> int:
    parser = argparse.ArgumentParser()
    verify.add(parser)
    return verify.act(parser.parse_args(["--against", "stock", *words]))


def left(layout: Layout) -> list[Path]:
    return list(layout.work.rglob("both-engines"))


def test_sites_that_agree_are_0_and_leave_nothing(
    ready: Layout, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = verified("--batch-id", BATCH, "--plate", PLATE, "--sites", "2"), capsys.readouterr().out
    chosen = sorted({site for _, site in bench.measured})

    assert code == 0
    assert sorted(bench.measured) == [(engine, site) for engine in ("fast", "stock") for site in chosen]
    assert len(chosen) == 2
    assert f"{PLATE}: {', '.join(chosen)}" in said
    assert "4 of 4 values agree with stock's within 1e-06 (relative) or 1e-09" in said
    assert "engine = fast: Costes is asked for" in said
    assert left(ready) == []


def test_a_value_that_differs_is_1_and_is_shown(
    ready: Layout, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.values["fast"] = "0.500001"
    code, said = verified("--batch-id", BATCH, "--sites", "9"), capsys.readouterr().out

    assert code == 1
    assert "differs: Cells.csv row 1 Texture_A: 0.500001, not 0.5 by stock" in said
    assert "3 of 6 values agree" in said
    assert f"both measurements lie in {left(ready)[0]}" in said
    assert len({site for _, site in bench.measured}) == 3


def test_a_difference_below_the_tolerance_is_within(
    ready: Layout, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.values["fast"] = "0.5000000001"

    assert verified("--batch-id", BATCH, "--plate", PLATE, "--sites", "1") == 0
    assert "1.0e-10" in capsys.readouterr().out


def test_an_engine_that_fails_is_an_error(ready: Layout, bench: Bench) -> None:
    bench.values["stock"] = "none"
    with pytest.raises(ProgramError, match="no Java"):
        verified("--batch-id", BATCH, "--plate", PLATE)


def test_a_plate_that_is_not_ready_is_named_with_the_next_step(ready: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_analysis.Illumination, "complete", lambda self: False)
    with pytest.raises(MissingInputError, match=f"type: luigi --module tasks Illumination .* --plate {PLATE}"):
        verified("--batch-id", BATCH, "--plate", PLATE)


@pytest.mark.parametrize("words", [[], ["--batch-id", "B", "--sites", "0"], ["measure", "--batch-id", "B"]])
def test_what_is_not_said_is_asked_for(words: list[str], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    with pytest.raises(against_stock.AgainstError, match="verify --against stock --batch-id"):
        verified(*words)

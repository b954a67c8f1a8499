"""Units that are left out: when a stage may publish without them, what it says, and what later stages make of it."""

from __future__ import annotations

import pytest

from tasks.commands.staleness import explain
from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import NoCellsError, ProgramError, SettingsError
from tasks.results import ledger, manifest
from tasks.settings import checks, settings
from tasks.stage_tasks.stage import Staged
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE
from tests.unit.measuring_bench import QUICK, SITES, Bench, make, run


def test_a_stage_publishes_without_as_many_units_as_it_may_and_says_which(listed: Layout, bench: Bench) -> None:
    bench.bad = {"A01-2"}
    found = run("measure")

    assert found.facts["quarantined"] == {"A01-2": "program_error: a crash"}
    assert found.units == {"ok": 3, "quarantined": 1}
    assert found.warnings == ("1 of 4 sites are left out: A01-2 (program_error: a crash)",)
    assert make("measure").complete()


def test_a_stage_with_more_than_that_fails_and_publishes_nothing(listed: Layout, bench: Bench) -> None:
    bench.bad = {"A01-2", "A02-1"}
    with pytest.raises(ProgramError, match=r"2 of 4 sites failed(.|\n)*max_failed_fraction = 0.5 in luigi.cfg"):
        make("measure").run()

    assert manifest.read(make("measure").manifest_path()) is None
    assert not (listed.published("analysis", BATCH, PLATE) / "analysis").exists()


def test_a_plate_without_any_cell_is_an_error_and_nothing_is_published(listed: Layout, bench: Bench) -> None:
    bench.cells = 0
    with pytest.raises(NoCellsError):
        make("measure").run()

    assert manifest.read(make("measure").manifest_path()) is None
    assert not (listed.published("analysis", BATCH, PLATE) / "analysis").exists()


def test_a_plate_with_a_cell_on_some_site_is_published(listed: Layout, bench: Bench) -> None:
    bench.cells = 1

    assert run("measure").facts["cells"] >= 1


def test_by_default_nothing_may_be_left_out(listed: Layout, bench: Bench, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(QUICK)
    bench.bad = {"A01-2"}
    with pytest.raises(ProgramError, match=r"now 0\)"):
        make("measure").run()

    assert settings.max_failed_fraction(stages.stage("measure")) == 0


def test_a_result_that_lacks_more_than_is_allowed_now_is_not_complete_and_only_that_is_made(
    listed: Layout, bench: Bench, luigi_cfg: LoadSettings
) -> None:
    bench.bad = {"A01-2"}
    run("measure")
    luigi_cfg(QUICK)
    stale = explain(make("measure"))
    bench.bad, bench.measured = set(), []
    found = run("measure")

    assert (stale.state, stale.reasons) == (
        "stale", ("1 of its sites were left out, more than [runtime] max_failed_fraction",)
    )  # fmt: skip
    assert bench.measured == ["A01-2"]
    assert found.units == {"ok": 4}
    assert "quarantined" not in found.facts


def test_the_setting_makes_no_whole_result_stale(listed: Layout, bench: Bench, luigi_cfg: LoadSettings) -> None:
    run("measure")
    luigi_cfg("[runtime]\nmax_failed_fraction = 0.9\n")

    assert make("measure").complete()


def test_later_stages_account_for_what_is_left_only(listed: Layout, bench: Bench) -> None:
    bench.bad = {"A01-2"}
    run("measure")

    class After(type(make("measure"))):  # a stage of sites that requires both the list and the measurement
        stage = "measure"

        def requires(self) -> list[Staged]:
            return [make("load_data"), make("measure")]

    assert After(batch_id=BATCH, plate=PLATE)._units() == ("A01-1", "A02-1", "A02-2")


def test_a_channel_is_never_left_out(listed: Layout, bench: Bench) -> None:
    assert settings.max_failed_fraction(stages.stage("illumination")) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[runtime]\nmax_failed_fraction = 5\n", "it must be a number from 0 to 1"),
        ("[runtime]\nmax_failed_fraction = few\n", "it must be a number from 0 to 1"),
        ("[illumination]\nmax_failed_fraction = 0.1\n", "there is no setting 'max_failed_fraction'"),
        ("[retries]\ntries = 0\n", r"\[retries\] tries = 0: it must be a whole number of at least 1"),
        ("[retries]\nmost_memory_gb = much\n", "or auto"),
    ],
)
def test_a_wrong_setting_is_refused(text: str, says: str, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(text)

    with pytest.raises(SettingsError, match=says):
        checks.check(pipeline.stage_settings())


def test_the_most_memory_of_a_job_is_what_all_jobs_may_use(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[runtime]\ncores = 2\nmemory_gb = 6\n")
    automatic = settings.load().retries.most_memory_gb
    luigi_cfg("[runtime]\ncores = 2\nmemory_gb = 6\n[retries]\nmost_memory_gb = 100\n")

    assert (automatic, settings.load().retries.most_memory_gb) == (6, 6)


def test_a_run_that_failed_says_so_in_the_ledger(listed: Layout, bench: Bench) -> None:
    bench.bad = set(SITES)
    with pytest.raises(ProgramError):
        make("measure").run()
    told = ledger.history(listed.ledger("measure", BATCH, PLATE))

    assert told is not None
    assert (told.ended, told.total) == ("failed", 4)
    assert told.said.startswith(f"measure/{PLATE} failed: exit code 70")

"""Where a run starts says what is fetched, what a person provides, and what is not asked for at all."""

from __future__ import annotations

from typing import Any

import luigi
import pytest
from luigi.task import flatten

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, SettingsError
from tasks.planning import cost_plan as planning
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, FakeEngine, lay_plate
from tests.unit.test_planning import lay


def task_of(name: str, start_from: str) -> luigi.Task:
    kind: Any = getattr(pipeline, name)
    return kind(batch_id=BATCH, plate=PLATE, start_from=start_from)


def below(task: luigi.Task) -> set[str]:
    """Return the names of all tasks that a task requires, directly or through others."""
    found = {type(required).__name__ for required in flatten(task.requires())}
    return found.union(*(below(required) for required in flatten(task.requires())))


def run(task: Any) -> None:
    task.set_progress_percentage = task.set_status_message = lambda said: None  # as Luigi's worker does
    task.run()


def lay_averages(layout: Layout) -> None:
    folder = layout.published("profiles", BATCH, PLATE)
    folder.mkdir(parents=True)
    (folder / f"{PLATE}.csv.gz").write_text("averages of a person's own")


def test_annotate_from_profiles_takes_the_well_averages_and_fetches_no_image(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert below(task_of("Annotate", "profiles")) == {
        "WellAverages", "FetchProfiles", "Platemap", "ExternalMetadata", "FetchMetadata",
    }  # fmt: skip
    assert "Aggregate" in below(task_of("Annotate", "images"))


def test_a_persons_well_averages_are_annotated_and_not_fetched(
    luigi_cfg: LoadSettings, stub_engine: FakeEngine
) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    lay_averages(layout)
    task = task_of("Annotate", "profiles")
    required = {type(each).__name__: each for each in flatten(task.requires())}
    run(task)

    assert [each.complete() for each in flatten(required["WellAverages"].requires())] == [True]
    assert task.inputs()["profiles"][0].path == layout.published("profiles", BATCH, PLATE) / f"{PLATE}.csv.gz"
    assert task.complete()
    assert (layout.published("profiles", BATCH, PLATE) / f"{PLATE}.csv.gz").read_text() == "averages of a person's own"


def test_what_comes_after_is_made_of_the_same_averages(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert {"Annotate", "WellAverages"} <= below(task_of("SelectFeaturesNegcon", "profiles"))
    assert not {"Measure", "FetchImages"} & below(task_of("SelectFeaturesNegcon", "profiles"))


def test_well_averages_that_are_not_there_are_named(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    with pytest.raises(MissingInputError, match=rf"{PLATE}.csv.gz: the well averages of plate {PLATE}"):
        pipeline.WellAverages(batch_id=BATCH, plate=PLATE).path()

    assert not layout.published("profiles", BATCH, PLATE).exists()


TOO_EARLY = [
    ("Aggregate", "profiles"), ("Collate", "profiles"), ("Measure", "profiles"), ("Illumination", "profiles"),
    ("LoadData", "profiles"), ("Montage", "profiles"), ("LocateCells", "profiles"), ("DeepProfile", "profiles"),
    ("Measure", "backend"), ("Collate", "backend"), ("Montage", "backend"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "start_from"), TOO_EARLY)
def test_a_stage_before_the_start_is_refused_and_nothing_is_fetched(
    name: str, start_from: str, luigi_cfg: LoadSettings
) -> None:
    lay_plate(luigi_cfg(""))
    with pytest.raises(SettingsError, match=f"^--start-from {start_from}: "):
        below(task_of(name, start_from))


@pytest.mark.parametrize("start_from", ["backend", "profiles"])
@pytest.mark.parametrize(
    "name",
    ["Illumination", "Measure", "Montage", "SampleSites", "SampleIllumination", "SampleMeasure", "SampleMontage"],
)
def test_what_is_made_from_images_requires_none_before_it_is_refused(
    name: str, start_from: str, luigi_cfg: LoadSettings
) -> None:
    """Luigi would run what it got to know of a task's requirements: the fetch of the images."""
    lay_plate(luigi_cfg(""))

    with pytest.raises(SettingsError, match=f"^--start-from {start_from}: "):
        task_of(name, start_from).requires()


@pytest.mark.parametrize("name", ["Aggregate", "LocateCells", "DeepProfile", "SelectFeatures"])
def test_a_stage_after_the_start_is_taken(name: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))

    assert "Backend" in below(task_of(name, "backend"))


def test_load_data_takes_a_published_table_where_luigi_cfg_says_so(
    luigi_cfg: LoadSettings, stub_engine: FakeEngine
) -> None:
    layout = luigi_cfg("[load_data]\nsource = published\n")
    lay_plate(layout)
    task = task_of("LoadData", "laid")
    before = task.complete()
    (required,) = flatten(task.requires())
    run(required)
    run(task)

    assert type(required) is pipeline.LocaliseLoadData
    assert (before, task.complete()) == (False, True)
    assert task.promises() == required.promises()
    assert task.promises()["load_data"].path.is_relative_to(layout.published("load_data_localised", BATCH, PLATE))


def test_a_plan_knows_a_published_table(luigi_cfg: LoadSettings) -> None:
    lay(luigi_cfg("[load_data]\nsource = published\n"))
    plan = planning.make(BATCH, [PLATE], "")
    stages = {line.stage: line for line in plan.lines}

    assert "load_data" not in stages
    assert (stages["localise_load_data"].done, stages["localise_load_data"].to_do) == (0, 1)
    assert stages["localise_load_data"].cost.core_seconds > 0

"""The graph: what a task hands on, what makes it stale, and what a run does that finds its old folder."""

from __future__ import annotations

import gzip
import shutil
import threading
from pathlib import Path

import luigi
import pytest
from luigi.task import flatten
from stagekit import contracts

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import FalseSuccessError, ProgramError
from tasks.execution import backends
from tasks.results import manifest
from tasks.runtime.core import locks
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import engines
from tasks.stage_tasks.stage import Staged
from tasks.workflow import image_analysis, pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import (
    BATCH,
    PLATE,
    FakeEngine,
    good,
    lay_own_tables,
    lay_plate,
    lay_profiles,
    make_manifest,
    make_task,
    write_outputs,
    write_result,
)

TASKS = pipeline.stage_tasks()
STAGES = sorted(TASKS)
BENCHMARK = {name for name, stage in stages.load().items() if stage.image == "benchmark"}  # see test_benchmark
SAMPLE = {"sample_sites", "sample_illumination", "sample_measure", "sample_montage"}
FETCHES = {stage for stage in STAGES if stage.startswith("fetch_")}
BY_NAME = {"consensus", "spherize"}  # asked for by name: only a person knows which plates belong together
BY_NAME |= {"import_wells", "import_cells", "anndata"}  # of tables of other programs; for other programs
BY_NAME |= {"import_images"}  # only of a plate that was added with images of another form
BY_NAME |= {"estimate_cells", "tune_cells"}  # by `python -m tasks tune`
BY_NAME |= {"import_masks"}  # only where luigi.cfg names label images
BY_NAME |= {"explore_plate", "explore"}  # or if luigi.cfg switches it on
DEEP = {"locate_cells", "deep_profile", "deep_profile_torch", "seed_checkpoint", "aggregate_deep", "annotate_deep"}
DEEP |= {"spherize_deep"}


def make(stage: str) -> Staged:
    task = make_task(TASKS[stage])
    task.set_progress_percentage = task.set_status_message = lambda said: None  # as a Luigi worker gives them
    return task


@pytest.fixture
def measured(luigi_cfg: LoadSettings) -> Layout:
    """Lay a plate, and publish a result of every stage that is complete for nobody's fingerprint."""
    layout = luigi_cfg("")
    lay_plate(layout)
    lay_profiles(layout, PLATE)
    lay_own_tables(layout, PLATE)
    publish_all(layout)
    return layout


def publish_all(layout: Layout) -> None:
    for name, stage in stages.load().items():
        task = make(name)
        names = stage.output_names(task.subject, task.members)
        outputs = {output: task.output_folder(output) / path for output, path in names.items()}
        path = task.manifest_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        units = {"site": ["A01-1", "A02-1", "B01-1"], "channel": ["DNA", "ER"]} if name == "load_data" else {}
        manifest.write(path, make_manifest(outputs, layout.root, name, facts=units))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine(good)
    monkeypatch.setattr(engines, "choose", lambda wanted, image: engine)
    return engine


def fingerprints() -> dict[str, object]:
    return {stage: make(stage).fingerprint() for stage in STAGES}


def changed(before: dict[str, object]) -> list[str]:
    after = fingerprints()
    return [stage for stage in STAGES if before[stage] != after[stage]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_task_requires_tasks_with_their_own_settings(stage: str, luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    for name in ("illumination", "analysis"):
        (tmp_path / f"{name}.cppipe").touch()
    luigi_cfg(
        f"[illumination]\npipeline = {tmp_path}/illumination.cppipe\n[measure]\npipeline = {tmp_path}/analysis.cppipe\n"
        "[aggregate]\nmethod = median\n[normalize]\nmethod = standardize\n"
    )
    required = flatten(make(stage).requires())

    assert required == [make_task(type(task)) for task in required]
    assert [task.param_kwargs for task in required] == [make_task(type(task)).param_kwargs for task in required]


def reached(run: luigi.Task) -> set[str]:
    todo, found = [run], set()
    while todo:
        task = todo.pop()
        found |= {task.stage} if isinstance(task, Staged) else set()
        todo += flatten(task.requires())
    return found


def test_run_batch_reaches_every_stage_but_those_asked_for_by_name(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    from_images = reached(pipeline.RunBatch(batch_id=BATCH))
    luigi_cfg("[load_data]\nsource = published\n")

    assert from_images == {*STAGES} - {"localise_load_data", *SAMPLE, *BY_NAME, *FETCHES, *BENCHMARK, *DEEP}
    assert reached(pipeline.RunBatch(batch_id=BATCH)) == {*STAGES} - {
        "load_data",
        *SAMPLE,
        *BY_NAME,
        *FETCHES,
        *BENCHMARK,
        *DEEP,
    }


def test_run_batch_makes_the_explorer_if_luigi_cfg_says_so(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[explorer]\nwith_batch = true\n"))

    assert {"explore_plate", "explore"} <= reached(pipeline.RunBatch(batch_id=BATCH))
    assert "explore" not in reached(pipeline.RunBatch(batch_id=BATCH, features="deepprofiler"))


def test_an_explorer_of_a_part_of_the_batch_has_pages_of_its_own(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    whole, part = (pipeline.Explorer(batch_id=BATCH, plates=[PLATE], plate_set=name) for name in (BATCH, "few"))

    assert part.index() == whole.index().parent / "sets" / "few" / "index.html"
    for explorer in (whole, part):
        told = explorer.spec().parameters
        plates = (explorer.index().parent / told["plates_folder"]).resolve()
        assert plates == (whole.index().parent / "plates").resolve()
        assert (explorer.index().parent / told["report"]).resolve().parts[-3:-1] == ("report", BATCH)


@pytest.mark.parametrize("start", ["backend", "profiles"])
def test_an_explorer_that_starts_without_images_asks_for_none(luigi_cfg: LoadSettings, start: str) -> None:
    lay_plate(luigi_cfg(""))
    plate = pipeline.ExplorePlate(batch_id=BATCH, plate=PLATE, start_from=start)

    assert plate.inputs()["images"] == []
    assert plate.spec().disabled_outputs == {"images", "outlines", "cells"}
    assert reached(pipeline.Explorer(batch_id=BATCH, start_from=start)).isdisjoint({"measure", "quality_control"})


def test_a_sample_reaches_its_own_stages_only(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert reached(pipeline.RunPlate(batch_id=BATCH, plate=PLATE, sample=3)) == {"load_data", *SAMPLE}


def test_the_number_of_sampled_wells_is_told_from_stage_to_stage(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    todo = [pipeline.RunPlate(batch_id=BATCH, plate=PLATE, sample=3)]
    told = {}
    while todo:
        task = todo.pop()
        told |= {task.stage: task.wells} if isinstance(task, pipeline.SampleTask) else {}
        todo += flatten(task.requires())

    assert told == dict.fromkeys(SAMPLE, 3)


def test_an_exclusion_makes_its_own_plate_stale(measured: Layout, luigi_cfg: LoadSettings) -> None:
    before = fingerprints()
    luigi_cfg("[preflight]\nexclude = another:A01\n")
    same = changed(before)
    luigi_cfg(f"[preflight]\nexclude = another:A01 {PLATE}:B02\n")

    assert same == []
    assert changed(before) == ["import_images", "load_data", "localise_load_data"]


def test_run_batch_runs_the_plates_of_the_platemap_list_or_those_named(measured: Layout) -> None:
    listed = pipeline.RunBatch(batch_id=BATCH).requires()
    named = pipeline.RunBatch(batch_id=BATCH, plates=["P2"]).requires()

    assert [task.plate for task in listed if isinstance(task, pipeline.RunPlate)] == [PLATE]
    assert [task.plate for task in named if isinstance(task, pipeline.RunPlate)] == ["P2"]


BACKENDS = {
    "both": ("", {"backend", "cells"}),
    "no sqlite": ("[collate]\nsqlite = false\n", {"cells"}),
    "no parquet": ("[collate]\nparquet = false\n", {"backend"}),
}


@pytest.mark.parametrize(("text", "made"), BACKENDS.values(), ids=BACKENDS)
def test_collating_promises_what_the_settings_ask_for(
    text: str, made: set[str], measured: Layout, luigi_cfg: LoadSettings, engine: FakeEngine
) -> None:
    luigi_cfg(text)
    task = make("collate")
    task.run()
    choices = task.spec().parameters

    assert set(task.promises()) == made
    assert {choices["sqlite"], choices["parquet"]} == ({"true"} if len(made) == 2 else {"true", "false"})


def test_a_plate_is_not_collated_if_neither_backend_is_wanted(measured: Layout, luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[collate]\nsqlite = false\nparquet = false\n")
    stages_run = {task.stage for task in pipeline.RunPlate(batch_id=BATCH, plate=PLATE).requires()}

    assert stages_run >= {"select_features", "select_features_negcon", "montage"}
    assert "collate" not in stages_run


@pytest.mark.parametrize(
    ("source", "requires"), [("analysis", "measure"), ("backend", "collate"), ("cells", "collate")]
)
def test_wells_come_from_where_the_setting_says(source: str, requires: str, luigi_cfg: LoadSettings) -> None:
    luigi_cfg(f"[aggregate]\nsource = {source}\n")

    assert [task.stage for task in flatten(make("aggregate").requires())] == [requires]


SAME = {
    "engine": "[runtime]\nengine = process\n",
    "cores": "[runtime]\ncores = 7\nmemory_gb = 3\n",
    "sites_per_shard": "[measure]\nsites_per_shard = 1\n",
    "sites that may be left out": "[runtime]\nmax_failed_fraction = 0.5\n",
    "audit_sites": "[measure]\naudit_sites = 3\n",
    "the form of the tables": "[measure]\ntables = parquet\n",
    "the default type of cells' values": "[measure]\ncell_values = float64\n",
    "storage": "[storage]\ndelete = measure\n",
    "resources": "[normalize]\nmemory_gb = 9\nminutes = 1\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_how_a_stage_is_run_makes_nothing_stale(text: str, measured: Layout, luigi_cfg: LoadSettings) -> None:
    before = fingerprints()
    luigi_cfg(text)

    assert changed(before) == []


def test_a_plate_is_audited_and_a_look_at_some_of_its_wells_is_not(measured: Layout) -> None:
    told = {stage: make(stage).describe({}).flags for stage in ("measure", "sample_measure")}

    assert {stage: flags[flags.index("--audit_sites") + 1] for stage, flags in told.items()} == {
        "measure": "1",
        "sample_measure": "0",
    }


def test_shorter_numbers_of_cells_are_another_result(measured: Layout, luigi_cfg: LoadSettings) -> None:
    before = fingerprints()
    luigi_cfg("[measure]\ncell_values = float32\n")

    assert {"measure", "sample_measure"} >= set(changed(before)) >= {"measure"}


def test_a_parameter_makes_its_own_stage_stale(measured: Layout, luigi_cfg: LoadSettings) -> None:
    before = fingerprints()
    luigi_cfg("[normalize_negcon]\nsamples = all\n")

    assert changed(before) == ["normalize_negcon"]


@pytest.mark.parametrize(("pipeline_file", "stage"), [("analysis", "measure"), ("illumination", "illumination")])
def test_a_changed_pipeline_makes_its_own_stage_stale(
    pipeline_file: str, stage: str, measured: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "pipelines"
    shutil.copytree(image_analysis.PIPELINES, own)
    monkeypatch.setattr(image_analysis, "PIPELINES", own)
    before = fingerprints()
    with open(own / f"{pipeline_file}.cppipe", "a") as file:
        file.write("\n")

    tuned = ["tune_cells"] if stage == "measure" else []
    assert changed(before) == [stage, f"sample_{stage}", *tuned]


def test_a_pipeline_that_is_not_there_is_named(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.cppipe").touch()
    luigi_cfg(f"[measure]\npipeline = {tmp_path}/other.cppipe\n")

    with pytest.raises(Exception, match=r"other.cppipe: the pipeline that luigi.cfg names .*mine.cppipe"):
        make("measure").spec()


SELECTING = ["select_features", "select_features_batch", "select_features_negcon", "select_features_negcon_batch"]


def test_a_blocklist_beside_luigi_cfg_makes_what_is_selected_stale(
    measured: Layout, luigi_cfg: LoadSettings, tmp_path: Path
) -> None:
    before = fingerprints()
    path = tmp_path / "mine.txt"
    path.write_text("blocklist\nCells_A\n")
    luigi_cfg("[select_features]\nblocklist = mine.txt\n")
    assert changed(before) == SELECTING

    before = fingerprints()
    path.write_text("blocklist\nCells_B\n")
    assert changed(before) == SELECTING


@pytest.mark.parametrize(
    ("cores", "per_shard", "sites", "shards"),
    [(2, 8, 24, 4), (2, 8, 16, 2), (2, 8, 1, 1), (4, 8, 24, 4), (1, 8, 9, 2), (16, 8, 9, 9)],
)
def test_measurement_is_cut_into_a_multiple_of_the_cores(
    cores: int, per_shard: int, sites: int, shards: int, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(f"[runtime]\ncores = {cores}\n[measure]\nsites_per_shard = {per_shard}\n")

    assert backends.job_count(sites, make("measure").job_spec()) == shards


def test_a_run_publishes_and_is_then_complete(measured: Layout, engine: FakeEngine) -> None:
    task = make("collate")
    before = task.fingerprint()
    task.run()
    found = manifest.read(task.manifest_path())

    assert found is not None
    assert found.is_of(before)
    assert (measured.published("backend", BATCH, PLATE) / f"{PLATE}.sqlite").read_text() == "made"
    assert found.environment == {"engine": "fake"}


def test_a_stage_that_another_run_has_made_meanwhile_is_not_run_again(
    measured: Layout, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make("collate")
    lock = measured.lock("collate", BATCH, PLATE)
    with locks.alone(lock, "the other run"):
        second = threading.Thread(target=make("collate").run)
        monkeypatch.setattr(type(task), "complete", lambda self: True)
        second.start()
        second.join(0.3)
        waiting = second.is_alive()
    second.join(10)

    assert waiting
    assert engine.ran == []


def test_a_published_file_that_was_removed_is_made_again(measured: Layout, engine: FakeEngine) -> None:
    task = make("collate")
    task.run()
    file = measured.published("backend", BATCH, PLATE) / f"{PLATE}.sqlite"
    file.unlink()
    task.run()

    assert file.read_text() == "made"
    assert engine.ran == ["1of1", "1of1"]


def test_a_setting_can_be_changed_and_changed_back(
    measured: Layout, luigi_cfg: LoadSettings, engine: FakeEngine
) -> None:
    name = f"{PLATE}_normalized_feature_select_plate.csv.gz"
    required = contracts.ANNOTATED_PROFILES.required

    def act(job: Job, cancelled: threading.Event) -> Outcome:
        columns = [*required, job.flags[job.flags.index("--operations") + 1]]
        write_outputs(job, ",".join(contracts.EXCLUDED.required))
        (job.folder / "out/files" / name).write_bytes(gzip.compress(",".join(columns).encode()))
        return Outcome(0, 0.0)

    engine.act = act
    seen = []
    for operations in ("blocklist", "drop_na_columns", "blocklist"):
        luigi_cfg(f"[select_features]\noperations = {operations}\n")
        make("select_features").run()
        table = measured.published("profiles", BATCH, PLATE) / name
        seen.append(gzip.decompress(table.read_bytes()).decode().split(",")[len(required)])

    assert seen == ["blocklist", "drop_na_columns", "blocklist"]


def test_a_false_success_is_run_again_the_next_time(measured: Layout, engine: FakeEngine) -> None:
    def forgetful(job: Job, cancelled: threading.Event) -> Outcome:
        write_result(job)
        return Outcome(0, 0.0)

    engine.act = forgetful
    with pytest.raises(FalseSuccessError, match="backend .* is not there"):
        make("collate").run()
    engine.act = good
    make("collate").run()

    assert (measured.published("backend", BATCH, PLATE) / f"{PLATE}.sqlite").read_text() == "made"


def test_a_failed_stage_publishes_nothing_and_keeps_the_old_result(measured: Layout, engine: FakeEngine) -> None:
    make("collate").run()
    make("collate").manifest_path().write_text(make("collate").manifest_path().read_text().replace("collate", "older"))
    engine.act = lambda job, cancelled: Outcome(65, 0.0)
    old = make("collate").manifest_path().read_text()
    with pytest.raises(ProgramError, match=rf"collate/{PLATE} failed: exit code 65"):
        make("collate").run()

    assert make("collate").manifest_path().read_text() == old


def test_a_task_is_not_complete_before_those_it_requires(measured: Layout, engine: FakeEngine) -> None:
    make("collate").run()

    assert not make("collate").complete()

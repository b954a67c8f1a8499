"""RunBenchmark uses the profiles that are there, one task a group; definitions never replace each other's results."""

from __future__ import annotations

from pathlib import Path

import pytest
from luigi.task import flatten

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import MissingInputError, SettingsError
from tasks.workflow import benchmark_table, pipeline
from tasks.workflow.benchmark import GroupTask, Matching, RankedProfiles, Replicability
from tasks.workflow.pipeline import RunBenchmark
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_experiment, lay_plate, lay_profiles, lay_table

U2OS_48 = "cellprofiler_compound_U2OS_long"


@pytest.fixture
def laid(luigi_cfg: LoadSettings) -> Layout:
    layout = luigi_cfg("")
    lay_experiment(layout, without=("C2", "G2"))
    return layout


def tasks_of(**given: object) -> dict[tuple[str, str], GroupTask]:
    """Return every stage's task of a run by stage and group."""
    todo, found = flatten(RunBenchmark(**{"batch_id": BATCH, **given}).requires()), {}
    while todo:
        task = todo.pop()
        if isinstance(task, GroupTask):
            found[task.stage, task.plate] = task
            todo += flatten(task.requires())
    return found


def test_every_group_with_profiles_has_its_tasks_and_every_pair(laid: Layout) -> None:
    found = tasks_of()
    names = {stage: sorted(group for of, group in found if of == stage) for stage, _ in found}

    groups = ["compound_A549_long", "compound_A549_long_Density80", "compound_A549_short", "crispr_A549_96h"]
    assert names["replicability"] == names["matching"] == [f"cellprofiler_{group}" for group in groups]
    assert names["gene_compound_matching"] == [
        "cellprofiler_compound_A549_long-crispr_A549_96h",
        "cellprofiler_compound_A549_short-crispr_A549_96h",
    ]
    assert names["tabulate"] == names["figures"] == ["cellprofiler"]


def test_a_group_reads_the_plates_that_are_there_and_is_told_of_the_others(laid: Layout) -> None:
    task = tasks_of()["replicability", "cellprofiler_compound_A549_short"]

    assert [required.plate for required in task.requires()] == ["C1"]
    assert all(isinstance(required, RankedProfiles) for required in task.requires())
    assert task.spec().parameters["missing"] == "C2"
    assert task.spec().parameters["describe"] == (
        "Description=compound_A549_short,Modality=compound,Cell=A549,time=short,timepoint=24"
    )


@pytest.mark.parametrize(
    ("given", "partial"),
    [
        ({}, ""),
        ({"where": "Perturbation=crispr"}, ""),
        ({"plates": ["C1", "C3"]}, "compound_A549_short"),
        ({"plates": ["C1", "C2", "C3", "C4"]}, ""),
    ],
    ids=["all", "whole groups", "one plate of two", "all compounds"],
)
def test_a_group_of_which_plates_were_not_asked_for_is_incomplete(
    laid: Layout, given: dict[str, object], partial: str
) -> None:
    assert tasks_of(**given)["tabulate", "cellprofiler"].spec().parameters["incomplete"] == partial


@pytest.mark.parametrize("dose", ["10", "1"])
def test_a_group_has_a_dose_response_if_a_perturbation_has_several_doses(luigi_cfg: LoadSettings, dose: str) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    lay_profiles(layout, PLATE)
    layout.platemap(BATCH, "JUMP_platemap").unlink()
    table = layout.platemap(BATCH, "JUMP_platemap").with_suffix(".csv")
    lay_table(table, ",", ["Well", "Drug", "Dose"], [["A1", "x", "1"], ["A2", "x", dose], ["A3", "DMSO", ""]])

    assert [stage for stage, _ in tasks_of()].count("dose_response") == (dose == "10")


def test_plates_and_rows_can_be_chosen(laid: Layout) -> None:
    by_row = tasks_of(where="Perturbation=crispr")
    by_plate = tasks_of(plates=["C1", "C3"])

    assert [group for stage, group in by_row if stage == "matching"] == ["cellprofiler_crispr_A549_96h"]
    assert sorted(group for stage, group in by_plate if stage == "matching") == [
        "cellprofiler_compound_A549_long",
        "cellprofiler_compound_A549_short",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"where": "Perturbation=orf"}, "no plate meets it; there are Perturbation: compound, crispr"),
        ({"plates": ["C9"]}, "there is no plate 'C9'; known: C1"),
        ({"where": "Cell_type=U2OS"}, "none of the 1 plates of batch .* has cellprofiler profiles: lay or make .*G2_"),
        ({"behaviour": "as_published"}, "repeats the defects of the definitions final and 2022: name one"),
        ({"features": "deepprofiler"}, "none of the 6 plates .* deepprofiler_profiles"),
        ({"features": "cellprofilr"}, "there is no feature set 'cellprofilr'; known: cellprofiler, deepprofiler"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is(laid: Layout, given: dict[str, object], said: str) -> None:
    with pytest.raises((MissingInputError, SettingsError), match=said):
        RunBenchmark(batch_id=BATCH, **given).requires()


@pytest.mark.parametrize("start_from", ["laid", "images", "backend", "profiles"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"behaviour": "as_published"}, "repeats the defects of the definitions final and 2022: name one"),
        ({"group_by": "Cell_tpye"}, "group_by = Cell_tpye: there is no column 'Cell_tpye'; known: .*Cell_type"),
    ],
    ids=["behaviour", "group_by"],
)
def test_what_a_benchmark_cannot_do_is_said_before_a_plate_is_measured(
    laid: Layout, given: dict[str, object], said: str, start_from: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        RunBenchmark(batch_id=BATCH, start_from=start_from, **given).requires()


@pytest.mark.parametrize("start_from", ["laid", "images"])
def test_groups_that_nothing_is_known_of_are_refused(luigi_cfg: LoadSettings, start_from: str) -> None:
    layout = luigi_cfg("[benchmark]\ngroup_by = Cell_type\n")
    lay_table(layout.barcode_platemap("mine"), ",", ["Assay_Plate_Barcode", "Plate_Map_Name"], [["P1", "x"]])
    lay_profiles(layout, "P1", "mine")

    with pytest.raises(SettingsError, match=r"^luigi.cfg \[benchmark\] group_by = Cell_type: nothing is known of"):
        RunBenchmark(batch_id="mine", start_from=start_from).requires()


def test_without_experiment_metadata_a_batch_is_one_group(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_table(layout.barcode_platemap("mine"), ",", ["Assay_Plate_Barcode", "Plate_Map_Name"], [["P1", "x"]])
    lay_profiles(layout, "P1", "mine")
    task = tasks_of(batch_id="mine")["replicability", "cellprofiler_all"]

    assert [required.plate for required in task.requires()] == ["P1"]
    assert task.spec().parameters["describe"] == "Description=all"


def test_each_definition_and_behaviour_has_a_folder_and_a_manifest_of_its_own(laid: Layout) -> None:
    runs = [("copairs", "corrected"), ("final", "corrected"), ("final", "as_published"), ("2022", "as_published")]
    found = [tasks_of(definition=name, behaviour=how)["tabulate", "cellprofiler"] for name, how in runs]

    folder = laid.dataset / "workspace/benchmark" / BATCH
    names = ["copairs", "final", "final_as_published", "2022_as_published"]

    assert [task.output_folder("comparison") for task in found] == [folder / name for name in names]
    assert len({task.manifest_path() for task in found}) == 4


def test_the_other_feature_set_lies_in_its_own_batch_and_has_files_of_its_own(laid: Layout) -> None:
    path = laid.published("profiles", laid.deep_batch(BATCH), "C1") / "C1_spherized.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"deep")
    found = tasks_of(features="cellprofiler,deepprofiler")
    task = found["replicability", "deepprofiler_compound_A549_short"]

    assert [required.path() for required in task.requires()] == [path]
    paths = [path for task in found.values() for path in task.definition.output_names(task.plate).values()]
    assert len(set(paths)) == len(paths)


def test_feature_sets_are_compared_on_the_groups_that_both_have(laid: Layout) -> None:
    path = laid.published("profiles", laid.deep_batch(BATCH), "C1") / "C1_spherized.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"deep")
    found = tasks_of(features="cellprofiler,deepprofiler")
    task = found["compare_features", "cellprofiler-deepprofiler"]
    required = [(each.stage, each.plate) for each in task.requires()]

    assert [name for stage, name in required if stage == "replicability"] == [
        "cellprofiler_compound_A549_short", "deepprofiler_compound_A549_short",
    ]  # fmt: skip
    assert {found[each].task_id for each in required} == {each.task_id for each in task.requires()}
    assert task.spec().parameters["features"] == "cellprofiler,deepprofiler"
    assert ("compare_features", "cellprofiler") not in tasks_of()


def test_targets_come_from_the_first_table_that_is_there(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    before = [task.path().name for task in Matching(batch_id=BATCH, plate=PLATE).annotations()]
    lay_table(
        layout.external_metadata("JUMP_metadata_targets.tsv"), "\t", ["broad_sample", "target_list"], [["BRD-1", "A"]]
    )
    after = [task.path().name for task in Matching(batch_id=BATCH, plate=PLATE).annotations()]

    assert before == ["JUMP_metadata.tsv"]
    assert after == ["JUMP_metadata_targets.tsv"]


def test_cpjump1s_own_plates_are_known_without_any_table(luigi_cfg: LoadSettings) -> None:
    lay_profiles(luigi_cfg(""), PLATE)
    task = tasks_of(where="Cell_type=U2OS,Time=48,Perturbation=compound")["replicability", U2OS_48]

    assert [required.plate for required in task.requires()] == [PLATE]
    assert task.spec().parameters["missing"] == "BR00117010,BR00117011,BR00117012"


def test_without_a_platemap_the_profiles_own_columns_name_the_targets(laid: Layout) -> None:
    assert Matching(batch_id=BATCH, plate="C1").annotations() == []


@pytest.mark.parametrize("text", ["seed = 1", "permutations = 5", "threshold = 0.1", "behaviour = as_published"])
def test_a_setting_of_the_benchmark_changes_what_is_ranked(text: str, laid: Layout, luigi_cfg: LoadSettings) -> None:
    before = Replicability(batch_id=BATCH, plate="C1").spec().parameters
    luigi_cfg(f"[benchmark]\n{text}\n")

    assert Replicability(batch_id=BATCH, plate="C1").spec().parameters != before


def test_it_shows_the_results_each_time(
    laid: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tasks.results.provenance.write", lambda layout, batch, store: None
    )  # no stage has made anything here
    run = RunBenchmark(batch_id=BATCH, definition="final")
    folder = laid.benchmark(BATCH, "final")
    row = ["replicability", "compound_A549_short", "306", "202", "0.66013", "0.57", "0.663 / 0.660", "yes", ""]
    columns = ["task", "Description", "labels", "retrieved", "fr", "mean_average_precision", "fr_published", "agrees"]
    lay_table(folder / "cellprofiler_comparison.csv", ",", [*columns, "map_published", "note"], [[*row, ""]])
    before = run.complete()
    # As a Luigi worker goes on, once these are complete.
    steps = [[type(part).__name__ for part in parts] for parts in run.run()]
    shown = capsys.readouterr().out

    assert steps == [["Tabulate", "Figures"], ["Report"]]
    assert (before, run.complete()) == (False, True)
    assert "compound_A549_short" in shown
    assert "0.660" in shown
    assert "without profiles, and left out: C2, G2" in shown
    assert str(folder) in shown
    assert f"{BATCH}_report.html" in shown


def test_a_column_that_says_nothing_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["matching", "g", "", "no label has a pair"]]
    lay_table(tmp_path / "x_comparison.csv", ",", ["task", "Description", "fr", "note"], rows)
    benchmark_table.show(tmp_path, "x", "final", [])

    assert "fraction" not in (shown := capsys.readouterr().out)
    assert "no label has a pair" in shown


def test_every_benchmark_stage_is_a_task_of_the_pipeline() -> None:
    ours = {name for name, stage in stages.load().items() if stage.folder == "benchmark"}

    assert ours == {name for name, task in pipeline.stage_tasks().items() if issubclass(task, GroupTask)}


def test_it_starts_from_where_it_is_told_with_the_plates_it_was_told(laid: Layout) -> None:
    run = RunBenchmark(batch_id=BATCH, start_from="images", where="Cell_type=A549", plates=["C1"])
    (first,) = run.requires()

    assert type(first).__name__ == "RunBatch"
    assert (first.batch_id, first.start_from, first.where, tuple(first.plates)) == (
        BATCH, "images", "Cell_type=A549", ("C1",),
    )  # fmt: skip

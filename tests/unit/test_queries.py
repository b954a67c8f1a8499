"""The queries and columns that luigi.cfg names are held against a plate's own tables before it is measured."""

from __future__ import annotations

import luigi
import pytest
from luigi.task import flatten

from tasks.errors import SettingsError
from tasks.workflow import pipeline, queries
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

KINDS = {"normalize": "cellprofiler", "normalize_negcon": "cellprofiler", "spherize_deep": "deepprofiler"}


def test_the_columns_are_those_of_both_tables_and_the_counts(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    known = queries.columns(BATCH, PLATE)

    assert {
        f"Metadata_{name}" for name in ("Well", "broad_sample", "pert_type", "control_type", "Object_Count")
    } < known
    assert "Metadata_well_position" not in known  # profiles have it as Metadata_Well only


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", {"Site_Count", "Object_Count"}),
        ("[profiles]\nbehaviour = as_published\n[aggregate]\ncompartment_counts = true\n", set()),
        (
            "[aggregate]\ncompartment_counts = true\n",
            {"Site_Count", "Object_Count", "Count_Cells", "Count_Cytoplasm", "Count_Nuclei"},
        ),
    ],
    ids=["usual", "as published", "of each compartment"],
)
def test_the_counts_are_those_that_wells_will_have(text: str, counts: set[str], luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(text))

    assert {name for name in queries.columns(BATCH, PLATE) if "Count" in name} == {
        f"Metadata_{each}" for each in counts
    }


@pytest.mark.parametrize(("section", "features"), KINDS.items())
@pytest.mark.parametrize("start_from", ["laid", "images", "backend"])
def test_a_query_of_a_column_that_there_will_not_be_ends_the_run_first(
    section: str, features: str, start_from: str, luigi_cfg: LoadSettings
) -> None:
    lay_plate(luigi_cfg(f"[{section}]\nsamples = Metadata_contol_type == 'negcon'\n"))
    batch = pipeline.RunBatch(batch_id=BATCH, start_from=start_from, features=features)
    plate = pipeline.RunPlate(batch_id=BATCH, plate=PLATE, start_from=start_from, features=features)
    expected = (
        rf"^luigi.cfg \[{section}\] samples = .*no column Metadata_contol_type.*did you mean Metadata_control_type"
    )

    for ask in (batch.parts, plate.requires):
        with pytest.raises(SettingsError, match=expected):
            ask()


def test_a_query_of_columns_that_there_will_be_is_taken(luigi_cfg: LoadSettings) -> None:
    lay_plate(
        luigi_cfg("[normalize]\nsamples = Metadata_pert_type == 'trt' and Metadata_Object_Count.astype('float') > 5\n")
    )

    assert flatten(pipeline.RunPlate(batch_id=BATCH, plate=PLATE).requires())


def test_a_query_waits_for_tables_that_are_fetched_first(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[normalize]\nsamples = Metadata_nowhere == ''\n")

    assert queries.columns(BATCH, PLATE) == set()
    assert flatten(pipeline.RunPlate(batch_id=BATCH, plate=PLATE, start_from="images").requires())


BY_NAME = {
    ("normalize", "samples"): pipeline.Normalize,
    ("normalize_negcon", "samples"): pipeline.SelectFeaturesNegcon,
    ("spherize", "samples"): pipeline.Spherize,
    ("spherize_deep", "samples"): pipeline.SpherizeDeep,
    ("consensus", "replicates"): pipeline.Consensus,
}


@pytest.mark.parametrize(("section", "key"), BY_NAME)
def test_a_stage_that_is_asked_for_by_name_is_refused_likewise(section: str, key: str, luigi_cfg: LoadSettings) -> None:
    wrong = "Metadata_broad_sample,Metadata_doze" if key == "replicates" else "Metadata_doze == '1'"
    lay_plate(luigi_cfg(f"[{section}]\n{key} = {wrong}\n"))
    of = BY_NAME[section, key]
    task = of(batch_id=BATCH, **({"plate": PLATE} if "plate" in of.get_param_names() else {}))

    with pytest.raises(SettingsError, match=rf"^luigi.cfg \[{section}\] {key} = .*no column Metadata_doze"):
        every_task_below(task)


@pytest.mark.parametrize("of", dict.fromkeys(BY_NAME.values()))
def test_a_stage_whose_settings_name_what_there_will_be_is_taken(of: type, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[consensus]\nreplicates = Metadata_broad_sample,Metadata_pert_type\n"))
    task = of(batch_id=BATCH, **({"plate": PLATE} if "plate" in of.get_param_names() else {}))

    assert every_task_below(task)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("same_by", "Metadata_broad_sample,Metadata_doze"),
        ("different_by", "Metadata_doze"),
        ("negatives", "Metadata_doze == '1'"),
        ("negatives_same_by", "Metadata_doze"),
    ],
)
def test_a_benchmark_that_begins_at_images_is_refused_before_a_plate_is_measured(
    key: str, text: str, luigi_cfg: LoadSettings
) -> None:
    lay_plate(luigi_cfg(f"[replicability]\n{key} = {text}\n"))
    run = pipeline.RunBenchmark(batch_id=BATCH, start_from="images")

    with pytest.raises(SettingsError, match=rf"^luigi.cfg \[replicability\] {key} = .*no column Metadata_doze"):
        run.requires()


def test_a_benchmark_waits_for_tables_that_are_fetched_first(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[replicability]\nsame_by = Metadata_nowhere\n")

    assert pipeline.RunBenchmark(batch_id=BATCH, start_from="images").requires()


def test_columns_of_a_persons_own_well_averages_may_be_named(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[normalize]\nsamples = Metadata_own == '1'\n"))

    assert pipeline.Normalize(batch_id=BATCH, plate=PLATE, start_from="profiles").requires()


def every_task_below(task: luigi.Task) -> list[luigi.Task]:
    found = [task]
    for each in found:
        found += [one for one in flatten(each.requires()) if one not in found]
    return found

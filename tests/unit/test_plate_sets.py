"""A stage that is run jointly on a set of plates: its name, its files in every plate's folder, and whose they are."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from luigi.task import flatten
from stagekit import contracts

from tasks.dataset.layout import Layout
from tasks.errors import BadNameError, PublishError
from tasks.results import manifest
from tasks.results.fingerprint import Artifact
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines import engines
from tasks.workflow import pipeline
from tasks.workflow.pipeline import RunBatch, SelectFeaturesBatch
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, FakeEngine, lay_plate, lay_table, make_manifest, make_run, make_stage, write_result

PLATES = ["P1", "P2", "P3", "P4", "P5"]


class Crash(BaseException):
    """The end of the process, as by SIGKILL."""


def select(*plates: str, name: str = "", replaces: str = "") -> SelectFeaturesBatch:
    task = SelectFeaturesBatch(batch_id=BATCH, plates=plates, plate_set=name, replaces=replaces)
    task.set_progress_percentage = task.set_status_message = lambda said: None  # as a Luigi worker gives them
    return task


def selecting(job: Job, cancelled: threading.Event) -> Outcome:
    """Write for every plate a table whose one feature bears the set's name."""
    files, header = job.folder / "out/files", contracts.ANNOTATED_PROFILES.required
    plate_set = job.flags[job.flags.index("--plate") + 1]
    for path in paths_after(job.flags, "--write_profiles"):
        (files / Path(path).name).write_bytes(gzip.compress(",".join([*header, f"Cells_{plate_set}"]).encode()))
    (excluded,) = paths_after(job.flags, "--write_excluded")
    (files / Path(excluded).name).write_text(",".join(contracts.EXCLUDED.required))
    write_result(job)
    return Outcome(0, 0.0)


def paths_after(flags: Sequence[str], flag: str) -> list[str]:
    words = flags[flags.index(flag) + 1 :]
    return list(words[: next((at for at, word in enumerate(words) if word.startswith("--")), len(words))])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine(selecting)
    monkeypatch.setattr(engines, "choose", lambda wanted, image: engine)
    return engine


@pytest.fixture
def normalized(luigi_cfg: LoadSettings, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Lay a batch of five plates, each with a normalized profile that counts as complete."""
    layout = luigi_cfg("")
    lay_plate(layout, "P1")
    columns = ["Assay_Plate_Barcode", "Plate_Map_Name"]
    lay_table(layout.barcode_platemap(BATCH), ",", columns, [[plate, "JUMP_platemap"] for plate in PLATES])
    for plate in PLATES:
        path = layout.manifest("normalize", BATCH, plate)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = layout.published("profiles", BATCH, plate) / f"{plate}_normalized.csv.gz"
        manifest.write(path, make_manifest({"profiles": made}, layout.root, "normalize", plate=plate))
    monkeypatch.setattr(pipeline.Normalize, "complete", lambda task: True)
    return layout


def result(layout: Layout, plate: str) -> str | None:
    """Return which set's selection lies in a plate's folder."""
    name = f"{plate}_normalized_feature_select_batch.csv.gz"
    path = layout.published("profiles", BATCH, plate) / name
    return gzip.decompress(path.read_bytes()).decode().split("Cells_")[1] if path.exists() else None


def results(layout: Layout) -> list[str | None]:
    return [result(layout, plate) for plate in PLATES]


NAMES = {
    "all plates, none named": ([], BATCH),
    "all plates, named": (PLATES[::-1], BATCH),
    "one plate": (["P2"], "P2"),
    "some plates, in any order": (["P3", "P1"], "P1-P3"),
    "many plates": (["P1", "P2", "P3", "P5"], "P1-and-3-more-97e1ab04"),
}


@pytest.mark.parametrize(("plates", "name"), NAMES.values(), ids=NAMES)
def test_a_set_bears_the_name_of_the_batch_or_of_its_plates(plates: list[str], name: str, normalized: Layout) -> None:
    assert select(*plates).subject == name


def test_sets_of_different_plates_bear_different_names(normalized: Layout) -> None:
    names = {select(*(plate for plate in PLATES if plate != left_out)).subject for left_out in PLATES}

    assert len(names) == len(PLATES)


def test_a_user_names_a_set_but_no_path(normalized: Layout) -> None:
    assert select("P1", name="compounds").subject == "compounds"
    with pytest.raises(BadNameError):
        assert select("P1", name="../x").subject


def test_a_set_requires_every_plate_and_reads_them_in_order(normalized: Layout) -> None:
    task = select("P3", "P1")

    assert [required.plate for required in flatten(task.requires())] == ["P1", "P3"]
    assert [made.path.name for made in task.inputs()["profiles"]] == ["P1_normalized.csv.gz", "P3_normalized.csv.gz"]


def test_files_of_several_plates_that_bear_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    tables = [Artifact(tmp_path / plate / "load_data.csv", "", 1, 1) for plate in ("P1", "P2")]
    job = make_run(tmp_path, make_stage(inputs=("load_data",)), load_data=tables).jobs()[0]

    assert paths_after(job.flags, "--load_data") == ["/in/load_data/1/load_data.csv", "/in/load_data/2/load_data.csv"]
    assert [mount.target for mount in job.inputs] == paths_after(job.flags, "--load_data")


def test_a_joint_result_lies_in_every_plates_folder_and_its_table_beside_them(normalized: Layout) -> None:
    task = select("P1", "P2", name="pair")
    task.run()
    record = manifest.read(task.manifest_path())

    assert results(normalized) == ["pair", "pair", None, None, None]
    assert (normalized.published("profiles", BATCH, "P1").parent / "pair_excluded_features_batch.csv").is_file()
    assert record is not None
    assert (record.plate, record.members) == ("pair", ("P1", "P2"))
    assert set(record.outputs) == {"profiles/P1", "profiles/P2", "excluded"}
    assert task.complete()


def test_the_same_set_is_complete_however_it_is_named(normalized: Layout) -> None:
    select(*PLATES).run()

    assert select().complete()
    assert not select("P1", "P2").complete()


def test_a_removed_file_of_one_plate_makes_the_set_incomplete(normalized: Layout) -> None:
    select("P1", "P2").run()
    (normalized.published("profiles", BATCH, "P2") / "P2_normalized_feature_select_batch.csv.gz").unlink()

    assert not select("P1", "P2").complete()


def test_another_sets_result_is_not_overwritten_unasked(normalized: Layout, engine: FakeEngine) -> None:
    select("P1", "P2", name="one").run()
    with pytest.raises(PublishError, match=r"P2_normalized\S+ was made .* set 'one', .* --replaces one") as refused:
        select("P2", "P3", name="two").run()

    assert len(engine.ran) == 1  # refused before any work
    assert "leave out its plates" in str(refused.value)
    assert results(normalized) == ["one", "one", None, None, None]
    assert select("P1", "P2", name="one").complete()


def test_a_batch_that_would_overwrite_is_refused_before_any_plate_is_run(normalized: Layout) -> None:
    select("P1").run()
    with pytest.raises(PublishError, match="--replaces P1"):
        RunBatch(batch_id=BATCH).requires()

    assert len(RunBatch(batch_id=BATCH, replaces="P1").requires()) == len(PLATES) + len(RunBatch.jointly)


def test_a_set_that_was_overwritten_as_asked_is_not_complete_and_keeps_its_other_plates(normalized: Layout) -> None:
    select("P1", "P2", name="one").run()
    select("P2", "P3", name="two", replaces="x,one").run()

    assert results(normalized) == ["one", "two", "two", None, None]
    assert select("P2", "P3", name="two").complete()
    assert not select("P1", "P2", name="one").complete()
    with pytest.raises(PublishError, match="--replaces two"):
        select("P1", "P2", name="one").run()

    select("P1", "P2", name="one", replaces="two").run()

    assert results(normalized) == ["one", "one", "two", None, None]


def test_a_file_that_was_moved_away_is_free_for_another_set(normalized: Layout) -> None:
    select("P1", name="one").run()
    (normalized.published("profiles", BATCH, "P1") / "P1_normalized_feature_select_batch.csv.gz").unlink()
    select("P1", name="two").run()

    assert result(normalized, "P1") == "two"
    assert not select("P1", name="one").complete()


def test_a_users_own_file_is_never_overwritten(normalized: Layout) -> None:
    select("P1", name="one").run()
    mine = normalized.published("profiles", BATCH, "P2") / "P2_normalized_feature_select_batch.csv.gz"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(PublishError, match="was not made by this toolkit"):
        select("P1", "P2", name="one", replaces="one").run()

    assert mine.read_text() == "mine"


def test_a_set_that_loses_a_plate_leaves_nothing_of_it_there(normalized: Layout) -> None:
    select("P1", "P2", name="one").run()
    select("P1", name="one").run()

    assert results(normalized) == ["one", None, None, None, None]
    assert select("P1", name="one").complete()


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("again", ["same", "changed"])
def test_a_crash_while_one_set_takes_over_anothers_file_can_be_mended(
    number: int, again: str, normalized: Layout, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    select("P1", "P2", name="one").run()
    calls, real = iter(range(1, 100)), os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).name != "result.json" and next(calls) == number + 3:  # three files are brought together first
            raise Crash
        real(source, target)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", replace)
        with pytest.raises(Crash):
            select("P2", "P3", name="two", replaces="one").run()
    one, two = select("P1", "P2", name="one"), select("P2", "P3", name="two")

    assert not (one.complete() and result(normalized, "P2") != "one")
    assert not two.complete()

    if again == "changed":
        luigi_cfg("[select_features]\noperations = blocklist\n")
    select("P2", "P3", name="two", replaces="one").run()

    assert results(normalized) == ["one", "two", "two", None, None]
    assert select("P2", "P3", name="two").complete()
    assert not select("P1", "P2", name="one").complete()

"""[measure] labels puts one task before measure, and changes no fingerprint where it is not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import MissingInputError, NoCellsError, SettingsError
from tasks.execution.collect import RunSummary
from tasks.workflow import expectation, segmentation
from tasks.workflow.image_analysis import ImportMasks, Measure, SampleMeasure
from tasks.workflow.masks import LabelFolder
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, build, lay_plate, make_run, make_stage

WHICH = {"batch_id": BATCH, "plate": PLATE}


@pytest.mark.parametrize("kind", [Measure, SampleMeasure])
def test_label_images_are_taken_over_before_anything_is_measured(
    kind: type[Measure], luigi_cfg: LoadSettings, tmp_path: Path
) -> None:
    luigi_cfg(f"[measure]\nlabels = {tmp_path}\n")

    assert [task for task in kind(**WHICH).requires() if isinstance(task, ImportMasks)] == [ImportMasks(**WHICH)]


def test_without_label_images_nothing_of_them_is_in_the_fingerprint(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    task = Measure(**WHICH)

    assert not [each for each in task.requires() if isinstance(each, ImportMasks)]
    assert "masks" not in task.inputs()
    assert not {"labels", "unpaired", "masks"} & set(task.spec().parameters)


def test_a_folder_may_be_of_each_plate(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    luigi_cfg(f"[measure]\nlabels = {tmp_path}/{{plate}}\n")
    with pytest.raises(MissingInputError, match=f"there is no folder {tmp_path}/{PLATE}; lay the label images"):
        LabelFolder(**WHICH).path()
    (tmp_path / PLATE).mkdir()

    assert LabelFolder(**WHICH).path() == tmp_path / PLATE


def test_what_is_asked_for_by_name_without_a_folder_is_refused(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    with pytest.raises(SettingsError, match=r"\[measure\] labels"):
        ImportMasks(**WHICH).run()

    assert not build(ImportMasks(**WHICH))


def test_a_plate_of_empty_label_images_is_refused(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    luigi_cfg(f"[measure]\nlabels = {tmp_path}\n")
    run = make_run(tmp_path, make_stage("site"), units=("A01-1", "A01-2"))
    with pytest.raises(NoCellsError, match="of all 2 sites are empty"):
        ImportMasks(**WHICH).judge(run, RunSummary({}, (), {"nuclei": 0}))

    assert ImportMasks(**WHICH).judge(run, RunSummary({}, (), {"nuclei": 3})).facts == {"nuclei": 3}


def test_doubts_about_label_images_point_at_these_and_not_at_settings_that_have_no_effect() -> None:
    site = {"nuclei": 9, "median": 4.0, "touching": 0.9, "solidity": 0.97, "form": 0.9, "eccentricity": 0.6,
            "covered_nuclei": 0.1, "covered_cells": 0.4, "threshold_nuclei": None}  # fmt: skip
    told = {**segmentation.plain(), "nucleus_diameter": expectation.ANY_SIZE}
    (doubt,) = map(expectation.of_masks, expectation.doubts([site], expectation.Expected(told, None)))

    assert "90% of the nuclei touch another one" in doubt
    assert "[measure] labels" in doubt
    assert "declump" not in doubt

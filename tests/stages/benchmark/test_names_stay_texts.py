"""Names that read as numbers, or as nothing, stay names in what the benchmark reads and joins."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tables
import wells
from stagekit import contracts

NAMES = ["00042", "1E5", "3.10", "2023_05_12", "nan", "NA", "None", "True", "-5"]


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """Write a well a name, with a feature that is missing in the first."""
    header = ["Metadata_Plate", "Metadata_Well", "Metadata_broad_sample", "Metadata_control_type", "Cells_Area"]
    rows = [["00042", f"A{at:02d}", name, "", "" if at == 1 else at / 2] for at, name in enumerate(NAMES, start=1)]
    path = tmp_path / "00042.csv"
    with open(path, "w", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return path


def test_a_name_in_profiles_is_the_text_that_stands_there(profiles: Path):
    read = wells.read([profiles], contracts.SCALED_PROFILES)

    assert list(read["Metadata_broad_sample"]) == NAMES
    assert set(read["Metadata_Plate"]) == {"00042"}
    assert set(read["Metadata_control_type"]) == {""}


def test_a_feature_is_a_number_or_missing(profiles: Path):
    values = wells.read([profiles], contracts.SCALED_PROFILES)["Cells_Area"].to_numpy()

    assert np.isnan(values[0])
    assert list(values[1:]) == [at / 2 for at in range(2, len(NAMES) + 1)]


def test_a_label_in_the_results_is_the_text_that_stands_there_and_a_score_is_a_number(tmp_path: Path):
    path = tmp_path / "g_replicability_ap.csv"
    with open(path, "w", newline="") as out:
        csv.writer(out).writerows(
            [
                ["Description", "label", "Metadata_Plate", "average_precision"],
                *([name, name, name, 0.5] for name in NAMES[:3]),
            ]
        )
    joined = tables.join([path])

    assert joined[["Description", "label", "Metadata_Plate"]].to_numpy().tolist() == [[name] * 3 for name in NAMES[:3]]
    assert joined["average_precision"].sum() == 1.5

"""The pages of a set of plates: the map, neighbours against slow counts, faults with what to do, and words."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stages.explorer.conftest import Outcome, Program, Shown
from tests.stages.explorer.marked_plate import FEATURES, write

KINDS = {"f32": "<f4", "u16": "<u2", "u32": "<u4"}
NONE = 2**32 - 1
WRITTEN = {
    "write_index": "index.html",
    "write_script": "explorer.js",
    "write_style": "explorer.css",
    "write_batch": "batch.js",
    "write_map": "map.js",
    "write_explained": "features.js",
}


def numbers(told: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(told["base64"]), KINDS[told["type"]])


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two profiles by the definition."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


@pytest.fixture
def two_plates(tmp_path: Path, shown: Shown, without_pictures: Shown, program: Program) -> Callable[..., Outcome]:
    """Return a function that makes the pages of two plates: one with pictures, one without."""
    plates = [shown[0], without_pictures[0]]
    pages = [done.folder / f"{plate.name}_plate.js" for plate, done in (shown, without_pictures)]
    summary = tmp_path / "summary.tsv"
    summary.write_text("Plate_Name\tFaults\nP2\tedge effect: wells at the edge have 30% fewer cells; odd\nP1\t\n")

    def run(**flags: Any) -> Outcome:
        profiles = [each.folder / f"{each.name}_normalized_feature_select_negcon_plate.csv.gz" for each in plates]
        given = {
            "batch": "B<1>",
            "page": pages,
            "profiles": profiles,
            "summary": [summary],
            "neighbours": 3,
            "plates_folder": "../../plates",
        }
        return program("explore", "B", **{**given, "report": "../../report/B/B_report.html", **WRITTEN, **flags})

    return run


def test_the_map_has_every_well_and_its_nearest_are_those_of_a_slow_count(tmp_path: Path, two_plates: Any) -> None:
    draw = np.random.default_rng(0)
    profiles, rows = [], []
    for plate in ("P1", "P2"):
        own = [
            {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_broad_sample": f"BRD-{well}"}
            | {"Metadata_control_type": ""}
            | {f"Cells_AreaShape_{at}": value for at, value in enumerate(draw.normal(size=9))}
            for well in ("A01", "A02", "B01")
        ]
        rows += own
        profiles.append(tmp_path / f"{plate}_selected.csv.gz")
        write(profiles[-1], own)
    done = two_plates(profiles=profiles)
    told = done.script("map.js")
    values = [[row[f"Cells_AreaShape_{at}"] for at in range(9)] for row in rows]
    similar = numbers(told["nearest"]["similarity"]).reshape(-1, 3)
    points = numbers(told["nearest"]["point"]).reshape(-1, 3)

    assert done.code == 0, done.stderr
    assert list(zip(numbers(told["plate"]).tolist(), told["well"], strict=True)) == [
        (plate, well) for plate in (0, 1) for well in ("A01", "A02", "B01")
    ]
    for at, own in enumerate(values):
        slow = sorted(((cosine(own, other), -to) for to, other in enumerate(values) if to != at), reverse=True)[:3]
        assert [-to for _, to in slow] == points[at].tolist()
        assert [value for value, _ in slow] == pytest.approx(similar[at].tolist(), abs=1e-5)
    assert np.isfinite(numbers(told["x"])).all() and np.ptp(numbers(told["x"])) > 0


def test_perturbations_are_compared_by_the_mean_direction_of_their_wells(tmp_path: Path, two_plates: Any) -> None:
    values = {"P1": [(1, 0), (0, 2), (3, 3)], "P2": [(0, 5), (0, 1), (1, 2)]}
    samples = {"P1": ["X", "Y", "Z"], "P2": ["X", "Y", "Z"]}
    profiles = []
    for plate in values:
        own = [
            {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_broad_sample": sample}
            | {"Metadata_control_type": "", "Cells_AreaShape_Area": float(value[0]), "Cells_AreaShape_Extent": value[1]}
            for well, sample, value in zip(("A01", "A02", "B01"), samples[plate], values[plate], strict=True)
        ]
        profiles.append(tmp_path / f"{plate}_selected.csv.gz")
        write(profiles[-1], own)
    told = two_plates(profiles=profiles).script("map.js")["perturbation"]
    similar = numbers(told["nearest"]["similarity"]).reshape(-1, 3)

    assert told["names"] == ["X", "Y", "Z"]
    # Each well counts by its direction: X is (1, 0) + (0, 1), Y is (0, 1).
    one = np.array([1, 1]) / math.sqrt(2)
    last = one + np.array([1, 2]) / math.sqrt(5)
    assert numbers(told["nearest"]["point"]).reshape(-1, 3).tolist() == [[2, 1, NONE], [2, 0, NONE], [0, 1, NONE]]
    assert similar[0] == pytest.approx([cosine(one, last), math.sqrt(0.5), 0], abs=1e-6)


def test_plates_tell_their_faults_and_what_to_do(two_plates: Any) -> None:
    batch = two_plates().script("batch.js")
    first, second = batch["plates"]

    assert first["flags"] == [{"what": "the cells look strange", "well": None, "do": "Look closer"}]
    assert [flag["what"] for flag in second["flags"]] == ["edge effect: wells at the edge have 30% fewer cells", "odd"]
    assert "replicates" in second["flags"][0]["do"]
    assert (first["rows"], first["columns"], first["wells"], first["sites"]) == (2, 3, 3, 6)
    assert second["sites"] == 0
    assert second["folder"] == "../../plates/P2"  # as of a set that is not the whole batch
    assert "Object_Count" not in batch["metadata"] and batch["quality"][0] == "cells"
    assert batch["channels"][0] == {"name": "DNA", "color": "#4477ff"}
    assert batch["map"]["points"] == 6


def test_the_page_is_copied_whole_and_names_the_batch_as_text(two_plates: Any) -> None:
    done = two_plates()
    page = Path(__file__).parents[3] / "containers" / "explorer" / "page"

    for name in ("explorer.js", "explorer.css"):
        assert (done.folder / name).read_bytes() == (page / name).read_bytes()
    index = (done.folder / "index.html").read_text()
    assert "explorer.js" in index and "{{" not in index and "B<1>" not in index


def test_every_feature_of_every_plate_is_explained(two_plates: Any) -> None:
    told = two_plates().script("features.js")

    assert {*FEATURES} <= {*told}
    assert told["Cytoplasm_Intensity_MeanIntensity_ER"] == {
        "compartment": "Cytoplasm",
        "family": "Intensity",
        "channel": "ER",
        "channels": ["ER"],
        "unit": "part of the camera's range",
        "sentence": "The mean brightness of ER in the cytoplasm.",
    }


def test_profiles_that_share_no_feature_give_no_map_and_a_warning(tmp_path: Path, two_plates: Any) -> None:
    profiles = []
    for plate in ("P1", "P2"):
        profiles.append(tmp_path / f"{plate}_selected.csv.gz")
        row = {"Metadata_Plate": plate, "Metadata_Well": "A01", "Metadata_broad_sample": "X"}
        write(profiles[-1], [row | {"Metadata_control_type": "", f"Cells_AreaShape_{plate}": 1.0}])
    done = two_plates(profiles=profiles)

    assert done.code == 0, done.stderr
    assert done.script("batch.js")["map"] is None
    assert "no feature is in the profiles of all plates" in done.warnings[0]


def test_plates_in_another_order_than_their_profiles_are_refused(
    two_plates: Any, shown: Shown, without_pictures: Shown
) -> None:
    plates = [without_pictures[0], shown[0]]
    ends = [each.folder / f"{each.name}_normalized_feature_select_negcon_plate.csv.gz" for each in plates]
    done = two_plates(profiles=ends)

    assert done.code == 65
    assert "of different plates" in done.stderr

"""A bad plate is seen at a glance: its faults in words, and a table of all plates with the resource's columns."""

from __future__ import annotations

import string
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

ROWS, COLUMNS = 16, 24
WELLS = [f"{row}{column:02d}" for row, column in product(string.ascii_uppercase[:ROWS], range(1, COLUMNS + 1))]
FIRST = ["Batch_Name", "Plate_Name", "Well_Count", "Images_per_site", "Sites_per_well_Median", "Sites_per_well_mad"]


def draw(plate: str, seed: int) -> pd.DataFrame:
    """Return the normalized profiles of a good plate: 192 perturbations in two wells each, far from each other."""
    rng = np.random.default_rng(seed)
    samples = [f"B{at % 192}" for at in range(ROWS * COLUMNS)]
    table = pd.DataFrame({"Metadata_broad_sample": samples, "Metadata_Plate": plate, "Metadata_Well": WELLS})
    table["Metadata_Object_Count"] = rng.poisson(900, len(WELLS))
    table["Metadata_control_type"] = ""
    effects = np.random.default_rng(1).normal(size=(192, 40))
    values = effects[[int(sample[1:]) for sample in samples]] + rng.normal(0, 1, (len(WELLS), 40))
    return table.join(pd.DataFrame(values, columns=[f"Cells_T_{at:02d}" for at in range(40)]))


def images_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the list of a plate's images: two channels, three sites a well, one site lost."""
    plate = table["Metadata_Plate"].iloc[0]
    rows = [(plate, well, str(site), "x.tiff", "y.tiff") for well in WELLS for site in (1, 2, 3)]
    names = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "FileName_OrigDNA", "FileName_OrigER"]
    return pd.DataFrame(rows[1:], columns=names)


@pytest.fixture
def check(stage, save, tmp_path):
    def run(*tables: pd.DataFrame, suspicious: str = "{}"):
        paths = [save(table, f"plate{number}.csv.gz") for number, table in enumerate(tables)]
        images = [save(images_of(table), f"load_data{number}.csv") for number, table in enumerate(tables)]
        return stage(
            "quality_control",
            plate="set",
            profiles=paths,
            load_data=images,
            batch="2020_11_04_CPJUMP1",
            low_count=0.25,
            edge_effect=0.2,
            suspicious=suspicious,
            write_summary=tmp_path / "summary.tsv",
            write_pictures=[tmp_path / f"quality{number}.png" for number in range(len(tables))],
        )

    return run


@pytest.fixture
def summary(tmp_path):
    return lambda: pd.read_csv(tmp_path / "summary.tsv", sep="\t", keep_default_na=False, dtype=str)


def change(table: pd.DataFrame, wells: list[str], factor: float) -> pd.DataFrame:
    """Multiply the number of cells of some wells."""
    bad = table.copy()
    chosen = bad["Metadata_Well"].isin(wells)
    bad.loc[chosen, "Metadata_Object_Count"] = (bad.loc[chosen, "Metadata_Object_Count"] * factor).astype(int)
    return bad


EDGE = [well for well in WELLS if well[0] in "AP" or well[1:] in ("01", "24")]
FAULTS = {
    "good": (lambda table: table, ""),
    "few cells in a column": (
        lambda table: change(table, [well for well in WELLS if well[1:] == "07"], 0.1),
        "dead column 07: its wells have less than 25% of the median count",
    ),
    "few cells in a row": (
        lambda table: change(table, [well for well in WELLS if well[0] == "C"], 0),
        "dead row C: its wells have less than 25% of the median count",
    ),
    "few cells in two wells": (
        lambda table: change(table, ["D05", "K11"], 0.2),
        "low count: 2 wells have less than 25% of the median count (D05, K11)",
    ),
    "fewer at the edge": (lambda table: change(table, EDGE, 0.7), "edge effect: wells at the edge have 30% fewer"),
    "more at the edge": (lambda table: change(table, EDGE, 1.5), "edge effect: wells at the edge have 50% more"),
    "missing wells": (
        lambda table: table.drop(index=[30, 31]),
        "missing wells: 2 were imaged and have no profile (B07, B08)",
    ),
    "not counted": (lambda table: table.drop(columns="Metadata_Object_Count"), "cells were not counted"),
}


def test_each_fault_is_named_on_its_own_plate_only(check, summary):
    outcome = check(*(spoil(draw(f"P{seed}", seed)) for seed, (spoil, _) in enumerate(FAULTS.values())))
    faults = summary().set_index("Plate_Name")["Faults"].to_dict()

    assert outcome.code == 0, outcome.stderr
    for seed, (_, words) in enumerate(FAULTS.values()):
        found = faults[f"P{seed}"]
        assert found.startswith(words) if words else found == ""
        assert ";" not in found
    assert len(outcome.warnings) == len(FAULTS) - 1


def test_the_table_has_the_resources_columns_first(check, summary, real_data):
    check(draw("P1", 1), draw("P2", 2).iloc[:300])
    table = summary()
    published = pd.read_csv(real_data / "metadata/quality_control_summary.tsv", sep="\t", nrows=0)

    assert list(table)[:6] == list(published) == FIRST
    expected = ["2020_11_04_CPJUMP1", "P1", "384", "2", "3", f"{2 * (1 - 1 / 384) / 384:.3f}"]
    assert table.loc[0, FIRST].tolist() == expected
    assert table["Profile_Count"].tolist() == ["384", "300"]


def test_correlations_are_what_a_person_would_compute(check, summary, tmp_path):
    plates = [draw("P1", 1), draw("P2", 2)]
    check(*plates)
    joined = pd.concat(plates, ignore_index=True)
    r = np.corrcoef(joined.filter(regex="^Cells_").to_numpy())
    sample = joined["Metadata_broad_sample"].to_numpy()
    replicates = [np.mean([r[a, b] for b in range(768) if b != a and sample[a] == sample[b]]) for a in range(384)]
    beside = []
    for a, well in enumerate(WELLS):
        row, column = WELLS.index(well) // COLUMNS, WELLS.index(well) % COLUMNS
        places = [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
        there = [x * COLUMNS + y for x, y in places if 0 <= x < ROWS and 0 <= y < COLUMNS]
        beside.append(np.mean([r[a, b] for b in there]))

    first = summary().iloc[0]
    assert float(first["Replicate_correlation_Median"]) == pytest.approx(np.median(replicates), abs=6e-4)
    assert float(first["Neighbour_correlation_Median"]) == pytest.approx(np.median(beside), abs=6e-4)
    assert np.median(replicates) > 0.3 > abs(np.median(beside))


def test_every_plate_has_a_picture_and_a_dead_column_is_seen_in_it(check, tmp_path):
    dead = change(draw("P2", 1), [well for well in WELLS if well[1:] == "07"], 0)
    check(draw("P1", 1), dead)
    pictures = [np.asarray(Image.open(tmp_path / f"quality{number}.png").convert("RGB")) for number in (0, 1)]
    violet = [int((np.abs(picture - np.array([68, 1, 84])).sum(axis=2) < 6).sum()) for picture in pictures]

    assert min(pictures[0].shape[:2]) > 300
    assert pictures[0].std() > 20
    assert violet[1] > violet[0] + 1000  # viridis at 0 cells


def test_the_same_plate_gives_the_same_bytes(check, tmp_path):
    check(draw("P1", 1))
    first = (tmp_path / "quality0.png").read_bytes()
    check(draw("P1", 1))

    assert (tmp_path / "quality0.png").read_bytes() == first


def test_a_feature_with_a_gap_that_replicates_are_compared_without_is_named(check):
    plate = draw("P1", 1)
    plate.loc[3, "Cells_T_05"] = np.nan
    outcome = check(plate)

    assert outcome.code == 0, outcome.stderr
    assert any("Cells_T_05" in warning for warning in outcome.warnings)


def test_a_plate_that_is_given_twice_is_refused(check):
    outcome = check(draw("P1", 1), draw("P1", 2))

    assert outcome.code == 65
    assert "several files of plate P1" in outcome.stderr


def test_tables_of_different_plates_are_refused(stage, save, tmp_path):
    outcome = stage(
        "quality_control",
        plate="set",
        profiles=save(draw("P1", 1), "plate.csv.gz"),
        load_data=save(images_of(draw("P2", 1)), "load_data.csv"),
        batch="b",
        low_count=0.25,
        edge_effect=0.2,
        suspicious="{}",
        write_summary=tmp_path / "summary.tsv",
        write_pictures=tmp_path / "quality.png",
    )

    assert outcome.code == 65
    assert "of different plates: P1, P2" in outcome.stderr


def test_what_is_suspicious_of_the_cells_of_a_plate_is_among_its_faults(check, summary):
    outcome = check(draw("P1", 1), draw("P2", 2), suspicious='{"P2": ["suspicious cells: nuclei are 8 px wide"]}')
    faults = summary().set_index("Plate_Name")["Faults"].to_dict()

    assert outcome.code == 0, outcome.stderr
    assert "suspicious cells: nuclei are 8 px wide" in faults["P2"]
    assert "suspicious" not in faults["P1"]

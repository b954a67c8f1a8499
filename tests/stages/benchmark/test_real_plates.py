"""The four real plates (compound, U2OS, 48 h) give the published numbers, and all average precisions of 2022."""

from __future__ import annotations

import tomllib

import numpy as np
import pandas as pd
import pytest

from tests.stages.benchmark.conftest import ROOT

BATCH = "2020_11_04_CPJUMP1"
PLATES = ("BR00117010", "BR00117011", "BR00117012", "BR00117013")
GROUP = "compound_U2OS_long"
PUBLISHED = tomllib.loads((ROOT / "data/cpjump1/published_benchmark.toml").read_text())


@pytest.fixture
def replicability(ranked, real_data):
    """Return a function that ranks the replicates of the four plates by a definition."""
    suffix = "_normalized_feature_select_negcon_batch.csv.gz"
    profiles = [real_data / "profiles" / BATCH / plate / f"{plate}{suffix}" for plate in PLATES]
    return lambda **how: ranked("replicability", profiles=profiles, **how)


@pytest.fixture
def both(ranked, real_data, replicability):
    """Return a function that runs replicability, then matching, by a definition."""
    targets = real_data / "metadata/external_metadata/JUMP-Target-1_compound_metadata_additional_annotations.tsv"

    def run(**how):
        first = replicability(**how)
        consensus = [first.folder / "g_consensus.csv.gz"]
        return {
            "replicability": first,
            "matching": ranked("matching", consensus=consensus, annotations=[targets], **how),
        }

    return run


def published_ap(real_data, task: str) -> pd.Series:
    table = pd.read_csv(real_data / f"benchmark/cellprofiler_{task}_ap.csv")
    return table[(table["Modality"] == "compound") & (table["Cell"] == "U2OS") & (table["time"] == "long")]["ap"]


def test_the_2022_definition_gives_every_published_average_precision(both, real_data):
    runs = both(definition="2022", behaviour="as_published")
    for task, labels in (("replicability", 306), ("matching", 421)):
        expected = published_ap(real_data, task)
        found = runs[task].table("map")["mean_average_precision"]

        assert len(found) == len(expected) == labels
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        assert round(found.mean(), 3) == PUBLISHED[task][GROUP]["map"]


def test_with_each_querys_own_baseline_the_2022_numbers_move_a_little(replicability):
    corrected, published = (replicability(definition="2022", behaviour=name) for name in ("corrected", "as_published"))
    moved = corrected.table("map")["mean_average_precision"] - published.table("map")["mean_average_precision"]

    assert 0 < moved.abs().max() < 0.02


def test_the_final_definition_retrieves_the_published_fraction_within_two_labels(both):
    runs = both(permutations=100_000)
    for task, run in runs.items():
        published = PUBLISHED[task][GROUP]
        found = run.table("fr").iloc[0]
        nearest = min(abs(found["retrieved"] - fraction * published["labels"]) for fraction in published["fr"])

        assert nearest <= 2
        assert min(abs(found["fr"] - fraction) for fraction in published["fr"]) * found["labels"] <= 2
        assert found["undecided"] <= 5
    assert runs["replicability"].table("fr")["labels"].iloc[0] == 306
    assert abs(runs["matching"].table("fr")["labels"].iloc[0] - 280) <= 5


def test_copairs_ranks_as_we_do_and_tests_otherwise(replicability):
    ours, theirs = (replicability(definition=name, permutations=1000) for name in ("final", "copairs"))

    assert ours.table("fr")["mean_average_precision"].iloc[0] == pytest.approx(
        theirs.table("fr")["mean_average_precision"].iloc[0], abs=1e-6
    )
    assert theirs.table("fr")["retrieved"].iloc[0] != ours.table("fr")["retrieved"].iloc[0]


def test_the_published_numbers_are_typed_as_they_were_published(real_data):
    table = pd.read_csv(real_data / "benchmark/published_fraction_retrieved.csv")
    table["task"] = table["task"].replace("gene_compound", "gene_compound_matching")
    expected = {
        (row.task, row.description): {"labels": row.n_points_runA, "fr": [row.fr_runA, row.fr_runB]}
        for row in table.itertuples()
    }
    means = {
        task: pd.read_csv(real_data / f"benchmark/cellprofiler_{task}_map.csv")["mAP"].sort_values().tolist()
        for task in ("replicability", "matching", "gene_compound_matching")
    }
    groups = {task: PUBLISHED[task] for task in means}
    typed = {(task, name): group for task, found in groups.items() for name, group in found.items()}

    assert {key: {"labels": group["labels"], "fr": group["fr"]} for key, group in typed.items()} == expected
    assert {task: sorted(group["map"] for group in found.values()) for task, found in groups.items()} == means

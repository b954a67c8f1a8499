"""A plate of 1536 wells, A01 to AF48, goes through every stage on profiles, and is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from stagekit import wells

from tests.stages.pycytominer.conftest import PLATE as SITES_PLATE
from tests.stages.pycytominer.conftest import write_site

PLATE = "P1536"
WELLS = [f"{wells.row_letters(row)}{column:02d}" for row in range(32) for column in range(1, 49)]
NEGCON = "Metadata_control_type == 'negcon'"
SOME = ["A01", "Z48", "AA01", "AB02", "AF48"]


@pytest.fixture
def counted() -> pd.DataFrame:
    """Return a plate's averages; row AB and well AF48 have hardly a cell."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"Metadata_Plate": PLATE, "Metadata_Well": WELLS, "Metadata_Site_Count": 1})
    cells = rng.poisson(300, len(WELLS))
    cells[[well.startswith("AB") or well == "AF48" for well in WELLS]] = 10
    table["Metadata_Object_Count"] = cells
    features = [f"Cells_Texture_{at:02d}" for at in range(12)]
    return table.join(pd.DataFrame(rng.normal(size=(len(WELLS), len(features))), columns=features))


def test_the_profiles_of_1536_wells_are_annotated_scaled_selected_and_judged(
    stage, save, load, counted, tmp_path: Path
) -> None:
    platemap = pd.DataFrame({"well_position": WELLS, "broad_sample": [f"B{at % 64}" for at in range(len(WELLS))]})
    metadata = pd.DataFrame({"broad_sample": sorted({*platemap["broad_sample"]})})
    metadata["pert_type"], metadata["control_type"] = "trt", ["negcon", *[""] * (len(metadata) - 1)]
    images = counted[["Metadata_Plate", "Metadata_Well"]].assign(Metadata_Site="1", FileName_OrigDNA="x.tiff")
    made = {name: tmp_path / f"{name}.csv.gz" for name in ("annotated", "scaled", "selected")}
    done = [
        stage("annotate", plate=PLATE, profiles=save(counted, "averages.csv.gz"), behaviour="corrected",
            platemap=save(platemap, "map.txt"), external_metadata=save(metadata, "metadata.tsv"),
            write_profiles=made["annotated"]),
        stage("normalize", plate=PLATE, profiles=made["annotated"], method="mad_robustize", samples=NEGCON,
            least_spread=0, min_negcon_wells=2, on_few_negcon="error", write_profiles=made["scaled"]),
        stage("select_features", plate=PLATE, profiles=[made["scaled"]], operations="variance_threshold,blocklist",
            na_cutoff=0.05, corr_threshold=0.9, freq_cut=0.05, unique_cut=0.1, outlier_cutoff=500, blocklist=[],
            behaviour="corrected", location_features="auto", write_profiles=[made["selected"]],
            write_excluded=tmp_path / "excluded.csv"),
        stage("quality_control", plate="set", profiles=[made["scaled"]], load_data=[save(images, "load_data.csv")],
            batch="B", low_count=0.25, edge_effect=0.2, suspicious="{}",
            write_summary=tmp_path / "summary.tsv", write_pictures=[tmp_path / "plate.png"]),
    ]  # fmt: skip
    summary = pd.read_csv(tmp_path / "summary.tsv", sep="\t").iloc[0]

    assert [each.code for each in done] == [0, 0, 0, 0], [each.stderr for each in done]
    assert [len(load(path)) for path in made.values()] == [1536, 1536, 1536]
    assert set(load(made["selected"])["Metadata_Well"]) == set(WELLS)
    assert (summary["Well_Count"], summary["Profile_Count"]) == (1536, 1536)
    assert "dead row AB:" in summary["Faults"]
    assert "low count: 1 wells" in summary["Faults"]
    assert "(AF48)" in summary["Faults"]
    assert Image.open(tmp_path / "plate.png").size[0] > 1000


@pytest.mark.parametrize("source", ["analysis", "backend", "cells"])
def test_cells_of_rows_beyond_z_are_collated_and_averaged(stage, load, source: str, tmp_path: Path) -> None:
    rng, analysis = np.random.default_rng(0), tmp_path / "analysis"
    for well in SOME:
        write_site(analysis / f"{SITES_PLATE}-{well}-1", well, 1, 5, rng)
    paths = {"analysis": analysis, "backend": tmp_path / "backend.sqlite", "cells": tmp_path / "cells"}
    collated = stage(
        "collate", analysis=analysis, sqlite="true", parquet="true", max_failed_fraction=0,
        write_backend=paths["backend"], write_cells=paths["cells"],
    )  # fmt: skip
    given = {**dict.fromkeys(paths, []), source: paths[source]}
    made = tmp_path / "averages.csv.gz"
    done = stage(
        "aggregate", source=source, **given, method="mean", behaviour="corrected", compartment_counts="false",
        max_failed_fraction=0, write_profiles=made,
    )  # fmt: skip

    assert (collated.code, done.code) == (0, 0), collated.stderr + done.stderr
    assert sorted(load(made)["Metadata_Well"], key=wells.place) == SOME

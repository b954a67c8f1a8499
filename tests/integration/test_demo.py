"""`make demo`: the whole demo batch, from images to profiles, on the embedded engine."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from data.demo.plan import BATCH, COMPOUNDS, PLATES
from tests.integration.toolkit import average_precision, features

pytestmark = pytest.mark.engine("process")

FILES = {
    "": 24,
    "_augmented": 24,
    "_normalized": 24,
    "_normalized_negcon": 24,
    "_normalized_feature_select_plate": 24,
    "_normalized_feature_select_negcon_plate": 24,
    "_normalized_feature_select_batch": 24,
    "_normalized_feature_select_negcon_batch": 24,
}


def test_the_demo_ends_well_and_says_where_its_results_are(demo):
    toolkit, done = demo

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "engine for the image cellprofiler: process" in done.stderr
    assert all(f"{plate}_montage.png" in done.stdout for plate in PLATES)


@pytest.mark.parametrize("plate", PLATES)
def test_a_site_of_every_plate_was_measured_by_both_engines_with_the_same_values(demo, plate):
    (audited,) = demo[0].audit(plate).values()

    assert audited["values"] > 50_000
    assert audited["differ"] == 0
    assert audited["largest"] < 1e-9


@pytest.mark.parametrize("plate", PLATES)
@pytest.mark.parametrize("suffix", FILES)
def test_every_profile_has_a_row_for_every_well_and_finite_values(demo, plate, suffix):
    profiles = demo[0].profiles(plate, suffix)
    values = features(profiles).to_numpy(float)

    assert len(profiles) == FILES[suffix]
    assert values.shape[1] > 100
    assert np.isfinite(values).mean() > 0.999


@pytest.mark.parametrize("plate", PLATES)
def test_every_site_has_its_cells_and_outlines(demo, plate):
    analysis = demo[0].dataset / "workspace/analysis" / BATCH / plate / "analysis"
    sites = sorted(analysis.iterdir())

    assert len(sites) == 24
    assert min(demo[0].cells(BATCH, plate).values()) >= 8
    assert all(len(list((site / "outlines").glob("*.png"))) == 2 for site in sites)


def test_the_plan_foretold_the_disk_that_the_demo_used(demo):
    toolkit, _ = demo
    before = json.loads((toolkit.folder / "plan.json").read_text())
    manifests = [json.loads(path.read_text()) for path in (toolkit.root / ".work/manifests").rglob("*.json")]
    used = sum(output["bytes"] for each in manifests for output in each["outputs"].values())

    assert before["fetched_bytes"] == 0
    assert before["disk_bytes"] == pytest.approx(used, rel=0.1)


@pytest.mark.parametrize("plate", PLATES)
def test_the_montage_is_a_picture_of_the_plate(demo, plate):
    path = demo[0].dataset / "workspace/quality_control" / BATCH / plate / f"{plate}_montage.png"
    pixels = np.asarray(Image.open(path).convert("RGB"))

    assert min(pixels.shape[:2]) > 400
    assert pixels.std() > 10


def test_planted_phenotypes_are_found_and_inactive_compounds_are_not(demo):
    import pandas as pd

    plates = [demo[0].profiles(plate, "_normalized_feature_select_negcon_plate") for plate in PLATES]
    joined = pd.concat(plates, join="inner", ignore_index=True)
    found = average_precision(joined)
    active = [found[compound.broad_sample] for compound in COMPOUNDS if compound.active]
    inactive = [found[compound.broad_sample] for compound in COMPOUNDS if not compound.active]

    assert all(0.3 < value < 0.9 for value in active), found
    assert min(active) > max(inactive), found


@pytest.mark.parametrize("suffix", ["batch", "negcon_batch"])
def test_jointly_selected_plates_have_the_same_columns_and_no_feature_that_the_table_names(demo, suffix):
    import pandas as pd

    plates = [demo[0].profiles(plate, f"_normalized_feature_select_{suffix}") for plate in PLATES]
    table = demo[0].dataset / "workspace/profiles" / BATCH / f"{BATCH}_excluded_features_{suffix}.csv"

    assert list(plates[0]) == list(plates[1])
    assert not set(plates[0]) & set(pd.read_csv(table)["feature"])


def test_a_second_demo_does_no_work(demo):
    toolkit, _ = demo
    before = toolkit.published()
    done = toolkit.tasks("demo")

    assert done.returncode == 0
    assert "nothing was run" in done.stdout
    assert toolkit.published() == before

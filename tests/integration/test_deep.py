"""Deep profiles, from images to whitened wells: the demo's plates, and the four real wells by both networks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from data.demo.plan import BATCH, COMPOUNDS, PLATES
from tests.integration.conftest import REAL_BATCH, REAL_PLATE
from tests.integration.toolkit import Toolkit, average_precision, features

pytestmark = pytest.mark.engine("process")

WIDTHS = {"cell_painting_cnn": 672, "imagenet_efficientnet_b0": 6400}
WELLS = ("D14", "F10", "N09", "N14")


@pytest.fixture(scope="module")
def deep_demo(demo) -> Toolkit:
    """The demo with deep features added to what it made before."""
    toolkit = demo[0]
    done = toolkit.tasks("demo", "--features", "cellprofiler,deepprofiler")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "measure/DEMO000001" not in done.stderr  # what was made already is not made again
    return toolkit


def spherized(toolkit: Toolkit) -> pd.DataFrame:
    tables = [toolkit.profiles(plate, "_spherized", f"{BATCH}_DL") for plate in PLATES]
    return pd.concat(tables, ignore_index=True)


def test_every_well_of_the_demo_has_a_deep_profile_of_finite_values(deep_demo):
    for plate in PLATES:
        for suffix in ("", "_augmented", "_spherized"):
            profiles = deep_demo.profiles(plate, suffix, f"{BATCH}_DL")
            values = features(profiles)

            assert len(profiles) == 24
            assert list(values) == [f"efficientnet_{at}" for at in range(672)]
            assert np.isfinite(values.to_numpy(float)).all()


def test_whitened_controls_vary_where_they_span_directions_and_nowhere_else(deep_demo):
    profiles = spherized(deep_demo)
    controls = features(profiles)[profiles.Metadata_control_type == "negcon"].to_numpy(float)
    centred = controls - controls.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2 / (len(controls) - 1)

    assert np.abs(controls.mean(axis=0)).max() < 1e-4
    assert variances[len(controls) - 1 :].max() < 1e-6
    # Not all 1: features that hardly vary are bounded (a variance of 1e-3), and so is what lies beyond the elbow.
    assert variances[len(controls) - 2] > 0.1
    assert variances[0] < 10


def test_replicates_of_planted_phenotypes_are_found_by_deep_profiles_of_drawn_weights(deep_demo):
    found = average_precision(spherized(deep_demo))
    planted = [found[compound.broad_sample] for compound in COMPOUNDS if compound.active]

    assert np.mean(planted) > 0.47  # of 3 replicates among 8 controls; chance has 0.42


def test_what_was_made_with_drawn_weights_says_so(deep_demo):
    manifests = deep_demo.root / f".work/manifests/cpg0000-jump-pilot/source_4/deep_profile/{BATCH}"
    record = json.loads((manifests / f"cell_painting_cnn.{PLATES[0]}.json").read_text())

    assert any("holds drawn weights" in warning for warning in record["warnings"])
    assert record["units"] == {"ok": 24}
    assert record["facts"]["cells"] == sum(deep_demo.cells(BATCH, PLATES[0]).values())


@pytest.mark.parametrize("network", WIDTHS)
def test_each_real_well_has_a_finite_deep_profile_by_both_networks(network, real_wells):
    toolkit = real_wells[0]
    toolkit.extra["deep_profile"] = {"features": network}
    subject = ("--batch-id", REAL_BATCH, "--plate", REAL_PLATE)
    seeded = toolkit.luigi("SeedCheckpoint", *subject)
    done = toolkit.luigi("RunPlate", *subject, "--features", "deepprofiler")
    profiles = toolkit.profiles(REAL_PLATE, "_augmented", f"{REAL_BATCH}_DL")
    values = features(profiles).to_numpy(float)
    sites = toolkit.dataset / "workspace_dl/embeddings" / network / REAL_BATCH / REAL_PLATE

    assert seeded.returncode == 0, seeded.stderr[-3000:]
    assert done.returncode == 0, done.stderr[-3000:]
    assert tuple(profiles.Metadata_Well) == WELLS
    assert values.shape == (4, WIDTHS[network])
    assert np.isfinite(values).all()
    assert sorted(path.parent.name for path in sites.rglob("*.npz")) == list(WELLS)
    counted = {site.split("-")[1]: str(cells) for site, cells in toolkit.cells(REAL_BATCH, REAL_PLATE).items()}
    assert dict(zip(profiles.Metadata_Well, profiles.Metadata_Object_Count, strict=True)) == counted

"""The chain on real CPJUMP1 images: four wells, five fluorescent and three brightfield channels."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tasks.results import manifest
from tests.integration.conftest import REAL_BATCH, REAL_PLATE
from tests.integration.toolkit import features

pytestmark = pytest.mark.engine("process")

WELLS = ("D14", "F10", "N09", "N14")
CHANNELS = ("Mito", "AGP", "RNA", "ER", "DNA", "HighZBF", "LowZBF", "Brightfield")
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
PER_CHANNEL = ("Granularity", "Intensity", "RadialDistribution", "Texture")
SUFFIXES = ("", "_augmented", "_normalized", "_normalized_feature_select_plate")
WIDTHS = {"cell_painting_cnn": 672, "imagenet_efficientnet_b0": 6400}
# The three that CPJUMP1's own measurements lack too: a ratio of sums that is 0 / 0 for a cell without signal.
MAY_BE_MISSING = ("Correlation_K_", "Correlation_Overlap_")


def test_the_chain_ends_well(real_wells):
    done = real_wells[1]

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_well_is_a_row_with_finite_values(real_wells, suffix):
    profiles = real_wells[0].profiles(REAL_PLATE, suffix, REAL_BATCH)
    values = features(profiles)
    missing = [name for name in values if not np.isfinite(values[name]).all()]

    assert list(profiles.Metadata_Well) == list(WELLS)
    assert all(any(part in name for part in MAY_BE_MISSING) for name in missing)


def test_there_are_about_5800_features_of_every_family_object_and_channel(real_wells):
    names = set(features(real_wells[0].profiles(REAL_PLATE, "", REAL_BATCH)))

    assert 5600 <= len(names) <= 6000
    for compartment, family, channel in itertools.product(COMPARTMENTS, PER_CHANNEL, CHANNELS):
        assert any(name.startswith(f"{compartment}_{family}_") and channel in name.split("_") for name in names)
    for compartment, family in itertools.product(COMPARTMENTS, ("AreaShape", "Correlation")):
        assert any(name.startswith(f"{compartment}_{family}_") for name in names)
    assert any(name.startswith("Cells_Neighbors_") for name in names)
    assert any(name.startswith("Nuclei_Neighbors_") for name in names)


def test_a_real_site_has_40_to_110_cells(real_wells):
    cells = real_wells[0].cells(REAL_BATCH, REAL_PLATE)

    assert set(cells) == {f"{REAL_PLATE}-{well}-5" for well in WELLS}
    # AMG900 (N09) stops mitosis: its cells are few and large, 44.
    assert all(40 <= count <= 110 for count in cells.values()), cells


def test_a_single_negcon_well_leaves_metadata_only_and_a_recorded_warning(real_wells):
    toolkit, done = real_wells
    profiles = toolkit.profiles(REAL_PLATE, "_normalized_negcon", REAL_BATCH)
    path = toolkit.root / f".work/manifests/cpg0000-jump-pilot/source_4/normalize_negcon/{REAL_BATCH}/{REAL_PLATE}.json"
    record = manifest.read(path)

    assert len(profiles) == 4
    assert features(profiles).empty
    assert record is not None
    assert any("negcon" in warning for warning in record.warnings)
    assert record.warnings[0] in done.stderr


def test_nothing_published_names_this_machine(real_wells):
    toolkit = real_wells[0]
    texts = [path for path in toolkit.dataset.rglob("*.csv") if "platemaps" not in path.parts]

    assert texts
    assert not [path.name for path in texts if str(toolkit.folder) in path.read_text(encoding="utf-8")]


ENGINES = {"deepprofiler": "embeddings", "torch": "embeddings_torch"}
MADE_BY = (("cell_painting_cnn", "deepprofiler"), ("cell_painting_cnn", "torch"), ("imagenet_efficientnet_b0", "torch"))
"""The networks and engines of these wells; the fourth pair takes DeepProfiler longest, and test_real_site.py has it."""


@pytest.fixture(scope="module")
def deep_wells(real_wells) -> Callable[[str, str], pd.DataFrame]:
    """Return a function that makes the deep profiles of the real wells by a network and an engine, once each."""
    toolkit = real_wells[0]
    subject = ("--batch-id", REAL_BATCH, "--plate", REAL_PLATE)

    @functools.cache
    def deep_wells(network: str, engine: str) -> pd.DataFrame:
        toolkit.extra["deep_profile"] = {"features": network, "engine": engine}
        seeded = toolkit.luigi("SeedCheckpoint", *subject)
        assert seeded.returncode == 0, seeded.stderr[-3000:]
        done = toolkit.luigi("RunPlate", *subject, "--features", "deepprofiler")
        assert done.returncode == 0, done.stderr[-3000:]
        return toolkit.profiles(REAL_PLATE, "_augmented", f"{REAL_BATCH}_DL")

    return deep_wells


@pytest.mark.parametrize(("network", "engine"), MADE_BY)
def test_each_real_well_has_a_finite_deep_profile_by_both_networks_and_engines(network, engine, real_wells, deep_wells):
    toolkit = real_wells[0]
    profiles = deep_wells(network, engine)
    values = features(profiles).to_numpy(float)
    sites = toolkit.dataset / "workspace_dl" / ENGINES[engine] / network / REAL_BATCH / REAL_PLATE

    assert tuple(profiles.Metadata_Well) == WELLS
    assert values.shape == (4, WIDTHS[network])
    assert np.isfinite(values).all()
    assert sorted(path.parent.name for path in sites.rglob("*.npz")) == list(WELLS)
    counted = {site.split("-")[1]: str(cells) for site, cells in toolkit.cells(REAL_BATCH, REAL_PLATE).items()}
    assert dict(zip(profiles.Metadata_Well, profiles.Metadata_Object_Count, strict=True)) == counted


def test_both_engines_give_a_real_well_the_same_deep_profile(deep_wells):
    one, other = (features(deep_wells("cell_painting_cnn", engine)).to_numpy(float) for engine in ENGINES)

    assert np.linalg.norm(one - other, axis=1).max() < 1e-4 * np.linalg.norm(one, axis=1).min()
    assert one.std(axis=0).min() > 0

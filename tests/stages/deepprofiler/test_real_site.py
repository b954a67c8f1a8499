"""One real CPJUMP1 site: every nucleus has features; with the published weights, those that DeepProfiler states."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.stages.deepprofiler import real_site
from tests.stages.deepprofiler.plate import IMAGES, NETWORKS, PROGRAMS, Outcome, features, profile

PUBLISHED = "PLATEWRIGHT_CELL_PAINTING_CNN"
"""The environment variable that names Cell_Painting_CNN_v1.hdf5 (Zenodo 7114558), where it is here."""
# Stated by DeepProfiler's own tests: of another layer (pool5), with another order of channels than the network's.
REFERENCE = {
    0: [-0.03095404, -0.00573806, 0.11657361, -0.11692496, 2.05769897],
    1: [-0.06177977, -0.05242480, 0.55334610, -0.10083556, -0.14802243],
}
MEAN, DEVIATION = 0.195951, 0.635050
AS_REFERENCE = """
import sys
from dataclasses import replace
from pathlib import Path
import deepprofiler_run, driver
from deepkit import fields
from deepprofiler.__main__ import cli
from stagekit import program
project, checkpoint, load_data, images, locations = map(Path, sys.argv[1:])
driver.NETWORK = replace(driver.NETWORK, channels=("DNA", "ER", "RNA", "AGP", "Mito"), layer="pool5", features=1280)
sites = fields.listed(load_data, images, driver.NETWORK.channels, "BR00116991")
(field,), size = fields.read(sites, locations, program.Report(project))
deepprofiler_run.lay(project, {"A01-1": field}, size, checkpoint, 128)
cli([f"--root={project}", f"--config={driver.CONFIG}", f"--exp={driver.RUN}", "--gpu=-1", "profile"], obj={})
"""


@pytest.fixture(scope="module")
def profiled(seeded, tmp_path_factory) -> Callable[[str, str], tuple[Outcome, np.ndarray]]:
    """Return a function that profiles the site with an image and a network, once each: what was told, the features."""
    plate = real_site.lay(tmp_path_factory.mktemp("real") / "plate")

    @functools.cache
    def profiled(image: str, network: str) -> tuple[Outcome, np.ndarray]:
        out = plate.folder / image / network
        done = profile(image, plate, seeded(network), out, features=network)
        (found,) = features(out).values() if done.code == 0 else (np.empty((0, 0)),)
        return done, found

    return profiled


@pytest.mark.parametrize("network", NETWORKS)
def test_each_of_109_nuclei_has_finite_features_of_its_own(image, network, profiled):
    done, found = profiled(image, network)

    assert done.code == 0, done.stderr
    assert done.facts["cells"] == 109
    assert found.shape == (109, {"cell_painting_cnn": 672, "imagenet_efficientnet_b0": 6400}[network])
    assert np.isfinite(found).all()
    assert len(np.unique(found.round(4), axis=0)) == 109
    assert (found.std(axis=0) > 1e-4).mean() > 0.99


@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_give_every_nucleus_the_same_features(network, profiled):
    """Of each network as it is run: of one that sees each channel by itself, every channel's 1,280 features."""
    each = 672 if network == "cell_painting_cnn" else 1280
    one, other = (profiled(image, network)[1].astype("float64").reshape(-1, each) for image in IMAGES)
    lengths = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    cosine = (one * other).sum(axis=1) / lengths[0] / lengths[1]
    relative_error = np.linalg.norm(one - other, axis=1) / lengths[0]

    assert len(one) == 109 * (1 if each == 672 else 5)
    assert cosine.min() > 0.9999
    assert relative_error.max() < (1e-5 if each == 672 else 1e-4)
    assert lengths[0].min() > 0.1  # features that carry signal: of zeros these would be trifles


@pytest.mark.skipif(PUBLISHED not in os.environ, reason=f"{PUBLISHED} names no published checkpoint")
def test_the_published_weights_give_deepprofilers_reference_values(deepprofiler_python: Path, tmp_path):
    plate = real_site.lay(tmp_path / "plate")
    paths = [tmp_path / "project", os.environ[PUBLISHED], plate.load_data, plate.images, plate.locations]
    environment = {**os.environ, "PYTHONPATH": f"{PROGRAMS}{os.pathsep}{PROGRAMS.parent}"}
    subprocess.run([deepprofiler_python, "-c", AS_REFERENCE, *map(str, paths)], check=True, env=environment)
    found = np.load(tmp_path / "project/outputs/run/features/plate/A01/1.npz")["features"]

    assert found.shape == (109, 1280)
    for cell, values in REFERENCE.items():
        np.testing.assert_allclose(found[cell, :5], values, atol=1e-4)
    assert found.mean() == pytest.approx(MEAN, abs=1e-4)
    assert found.std() == pytest.approx(DEVIATION, abs=1e-4)


@pytest.mark.skipif(PUBLISHED not in os.environ, reason=f"{PUBLISHED} names no published checkpoint")
def test_the_published_weights_are_taken_by_the_stage(image, tmp_path):
    plate = real_site.lay(tmp_path / "plate")
    done = profile(image, plate, Path(os.environ[PUBLISHED]), tmp_path / "out")

    assert done.code == 0, done.stderr
    assert done.warnings == []
    assert done.facts["checkpoint_layers"] == "130 of 130"

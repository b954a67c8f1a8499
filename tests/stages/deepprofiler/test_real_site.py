"""One real CPJUMP1 site: every nucleus has features; with the published weights, those that DeepProfiler states."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.stages.deepprofiler import real_site
from tests.stages.deepprofiler.conftest import NETWORKS
from tests.stages.deepprofiler.plate import PROGRAMS, features, profile

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
import deepprofiler_run, driver, fields
from deepprofiler.__main__ import cli
from stagekit import program
project, checkpoint, load_data, images, locations = map(Path, sys.argv[1:])
driver.NETWORK = replace(driver.NETWORK, channels=("DNA", "ER", "RNA", "AGP", "Mito"), layer="pool5", features=1280)
sites = fields.listed(load_data, images, driver.NETWORK.channels, "BR00116991")
(field,), size = fields.read(sites, locations, program.Report(project))
deepprofiler_run.lay(project, {"A01-1": field}, size, checkpoint, 128)
cli([f"--root={project}", f"--config={driver.CONFIG}", f"--exp={driver.RUN}", "--gpu=-1", "profile"], obj={})
"""


@pytest.mark.parametrize("network", NETWORKS)
def test_each_of_109_nuclei_has_finite_features_of_its_own(network, deepprofiler_python: Path, seeded, tmp_path):
    plate = real_site.lay(tmp_path / "plate")
    done = profile(deepprofiler_python, plate, seeded(network), tmp_path / "out", features=network)
    (found,) = features(tmp_path / "out").values()

    assert done.code == 0, done.stderr
    assert done.facts["cells"] == 109
    assert found.shape == (109, {"cell_painting_cnn": 672, "imagenet_efficientnet_b0": 6400}[network])
    assert np.isfinite(found).all()
    assert len(np.unique(found.round(4), axis=0)) == 109
    assert (found.std(axis=0) > 1e-4).mean() > 0.99


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
def test_the_published_weights_are_taken_by_the_stage(deepprofiler_python: Path, tmp_path):
    plate = real_site.lay(tmp_path / "plate")
    done = profile(deepprofiler_python, plate, Path(os.environ[PUBLISHED]), tmp_path / "out")

    assert done.code == 0, done.stderr
    assert done.warnings == []
    assert done.facts["checkpoint_layers"] == "130 of 130"

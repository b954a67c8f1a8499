"""Checkpoints that are drawn once, and a drawn plate for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.deepprofiler.plate import IMAGES, Plate, call


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a network's drawn checkpoint; each is made once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def checkpoint(network: str, seed: int = 0) -> Path:
        path = folder / f"{network}-{seed}.hdf5"
        if not path.exists():
            plate = Plate(folder / "plate")
            plate.draw(cells=20)
            flags = {"barcode": plate.barcode, "features": network, "seed": seed, "write_checkpoint": path}
            done = call("deepprofiler", "seed_checkpoint", folder / "out", network, **plate.inputs, **flags)
            assert done.code == 0, done.stderr
        return path

    return checkpoint


@pytest.fixture(scope="session", params=IMAGES)
def image(request: pytest.FixtureRequest) -> str:
    """The images that make deep features, one after the other."""
    name: str = request.param
    return name


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    plate = Plate(tmp_path / "plate")
    plate.draw()
    return plate

"""Runs that several tests look at: each is made once a session."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES, wells
from tasks.runtime import locks
from tests.integration.toolkit import Toolkit, lay_real_wells

REAL_BATCH, REAL_PLATE = "2020_11_04_CPJUMP1", "BR00117013"


@pytest.fixture(scope="module")
def docker_alone() -> Iterator[None]:
    """Keep the Docker Engine to one file of tests: some count its containers, some kill its daemon."""
    with locks.alone(Path(tempfile.gettempdir()) / "platewright-tests-of-docker.lock", "the tests of docker"):
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toolkit, subprocess.CompletedProcess[str]]:
    """The whole demo, as `make demo` runs it, on the process engine; plan.json holds what was foretold."""
    toolkit = Toolkit(tmp_path_factory.mktemp("demo"), "process", audited=True)
    toolkit.draw(",".join(PLATES), ",".join(wells()))
    planned = toolkit.tasks("plan", "--batch-id", BATCH, "--json")
    (toolkit.folder / "plan.json").write_text(planned.stdout)
    return toolkit, toolkit.tasks("demo")


@pytest.fixture(scope="session")
def real_wells(tmp_path_factory: pytest.TempPathFactory, real_data) -> tuple[Toolkit, subprocess.CompletedProcess[str]]:
    """The four real wells with all eight channels, from images to profiles."""
    toolkit = Toolkit(tmp_path_factory.mktemp("real"), "process")
    lay_real_wells(toolkit, real_data, REAL_BATCH, REAL_PLATE)
    return toolkit, toolkit.luigi("RunBatch", "--batch-id", REAL_BATCH, "--plates", f'["{REAL_PLATE}"]')


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toolkit, subprocess.CompletedProcess[str]]:
    """Four wells of one demo plate on the process engine."""
    toolkit = Toolkit(tmp_path_factory.mktemp("cut"), "process")
    toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
    return toolkit, toolkit.luigi("RunPlate", "--batch-id", BATCH, "--plate", PLATES[0])

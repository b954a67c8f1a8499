"""Runs that several tests look at: each is made once a session."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES, wells
from tasks.runtime import locks
from tests.integration.toolkit import Toolkit, lay_real_wells, wait_for

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


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serving_registry(tmp_path) as address:
        yield address


@contextmanager
def serving_registry(folder: Path) -> Iterator[str]:
    """Start a real registry on loopback, which containers on the host's network see too; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/registry\nhttp:\n  addr: {address}\n"
    )
    server = subprocess.Popen(["docker-registry", "serve", str(config)], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", int(address.split(":")[1]))) == 0)
    try:
        yield address
    finally:
        server.terminate()
        server.wait(10)

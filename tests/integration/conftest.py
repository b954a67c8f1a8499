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
from tests.integration.once import held, once
from tests.integration.toolkit import Toolkit, lay_real_wells, wait_for

REAL_BATCH, REAL_PLATE = "2020_11_04_CPJUMP1", "BR00117013"


Made = tuple[Toolkit, subprocess.CompletedProcess[str]]

DOCKER_LOCK = Path(tempfile.gettempdir()) / "platewright-tests-of-docker.lock"


@pytest.fixture(scope="module")
def docker_shared() -> Iterator[None]:
    """Use the Docker Engine beside others, who leave its daemon and the containers of others alone."""
    with held(DOCKER_LOCK, shared=True):
        yield


@pytest.fixture(scope="module")
def docker_alone() -> Iterator[None]:
    """Keep the Docker Engine to one file of tests, which kills its daemon."""
    with held(DOCKER_LOCK):
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The whole demo, as `make demo` runs it, on the process engine; plan.json holds what was foretold."""
    toolkit = Toolkit(tmp_path_factory.mktemp("demo"), "process", audited=True)
    toolkit.draw(",".join(PLATES), ",".join(wells()))
    planned = toolkit.tasks("plan", "--batch-id", BATCH, "--json")
    (toolkit.folder / "plan.json").write_text(planned.stdout)
    return toolkit, toolkit.tasks("demo")


@pytest.fixture(scope="session")
def real_wells(tmp_path_factory: pytest.TempPathFactory, real_data) -> Made:
    """The four real wells with all eight channels, from images to profiles."""
    toolkit = Toolkit(tmp_path_factory.mktemp("real"), "process")
    lay_real_wells(toolkit, real_data, REAL_BATCH, REAL_PLATE)
    return toolkit, toolkit.luigi("RunBatch", "--batch-id", REAL_BATCH, "--plates", f'["{REAL_PLATE}"]')


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Four wells of one demo plate on the process engine; nobody changes them."""

    def make(folder: Path) -> Made:
        toolkit = Toolkit(folder, "process")
        toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
        return toolkit, toolkit.luigi("RunPlate", "--batch-id", BATCH, "--plate", PLATES[0])

    return once(tmp_path_factory, "cut", make)


@pytest.fixture(scope="session")
def in_docker(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same four wells in containers, audited; only a benchmark is added to them."""

    def make(folder: Path) -> Made:
        toolkit = Toolkit(folder, "docker", audited=True)
        toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
        return toolkit, toolkit.luigi("RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATES[0]}"]')

    return once(tmp_path_factory, "in-docker", make)


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

"""The interpreters of the images' own environments, made by the process engine from the locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.runtime.images import environments


def _python(image: str) -> Path:
    environments.make(image)
    return environments.python(image)


@pytest.fixture(scope="session")
def cellprofiler_python() -> Path:
    return _python("cellprofiler")


@pytest.fixture(scope="session")
def pycytominer_python() -> Path:
    return _python("pycytominer")


@pytest.fixture(scope="session")
def gallery_python() -> Path:
    return _python("gallery")


@pytest.fixture(scope="session")
def instruments_python() -> Path:
    return _python("instruments")


@pytest.fixture(scope="session")
def scverse_python() -> Path:
    return _python("scverse")


@pytest.fixture(scope="session")
def benchmark_python() -> Path:
    return _python("benchmark")


@pytest.fixture(scope="session")
def deepprofiler_python() -> Path:
    return _python("deepprofiler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here as one of the process engine, whose environments it runs in."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine("process"))


@pytest.fixture(scope="session")
def explorer_python() -> Path:
    return _python("explorer")

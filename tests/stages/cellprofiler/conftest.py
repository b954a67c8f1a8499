"""Fixtures: the interpreter of the cellprofiler environment, and its programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import Programs


@pytest.fixture(scope="session")
def cellprofiler_python() -> Path:
    """The interpreter of the cellprofiler environment."""
    python = os.environ.get("CELLPROFILER_PYTHON")
    if not python:
        pytest.skip("CELLPROFILER_PYTHON does not name the cellprofiler environment's interpreter")
    return Path(python)


@pytest.fixture
def programs(cellprofiler_python: Path, tmp_path: Path) -> Programs:
    return Programs(cellprofiler_python, tmp_path)

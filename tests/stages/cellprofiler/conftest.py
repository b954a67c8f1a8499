"""Fixtures: the interpreter of the cellprofiler environment, and its programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import Programs


@pytest.fixture
def programs(cellprofiler_python: Path, tmp_path: Path) -> Programs:
    return Programs(cellprofiler_python, tmp_path)

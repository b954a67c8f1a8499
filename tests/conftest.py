"""What all tests share: which engines are here, and where the real CPJUMP1 files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines import report

REAL_DATA = Path(__file__).parents[1] / "../shared/data/cpjump1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose engine is absent, and say so; with ENGINES=all its absence is a failure."""
    for marker in item.iter_markers("engine"):
        reason = report.absent(marker.args[0])
        if reason and os.environ.get("ENGINES") == "all":
            pytest.fail(f"ENGINES=all, but {marker.args[0]} is absent: {reason}", pytrace=False)
        if reason:
            pytest.skip(f"{marker.args[0]} is absent: {reason}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the real CPJUMP1 files; only a checkout that stands alone lacks it."""
    if not REAL_DATA.is_dir():
        if os.environ.get("ENGINES") == "all":
            pytest.fail(f"ENGINES=all, but the real CPJUMP1 files are not at {REAL_DATA}", pytrace=False)
        pytest.skip(f"the real CPJUMP1 files are not at {REAL_DATA}")
    return REAL_DATA.resolve()

"""Where the real CPJUMP1 files lie, and what becomes of a test where they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL_DATA = Path(__file__).parents[1] / "../shared/data/cpjump1"


def needed() -> Path:
    """Return the folder of the real CPJUMP1 files; only a checkout that stands alone lacks it, and then skips."""
    if not REAL_DATA.is_dir():
        if os.environ.get("ENGINES") == "all":
            pytest.fail(f"ENGINES=all, but the real CPJUMP1 files are not at {REAL_DATA}", pytrace=False)
        pytest.skip(f"the real CPJUMP1 files are not at {REAL_DATA}")
    return REAL_DATA.resolve()

"""Where real files of CPJUMP1 and of instruments lie, and what becomes of a test where they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1] / "../shared/data"
REAL_DATA = SHARED / "cpjump1"
VENDORS = SHARED / "vendors"


def needed() -> Path:
    """Return the folder of the real CPJUMP1 files; only a checkout that stands alone lacks it, and then skips."""
    return _there(REAL_DATA, "the real CPJUMP1 files")


def vendors() -> Path:
    """Return the folder of real exports of instruments; only a checkout that stands alone lacks it, and then skips."""
    return _there(VENDORS, "the real exports")


def jump_production() -> Path:
    """Return the folder of JUMP's published profiles; only a checkout that stands alone lacks it, and then skips."""
    return _there(SHARED / "jump_production", "JUMP's profiles")


def _there(folder: Path, what: str) -> Path:
    if not folder.is_dir():
        if os.environ.get("ENGINES") == "all":
            pytest.fail(f"ENGINES=all, but {what} are not at {folder}", pytrace=False)
        pytest.skip(f"{what} are not at {folder}")
    return folder.resolve()

"""A short campaign of random kills; `python -m tests.campaign` runs long ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.__main__ import run

pytestmark = pytest.mark.engine("process")


def test_random_kills_lose_nothing_publish_nothing_by_half_and_change_no_byte(tmp_path: Path) -> None:
    found = run(tmp_path, kills=5, seed=1, real=False)

    assert found["faults"] == []
    assert found["kills"] == 5  # each was seen to hit a process that ran
    assert set(found["by_target"]) <= {"host SIGKILL", "host SIGTERM", "program SIGKILL"}
    assert found["runs_to_the_end"] >= 1
    assert found["files_compared"] > 40

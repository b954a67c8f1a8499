"""A lock over processes: one holds it, others wait, and a dead holder's is free."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.runtime.core import locks
from tests.unit.fakes import wait_until

HOLD = """
import sys, time
from pathlib import Path
from tasks.runtime.core import locks
with locks.alone(Path(sys.argv[1]), "painting"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_free_lock_is_taken_at_once(tmp_path: Path) -> None:
    with locks.alone(tmp_path / "deep" / "lock", "painting") as waited:
        assert not waited
    with locks.alone(tmp_path / "deep" / "lock", "painting") as waited:
        assert not waited


def test_a_lock_of_a_killed_process_is_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    process = holder(tmp_path / "lock")
    seen: list[bool] = []

    def wait() -> None:
        with locks.alone(tmp_path / "lock", "painting") as waited:
            seen.append(waited)

    waiter = threading.Thread(target=wait)
    with caplog.at_level("INFO"):
        waiter.start()
        told = wait_until(lambda: "painting: another run is at it" in caplog.text)
        time.sleep(0.1)
        held = not seen
        process.kill()
        waiter.join(10)

    assert (told, held, seen) == (True, True, [True])

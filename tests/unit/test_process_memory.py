"""The peak memory of a child process is its own, and never what the process that started it holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.dataset import layout

HOST = """
import sys, threading
from pathlib import Path
from tasks.runtime.engines import children
from tests.unit.fakes import make_job
held = b"x" * (int(sys.argv[1]) << 20)
words = [sys.executable, "-c", sys.argv[2]]
print(children.run(words, make_job(Path(sys.argv[3])), {"PATH": "/usr/bin:/bin"}, threading.Event()).peak_memory_gb)
"""
HOLD = 'import time; held = b"x" * ({mb} << 20); time.sleep(0.5)'
IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', '''{hold}'''], check=True)"


def peak_mb(folder: Path, program: str, host_mb: int) -> float:
    """Run a program by a host of its own that holds `host_mb`, and return the peak that it tells."""
    folder.joinpath("1of1").mkdir()
    words = [sys.executable, "-c", HOST, str(host_mb), program, str(folder / "1of1")]
    environment = {**os.environ, "PYTHONPATH": f".{os.pathsep}{layout.CONTAINERS}"}
    ran = subprocess.run(words, cwd=layout.REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout) * 1024


@pytest.mark.parametrize("host_mb", [0, 600])
@pytest.mark.parametrize("program_mb", [1, 300, 1200])
def test_it_is_what_the_program_held_however_large_its_host_is(tmp_path: Path, host_mb: int, program_mb: int) -> None:
    assert peak_mb(tmp_path, HOLD.format(mb=program_mb), host_mb) == pytest.approx(program_mb, abs=60)


@pytest.mark.parametrize("host_mb", [0, 600])
def test_a_child_of_the_program_counts_too(tmp_path: Path, host_mb: int) -> None:
    program = IN_A_CHILD.format(hold=HOLD.format(mb=300))

    assert peak_mb(tmp_path, program, host_mb) == pytest.approx(300, abs=60)

"""`.ci/run` itself, on stubs of its steps: which failures it tells, and what is left when it ends."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.toolkit import REPOSITORY

COMMON = """say() { printf '%s\\n' "$*"; }
fail() { say "$@"; exit 1; }
need_root() { :; }
BASE_PYTHON_39=a BASE_PYTHON_311=b
"""
MAKE = """echo "make $*"
case "$1" in
    check) exit ${CHECK:-0} ;;
    unit) sleep ${UNIT_SECONDS:-0} & echo $! >unit.pid; wait; exit ${UNIT:-0} ;;
    slow) echo begun >slow.begun; sleep ${SLOW_SECONDS:-0}; exit ${SLOW:-0} ;;
esac
"""
PYTHON = 'case "$*" in *build*) while [ ! -e unit.pid ]; do sleep 0.02; done; exit ${BUILD:-0} ;; esac\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with the script, and a stub of everything that it calls."""
    texts = {f"tests/engines/{name}.sh": "echo made\n" for name in ("install", "make_bases", "make_hpc_image")}
    texts |= {"tests/engines/start_docker.sh": "echo started\n", "bin/docker": "true\n"}
    texts |= {"tests/engines/common.sh": COMMON, "tests/engines/stop_docker.sh": "echo stopped dockerd\n"}
    texts |= {"bin/make": MAKE, ".venv/bin/python": PYTHON}
    texts[".ci/run"] = (REPOSITORY / ".ci/run").read_text(encoding="utf-8")
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.startswith("#!") else f"#!/bin/bash\n{text}", encoding="utf-8")
        path.chmod(0o755)
    return tmp_path


def begin(clone: Path, **codes: int) -> subprocess.Popen[str]:
    words = {**os.environ, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "ENGINE_ROOT": str(clone / "engine")}
    words |= {name: str(code) for name, code in codes.items()}
    pipe = subprocess.PIPE
    # What a shell begins in the background ignores Ctrl-C, and so would all that it starts; a person's shell does not.
    heeds = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        ["bash", ".ci/run"],
        cwd=clone,
        env=words,
        text=True,
        stdout=pipe,
        stderr=pipe,
        start_new_session=True,
        preexec_fn=heeds,
    )


def is_alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("codes", "code", "at"),
    [
        ({}, 0, ""),
        ({"UNIT": 2}, 2, "unit tests"),
        ({"SLOW": 3}, 3, "other tests"),
        ({"SLOW": 3, "UNIT": 2, "CHECK": 4}, 4, "other tests, unit tests, check"),
    ],
    ids=["all is well", "unit tests fail", "other tests fail", "all tests fail"],
)
def test_every_step_that_failed_is_named_and_what_each_said_is_printed(
    codes: dict[str, int], code: int, at: str, clone: Path
) -> None:
    run = begin(clone, **codes)
    said, _ = run.communicate(timeout=60)

    assert run.returncode == code
    assert all(f"make {step}\n" in said for step in ("check", "unit", "slow"))
    assert "stopped dockerd" in said
    assert said.endswith(f"ERROR: CI failed with exit code {code} at: {at}\n") == bool(code)


@pytest.mark.parametrize("codes", [{"BUILD": 5}, {"SLOW_SECONDS": 60}], ids=["an image fails", "Ctrl-C"])
def test_what_goes_on_beside_is_ended_with_all_that_it_started(codes: dict[str, int], clone: Path) -> None:
    run = begin(clone, UNIT_SECONDS=60, **codes)
    if "BUILD" not in codes:
        while run.poll() is None and not (clone / "slow.begun").exists():
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=30)

    assert run.returncode == codes.get("BUILD", 130)
    assert not is_alive(int((clone / "unit.pid").read_text()))
    assert "unit tests (beside others): not waited for" in said

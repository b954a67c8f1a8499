"""The process engine: a program in a clean environment, with the host's paths, that never outlives its host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stagekit import child

from tasks.dataset import layout
from tasks.runtime.arrays import places
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines.process_engine import ProcessEngine
from tasks.runtime.images import environments
from tests.unit.fakes import make_job, wait_until

PROGRAMS = {
    # Says what it was given, and ends with the code that it is told.
    "tell": """
import json, os, sys
from pathlib import Path
output = Path(sys.argv[sys.argv.index("--output") + 1])
told = {"words": sys.argv[1:], "variables": dict(os.environ)}
(output / "told.json").write_text(json.dumps(told))
print("to stdout")
print("to stderr", file=sys.stderr)
sys.exit(int(sys.argv[sys.argv.index("--code") + 1]))
""",
    # Starts a child that lasts, says both ids, and lasts too.
    "last": """
import subprocess, sys, time, os
from pathlib import Path
from stagekit import program
def main():
    output = Path(sys.argv[sys.argv.index("--output") + 1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (output / "partial").write_text(f"{os.getpid()} {child.pid}")
    os.replace(output / "partial", output / "ids")
    time.sleep(60)
program.run(main)
""",
}

HOST = """
import sys, threading
from pathlib import Path
from tasks.dataset import layout; from tasks.definitions import stages
from tasks.runtime.images import environments
from tasks.runtime.engines.process_engine import ProcessEngine
from tests.unit.fakes import make_job
layout.CONTAINERS = Path(sys.argv[1])
environments.python = lambda image: sys.executable
environments.variables = lambda image: {"PATH": "/usr/bin:/bin"}
ProcessEngine().run(make_job(Path(sys.argv[2]), program="last.py"), threading.Event())
"""


@pytest.fixture
def folder(containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a job's folder, where our own interpreter runs the small programs."""
    for name, text in PROGRAMS.items():
        (containers / f"easel/{name}.py").write_text(text)
    monkeypatch.setattr(environments, "python", lambda image: Path(sys.executable))
    monkeypatch.setattr(environments, "variables", lambda image: {"PATH": "/usr/bin:/bin"})
    monkeypatch.setattr(child, "GRACE_SECONDS", 2.0)
    monkeypatch.setattr(child, "POLL_SECONDS", 0.02)
    (tmp_path / "images").mkdir()
    return tmp_path / "1of1"


def prepared(job: Job) -> Job:
    places.prepare_folder(job, ProcessEngine())
    return job


def run(job: Job) -> Outcome:
    return ProcessEngine().run(prepared(job), threading.Event())


def told(folder: Path) -> dict[str, object]:
    return json.loads((folder / "out/told.json").read_text())


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"  # dead, and perhaps not yet buried


def ids(folder: Path) -> list[int]:
    """Wait for the program and its child, and return their ids."""
    assert wait_until((folder / "out/ids").exists)
    found = [int(word) for word in (folder / "out/ids").read_text().split()]
    assert all(is_running(pid) for pid in found)
    return found


def test_the_containers_paths_become_the_hosts(folder: Path) -> None:
    flags = (
        "--code",
        "0",
        "--images",
        "/in/images",
        "--first",
        "/in/images/a.tiff",
        "--other",
        "/in/images2",
        "--x",
        "in",
    )
    run(make_job(folder, *flags, program="tell.py"))
    images = folder.parent / "images"

    assert told(folder)["words"] == [
        *("--code", "0", "--images", str(images), "--first", f"{images}/a.tiff", "--other", "/in/images2", "--x", "in"),
        *("--output", f"{folder}/out"),
    ]


@pytest.mark.parametrize("code", [0, 1, 65])
def test_the_exit_code_and_the_logs_are_the_programs(folder: Path, code: int) -> None:
    outcome = run(make_job(folder, "--code", str(code), program="tell.py"))

    assert (outcome.exit_code, outcome.ok) == (code, code == 0)
    assert (folder / "stdout.log").read_text() == "to stdout\n"
    assert (folder / "stderr.log").read_text() == "to stderr\n"
    assert 0.001 < outcome.peak_memory_gb < 1


def test_none_of_our_variables_reach_the_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUIGI_CONFIG_PATH", "/x")
    monkeypatch.setenv("SECRET", "x")
    run(make_job(folder, "--code", "0", program="tell.py"))
    variables = told(folder)["variables"]
    temporary = {name for name, value in variables.items() if value.startswith(str(folder))}

    assert not {"SECRET", "LUIGI_CONFIG_PATH", "VIRTUAL_ENV", "USER"} & variables.keys()
    assert temporary == {"HOME", "TMPDIR", "MPLCONFIGDIR"}
    assert variables["PYTHONPATH"] == str(layout.CONTAINERS)
    assert variables["OMP_NUM_THREADS"] == "1"


def test_the_command_repeats_the_job(folder: Path) -> None:
    run(make_job(folder, "--code", "7", "--method", "it's two words", program="tell.py"))
    first = told(folder)
    (folder / "out/told.json").unlink()
    done = subprocess.run(["sh", str(folder / "command")], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    second = told(folder)

    assert done.returncode == 7
    assert done.stdout == "to stdout\n"
    assert second["words"] == first["words"]
    assert second["variables"].keys() - {"PWD", "OLDPWD", "_"} == first["variables"].keys() - {"STAGE_GUARD", "PWD"}
    assert Path(second["variables"]["TMPDIR"]).is_dir()


def test_a_job_leaves_no_temporary_files(folder: Path) -> None:
    run(make_job(folder, "--code", "0", program="tell.py"))

    assert not any((folder / "tmp").glob("*"))


def test_a_program_that_is_killed_ends_with_the_shells_code(folder: Path) -> None:
    (layout.CONTAINERS / "easel/die.py").write_text("import os\nos.kill(os.getpid(), 9)\n")

    assert run(make_job(folder, program="die.py")).exit_code == 137


def test_a_program_that_takes_too_long_is_stopped_with_its_child(folder: Path) -> None:
    job = make_job(folder, program="last.py", minutes=0.5 / 60)
    outcome = run(job)
    found = [int(word) for word in (folder / "out/ids").read_text().split()]

    assert (outcome.exit_code, outcome.timed_out, outcome.cancelled) == (143, True, False)
    assert wait_until(lambda: not any(is_running(pid) for pid in found))


def test_a_cancelled_program_is_stopped_with_its_child(folder: Path) -> None:
    job, cancelled, outcomes = prepared(make_job(folder, program="last.py")), threading.Event(), []
    thread = threading.Thread(target=lambda: outcomes.append(ProcessEngine().run(job, cancelled)))
    thread.start()
    found = ids(folder)
    began = time.monotonic()
    cancelled.set()
    thread.join(20)

    assert [(outcome.exit_code, outcome.cancelled) for outcome in outcomes] == [(143, True)]
    assert wait_until(lambda: not any(is_running(pid) for pid in found))
    assert time.monotonic() - began < 8


def test_a_program_that_ended_and_was_not_waited_for_counts_as_gone() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as started:
        running = tuple(child.group(started.pid))
        os.kill(started.pid, signal.SIGKILL)

        assert running == (-started.pid,)
        assert wait_until(lambda: child.group(started.pid) == ())
        os.killpg(started.pid, 0)  # it is there until it is waited for


@pytest.fixture
def host(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start another process that runs a job which lasts."""
    prepared(make_job(folder, program="last.py"))
    words = [sys.executable, "-c", HOST, str(layout.CONTAINERS), str(folder)]
    started = subprocess.Popen(words, cwd=layout.REPOSITORY, env=os.environ | {"PYTHONPATH": "."})
    yield started
    started.kill()
    started.wait()


def test_a_host_that_is_killed_leaves_nothing_running(folder: Path, host: subprocess.Popen[bytes]) -> None:
    found = ids(folder)
    host.send_signal(signal.SIGKILL)
    host.wait()

    assert wait_until(lambda: not any(is_running(pid) for pid in found))


def test_a_program_left_alone_lasts(folder: Path, host: subprocess.Popen[bytes]) -> None:
    found = ids(folder)
    time.sleep(0.3)

    assert all(is_running(pid) for pid in found)

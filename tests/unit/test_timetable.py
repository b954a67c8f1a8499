"""How the tests are dealt out to workers, and what they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import minutes, timetable

TESTS = Path(__file__).parents[1]


def test_every_file_that_the_timetable_names_is_there() -> None:
    named = {name for names in timetable.GROUPS.values() for name in names} | {*timetable.ALONE}

    assert named <= {path.stem for path in TESTS.glob("integration/test_*.py")}


def test_files_that_start_nodes_or_accounts_share_a_worker() -> None:
    slow = ("def site(", "def node(", "def fleet(")
    starts = {
        path.stem for path in TESTS.glob("integration/test_*.py") if any(each in path.read_text() for each in slow)
    }

    assert starts <= {*timetable.GROUPS["cluster"], *timetable.GROUPS["aws"]}


def test_long_groups_come_first_and_what_waits_for_all_containers_before_the_small_files() -> None:
    files = ["unit/test_a.py", "integration/test_faults_in_docker.py", "integration/test_demo.py", "stages/x/test_b.py"]
    files += ["integration/test_claims.py"]
    ids = [f"tests/{file}::test_it[1]" for file in files]

    assert [files[ids.index(each)] for each in sorted(ids, key=timetable.rank)] == [
        "integration/test_demo.py",
        "integration/test_claims.py",
        "integration/test_faults_in_docker.py",
        "stages/x/test_b.py",
        "unit/test_a.py",
    ]


def test_a_group_is_taken_as_a_whole_and_another_file_by_itself() -> None:
    one, other = (timetable.group(f"tests/integration/{name}.py::test_x") for name in ("test_slurm", "test_apptainer"))

    assert one == other == "cluster"
    assert timetable.group("tests/unit/test_run.py::test_x[a::b]") == "tests/unit/test_run.py"


RUN = """
import pytest
from tests.integration.once import once

@pytest.mark.parametrize("number", range(4))
def test_it(tmp_path_factory, number):
    def make(folder):
        folder.mkdir()
        with open({log!r}, "a") as log:
            log.write("made ")
        return folder
    assert once(tmp_path_factory, "stock", make).is_dir()
"""


def test_what_workers_share_is_made_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for name in ("test_one", "test_two"):
        (tmp_path / f"{name}.py").write_text(RUN.format(log=str(log)))
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--numprocesses",
        "2",
        "--basetemp",
        str(tmp_path / "temp"),
    ]
    command = [sys.executable, *words, "--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{TESTS.parent}:{TESTS.parent}/containers"},
    )

    assert done.returncode == 0, done.stdout
    assert log.read_text() == "made "


@pytest.mark.parametrize(
    ("nodeid", "area"),
    [
        ("tests/integration/test_slurm.py::test_x", "cluster"),
        ("tests/integration/test_faults.py::test_x", "integration/test_faults"),
        ("tests/stages/gallery/test_fetch.py::test_x", "stages/gallery"),
        ("tests/unit/test_run.py::test_x", "unit"),
    ],
)
def test_minutes_are_counted_by_group_file_or_folder(nodeid: str, area: str) -> None:
    assert minutes.area(nodeid) == area

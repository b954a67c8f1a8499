"""The place aws_batch with a data root on a shared file system: nothing is staged, and what becomes of faults.

The file system is a folder; this machine has it at a path of its own (a link), containers where [paths] root is.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.fleet.fleet import Fleet, named_by_digest
from tests.integration.toolkit import Toolkit, wait_for

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

PLATE = PLATES[0]
ELEMENTS = 2
"""Two wells each."""
MEASURE = ("Measure", "--batch-id", BATCH, "--plate", PLATE)
IMAGES = ("gallery", "cellprofiler")
QUICK = {"retries": {"backoff_seconds": "0.5"}, "measure": {"sites_per_shard": "2"}}
EFS = "efs:fs-0123456789abcdef0"
ARRAYS = ".work/runs/*/*/measure/*/*/*/arrays/*"

Start = Callable[[str], Toolkit]
Made = tuple[Toolkit, str]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Fleet]:
    """An account with a file system."""
    folder = tmp_path_factory.mktemp("fleet")
    with named_by_digest(*IMAGES), Fleet(folder, efs=folder / "efs") as made:
        yield made


@pytest.fixture(scope="module")
def start(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Begin with an empty folder of the file system, mounted here below a folder that only this machine has."""

    def begin(name: str) -> Toolkit:
        folder = tmp_path_factory.mktemp(name)
        assert fleet.efs
        (fleet.efs / name).mkdir(parents=True)
        (folder / "root").symlink_to(fleet.efs / name)
        settings = {**QUICK, "aws_batch": {**fleet.settings, "volume": f"{EFS}:/{name}"}}
        return Toolkit(folder, "auto", settings, place="aws_batch")

    return begin


@pytest.fixture(scope="module")
def made(fleet: Fleet, start: Start, in_docker: tuple[Toolkit, Any], patched_environment: None) -> Made:
    """Four wells listed and measured on AWS Batch, though one of the elements is killed; and what was printed."""
    toolkit = start("whole")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    toolkit.lay_results(in_docker[0], "illumination")
    process = toolkit.start(*MEASURE)
    next(iter(measuring(fleet, toolkit, process).values())).kill()
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    return toolkit, printed


@pytest.fixture(scope="module")
def patched_environment(fleet: Fleet) -> Iterator[None]:
    """Let the toolkit speak to the account."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fleet.variables.items():
            patch.setenv(name, value)
        yield


def measuring(fleet: Fleet, toolkit: Toolkit, process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the containers that measure, once they all run, which a run has to see to."""

    def found() -> dict[str, Any]:
        mine = [path.read_text().strip() for path in toolkit.root.glob(f"{ARRAYS}/id")]
        return {job: each for array in mine for job, each in fleet.containers(array).items()}

    assert wait_for(lambda: process.poll() is not None or len(found()) >= ELEMENTS, 180)
    assert process.poll() is None, process.communicate()[0]
    return found()


def files(toolkit: Toolkit) -> dict[str, Path]:
    """Return what the measurement leaves, which has the same bytes wherever it was made."""
    tops = [*toolkit.dataset.glob("images/*/illum"), *toolkit.dataset.glob("workspace/[al]*")]
    found = (path for top in tops for path in top.rglob("*") if path.is_file())
    return {path.relative_to(toolkit.dataset).as_posix(): path for path in found}


def test_jobs_make_in_the_mounted_folder_what_local_containers_make(made, in_docker):
    theirs, ours = files(in_docker[0]), files(made[0])

    assert sorted(ours) == sorted(theirs)
    assert len([name for name in ours if name.endswith("Cells.csv")]) == len(FOUR_WELLS)
    assert [name for name in ours if not filecmp.cmp(ours[name], theirs[name], shallow=False)] == []


def test_an_element_that_is_killed_is_run_again_and_no_other(made):
    toolkit, printed = made
    elements = [len(json.loads(path.read_text())["elements"]) for path in toolkit.root.glob(f"{ARRAYS}/array.json")]

    assert "try 2 after node_lost" in printed
    assert sorted(elements) == [1, ELEMENTS]


def test_all_files_belong_to_whoever_runs_it(made):
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in made[0].root.rglob("*")}

    assert owners == {(os.getuid(), os.getgid())}


def test_a_job_is_repeated_by_its_command_and_nothing_is_kept_of_it(made):
    toolkit = made[0]
    before = {path: path.lstat().st_mtime_ns for path in toolkit.root.rglob("*")}
    command = next(toolkit.root.glob(".work/runs/*/*/load_data/*/*/*/shards/*/command"))
    done = subprocess.run(["sh", command], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert re.search(r"element: exit code 0; it made [1-9]\d* files, and none of them was kept", done.stderr)
    assert {path: path.lstat().st_mtime_ns for path in toolkit.root.rglob("*")} == before


def test_what_a_killed_controller_left_is_adopted(fleet, made, start):
    toolkit = start("adopted")
    shutil.copytree(made[0].root, toolkit.root, dirs_exist_ok=True)
    for pattern in (".work/runs", ".work/manifests/*/*/measure", "cpg0000-jump-pilot/*/workspace/analysis"):
        for path in toolkit.root.glob(pattern):
            shutil.rmtree(path)
    killed = toolkit.start(*MEASURE)
    measuring(fleet, toolkit, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    done = toolkit.luigi(*MEASURE)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "adopted" in done.stderr
    assert len(list(toolkit.root.glob(f"{ARRAYS}/id"))) == 1

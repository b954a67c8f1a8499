"""Another scheduler and another engine: these here do just what docs/extend.md lists, and jobs run with them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from tasks.dataset.layout import REPOSITORY
from tasks.runtime.arrays import array_folder, arrays, queue
from tasks.runtime.arrays.array_folder import ELEMENT, Array
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.queue import ElementState, Queue
from tasks.runtime.arrays.scheduler import Scheduler
from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.engines.engines import Engine
from tests.unit.fakes import make_run, make_stage, wait_until

SITES = ("A01-1", "A02-1", "A03-1")
GOOD = 'echo \'{"warnings": [], "facts": {}}\' >out/result.json'


class PlainShell:
    """An engine that runs each job as a line of shell in the job's folder."""

    name = "plain_shell"

    def __init__(self, line: str = GOOD) -> None:
        self.line = line

    def unusable(self, image: str) -> str | None:
        return None

    def prepare(self, image: str) -> None:
        """Do nothing: there is nothing to convert."""

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name}

    def command(self, job: Job) -> list[str]:
        return ["sh", "-c", f"cd {shlex.quote(str(job.folder))} && {self.line}"]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        began = time.monotonic()
        done = subprocess.run(self.command(job), check=False)
        return Outcome(done.returncode, time.monotonic() - began)


class Children:
    """A scheduler whose elements are processes of this machine."""

    name, remedy = "Children", "look at the processes of this machine"

    def __init__(self) -> None:
        self.elements: dict[str, list[subprocess.Popen[bytes]]] = {}
        self.names: dict[str, str] = {}

    def submit(self, array: Array) -> str:
        array_id = str(100 + len(self.elements))
        words = ["sh", str(ELEMENT), str(array.folder)]
        indices = range(len(array.elements))
        self.elements[array_id] = [
            subprocess.Popen([*words, str(index), array_id], start_new_session=True) for index in indices
        ]
        self.names[array.name] = array_id
        return array_id

    def find(self, name: str) -> str:
        return self.names.get(name, "")

    def adopt(self, array: Array) -> None:
        """Do nothing: all processes are told of."""

    def ask(self) -> queue.Arrays:
        return {
            array_id: [
                ElementState(index, index, _state(each.poll()), f"code {each.poll()}")
                for index, each in enumerate(found)
            ]
            for array_id, found in self.elements.items()
        }

    def judged(self, seen: ElementState, log: Path) -> ElementState:
        return seen

    def cancel(self, array_id: str, indices: Collection[int] = ()) -> None:
        for index, element in enumerate(self.elements[array_id]):
            if (not indices or index in indices) and element.poll() is None:
                os.killpg(element.pid, 9)


def _state(code: int | None) -> str:
    return queue.RUNS if code is None else queue.DONE if code == 0 else queue.LOST


DOUBLES: dict[str, tuple[type, type]] = {"Scheduler": (Scheduler, Children), "Engine": (Engine, PlainShell)}


def members(kind: type) -> set[str]:
    own = {name for name in vars(kind) if not name.startswith("_")}
    return own | {name for name in getattr(kind, "__annotations__", {}) if not name.startswith("_")}


@pytest.mark.parametrize("name", DOUBLES)
def test_the_page_lists_what_a_scheduler_or_an_engine_has_to_do_and_the_doubles_do_no_more(name: str) -> None:
    page = (REPOSITORY / "docs" / "extend.md").read_text(encoding="utf-8")
    section = page.split(f"(`{name}` in")[1].split("\n\n")[1]
    listed = {found[1] for found in re.finditer(r"^\| `(\w+)` \|", section, re.MULTILINE)}
    asked, double = DOUBLES[name]

    assert listed == members(asked)
    assert listed == members(double)


def test_the_page_sends_readers_to_files_that_are_there() -> None:
    page = (REPOSITORY / "docs" / "extend.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tasks|tests)/[\w/.]+\.\w+)`", page))

    assert named
    assert [path for path in named if not (REPOSITORY / path).is_file()] == []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAST_SECONDS", "MOST_SECONDS"):
        monkeypatch.setattr(arrays, name, 0.02)
        monkeypatch.setattr(queue, name, 0.02)


def jobs_of(folder: Path) -> list[Job]:
    return make_run(folder, make_stage("site"), shards=len(SITES), units=SITES).jobs()


def place(folder: Path, cluster: Children, line: str = GOOD) -> Arrays:
    return Arrays(PlainShell(line), cluster, Queue(folder / "queue.json", cluster.ask), grace_seconds=0.0)


def nothing() -> None:
    return None


def test_jobs_run_with_another_scheduler_and_another_engine(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path)
    outcomes = place(tmp_path, Children()).run(jobs, nothing)

    assert [outcome.ok for outcome in outcomes] == [True, True, True]
    assert {outcome.where.rpartition(", ")[2] for outcome in outcomes} == {"100_0", "100_1", "100_2"}
    assert all((job.folder / "out" / "result.json").exists() for job in jobs)


def test_a_program_that_fails_and_an_element_that_is_killed_are_told_apart(tmp_path: Path) -> None:
    jobs, cluster = jobs_of(tmp_path), Children()
    failing = 'case "$PWD" in *1of3*) exit 65;; *2of3*) touch begun; sleep 60;; *) ' + f"{GOOD};; esac"

    def kill_the_second() -> None:
        if (jobs[1].folder / "begun").exists():
            cluster.cancel("100", [1])

    bad_input, killed, good = place(tmp_path, cluster, failing).run(jobs, kill_the_second)

    assert (bad_input.exit_code, bad_input.lost) == (65, "")
    assert killed.lost.startswith("100_1: ")
    assert good.ok


class KilledError(Exception):
    """Ends a run as a kill does: it cleans up nothing."""


def abandoned(folder: Path, cluster: Children, jobs: list[Job], line: str, watch: Callable[[], None]) -> None:
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(Arrays, "_cancel", lambda self, arrays: None)
        place(folder, cluster, line).run(jobs, watch)


def test_what_a_killed_process_submitted_is_adopted_and_runs_once(tmp_path: Path) -> None:
    jobs, cluster = jobs_of(tmp_path), Children()
    line = f"echo ran >>ran && sleep 0.3 && {GOOD}"

    def die() -> None:
        raise KilledError

    abandoned(tmp_path, cluster, jobs, line, die)
    outcomes = place(tmp_path, cluster, line).run(jobs, nothing)

    assert [outcome.ok for outcome in outcomes] == [True, True, True]
    assert [(job.folder / "ran").read_text() for job in jobs] == ["ran\n"] * 3
    assert list(cluster.elements) == ["100"]


def test_an_interrupted_run_leaves_nothing_running(tmp_path: Path) -> None:
    jobs, cluster = jobs_of(tmp_path), Children()

    def interrupt() -> None:
        if all((job.folder / "begun").exists() for job in jobs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place(tmp_path, cluster, "touch begun && sleep 60").run(jobs, interrupt)
    (array,) = array_folder.of_run(tmp_path / "abc123" / "shards")

    assert array.is_cancelled
    assert wait_until(lambda: all(each.poll() is not None for each in cluster.elements["100"]))

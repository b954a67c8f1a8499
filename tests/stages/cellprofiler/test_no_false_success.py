"""What CellProfiler says of itself is not believed: a fake stands in for it and lies in the ways that were seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import FOLDER, REPOSITORY

PIPELINE = "CellProfiler Pipeline: http://www.cellprofiler.org\n" + "\n".join(
    f"{name}:[module_num:{n}|variable_revision_number:1|enabled:{enabled}]\n    Setting:1\n"
    for n, (name, enabled) in enumerate(
        [("LoadData", True), ("Smooth", False), ("SaveImages", True), ("SaveImages", True)], start=1
    )
)
FAKE = """
import json, os, signal, sys
plan = json.loads(os.environ["FAKE"])
print("pid", os.getpid(), file=sys.stderr, flush=True)
for line in plan["log"]:
    print(line, file=sys.stderr, flush=True)
if plan["done"] is not None:
    with open(sys.argv[sys.argv.index("-d") + 1], "w") as done:
        done.write(plan["done"])
if plan["code"] < 0:
    os.kill(os.getpid(), -plan["code"])
if plan["code"] == 1000:
    signal.pause()
sys.exit(plan["code"])
"""
SCRIPT = """
import os, sys, pathlib, pipelines, run_cellprofiler
from stagekit import program
folder = pathlib.Path(sys.argv[1])
pipeline = pipelines.Pipeline("own.cppipe", (folder / "own.cppipe").read_text())
plugins = pathlib.Path(os.environ["PLUGINS"]) if os.environ.get("PLUGINS") else None
paths = folder / "table.csv", ["A01-1", "B02-1"], folder / "out", folder / "scratch", plugins
job = run_cellprofiler.Run(pipeline, *paths)
def main():
    witness = run_cellprofiler.run(job, lambda image, seconds: print(job.sites[image - 1]))
    for why in witness.stock.items():
        print(why)
program.run(main)
"""


def steps(image: int, *modules: str) -> list[str]:
    words = "Sun Nov 22 15:53:23 2026: Image # {}, module {} # 1: CPU_time = 0.10 secs, Wall_time = 0.10 secs"
    return [words.format(image, module) for module in modules]


GOOD = [*steps(1, "LoadData", "SaveImages", "SaveImages"), *steps(2, "LoadData", "SaveImages", "SaveImages")]


@pytest.fixture
def start(cellprofiler_python: Path, tmp_path: Path):
    """Return a function that starts a run whose CellProfiler is the fake, with a plan for it."""
    package = tmp_path / "fake" / "cellprofiler"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE)
    (tmp_path / "own.cppipe").write_text(PIPELINE)
    paths = os.pathsep.join(map(str, [tmp_path / "fake", FOLDER, REPOSITORY / "containers"]))

    def start(
        log: list[str], done: str | None = "Complete\n", code: int = 0, plugins: object = ""
    ) -> subprocess.Popen[str]:
        plan = json.dumps({"log": log, "done": done, "code": code})
        return subprocess.Popen(
            [cellprofiler_python, "-c", SCRIPT, tmp_path],
            env={**os.environ, "PYTHONPATH": paths, "FAKE": plan, "PLUGINS": str(plugins)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def lie(start):
    """Return a function that runs the fake to its end."""

    def run(*words: object, **plan: object) -> subprocess.CompletedProcess[str]:
        process = start(*words, **plan)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def test_a_complete_run_is_believed_and_told_site_by_site(lie):
    ran = lie(GOOD)

    assert (ran.returncode, ran.stdout) == (0, "A01-1\nB02-1\n")


CRASHED = 70


@pytest.mark.parametrize(
    "plan, message",
    [
        ({"log": GOOD, "done": "Failure\n"}, "done file says 'Failure'"),
        ({"log": GOOD, "done": None}, "done file says 'nothing'"),
        ({"log": GOOD, "code": 255}, "left with exit code 255 after its last site"),
        ({"log": GOOD[:4], "done": None, "code": -9}, "-9 (killed: out of memory?) at site B02-1"),
        ({"log": GOOD[:3]}, "site B02-1: LoadData, SaveImages did not run, though CellProfiler reported success"),
        ({"log": GOOD[:-1]}, "site B02-1: SaveImages did not run, though"),
        ({"log": [*GOOD, *steps(3, "LoadData")]}, "it ran image sets [3] that the table does not list"),
        ({"log": [*GOOD, "Failed to complete post_run processing for module ExportToSpreadsheet."]}, "failed after"),
        ({"log": ["Could not load own.cppipe"]}, "failed before its first site, A01-1"),
        ({"log": []}, "site A01-1: LoadData, SaveImages did not run"),
    ],
    ids=["failure", "no-done", "255", "oom", "site-lost", "module-lost", "extra", "post-run", "not-loaded", "nothing"],
)
def test_a_lie_is_told_with_the_site(lie, plan: dict, message: str):
    ran = lie(**plan)

    assert ran.returncode == (CRASHED if plan.get("code") else 65)
    assert message in ran.stderr


def test_a_failure_quotes_cellprofilers_own_words_and_ends_the_run_at_once(lie):
    trouble = ["Error detected during run of module SaveImages", "Traceback", "OSError: No space left on device"]
    ran = lie([*GOOD[:4], *trouble], code=1000)  # 1000: the fake then waits for ever

    assert ran.returncode == 65
    assert "own.cppipe: CellProfiler failed at site B02-1" in ran.stderr
    assert "| OSError: No space left on device" in ran.stderr


def test_a_stale_done_file_is_not_believed(lie, tmp_path: Path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "done.txt").write_text("Complete\n")

    assert "done file says 'nothing'" in lie(GOOD, done=None).stderr


def test_cellprofiler_does_not_outlive_its_program(start):
    ran = start(GOOD[:2], code=1000)
    number = int(ran.stderr.readline().split()[1])
    ran.terminate()
    ran.communicate(timeout=30)

    assert ran.returncode == 128 + signal.SIGTERM
    assert not Path(f"/proc/{number}").exists()


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """Return a folder with two modules that take the place of CellProfiler's own."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("loaddata.py", "saveimages.py", "_shared.py"):
        (folder / name).touch()
    (folder / "_start.py").write_text(START)
    return folder


START = "import runpy; runpy.run_module('cellprofiler', run_name='__main__', alter_sys=True)"


def in_force(folder: Path, *modules: str) -> list[str]:
    where = "Multiple definitions of module {}\n\told in /own/{}.py\n\tnew in {}/{}.py"
    return [where.format(name, name.lower(), folder, name.lower()) for name in modules]


def test_replacements_that_the_log_names_are_believed(lie, plugins: Path):
    ran = lie([*in_force(plugins, "LoadData", "SaveImages"), *GOOD], plugins=plugins)

    assert (ran.returncode, ran.stdout) == (0, "A01-1\nB02-1\n")


@pytest.mark.parametrize("others", [(), ("LoadData",)], ids=["none", "one of two"])
def test_a_module_of_cellprofilers_own_in_place_of_a_replacement_ends_the_run(lie, plugins: Path, others: tuple):
    ran = lie([*in_force(plugins, *others), *GOOD], code=1000, plugins=plugins)

    assert ran.returncode == 65
    assert "saveimages.py: engine = fast is not what it did" in ran.stderr
    assert ("loaddata.py" in ran.stderr.split("runs its own module")[1].splitlines()[0]) == (not others)


def test_a_replacement_from_elsewhere_is_not_believed(lie, plugins: Path, tmp_path: Path):
    ran = lie([*in_force(tmp_path / "other", "LoadData", "SaveImages"), *GOOD], plugins=plugins)

    assert ran.returncode == 65


def test_a_folder_without_replacements_is_not_believed(lie, plugins: Path):
    for path in plugins.glob("[!_]*.py"):
        path.unlink()
    ran = lie(GOOD, plugins=plugins)

    assert ran.returncode == 65
    assert f"{plugins}/*.py" in ran.stderr


def test_a_replacement_that_cannot_be_loaded_ends_the_run(lie, plugins: Path):
    trouble = ["could not load these modules: saveimages"]
    ran = lie([*in_force(plugins, "LoadData", "SaveImages"), *trouble, *GOOD], plugins=plugins)

    assert ran.returncode == 65


def test_what_ran_stock_is_told_once_for_each_reason(lie, plugins: Path):
    said = [f"SaveImages measures {what} with its stock code: it is masked" for what in ("DNA", "RNA")]
    ran = lie([*in_force(plugins, "LoadData", "SaveImages"), *said, *GOOD], plugins=plugins)

    assert ran.stdout.splitlines()[2:] == ["('SaveImages ran its stock code: it is masked', 'DNA')"]

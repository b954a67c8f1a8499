"""A wheel holds all that the toolkit needs, makes the same results as a clone, and its commands work without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks.dataset.layout import REPOSITORY
from tasks.definitions import recipes, stages

FOLDERS = ("containers", "data", "infrastructure")
HASHES = """
import json
from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.results import equivalence
programs = {name: recipes.program_hash(stage) for name, stage in stages.load().items()}
images = {name: [recipes.environment_hash(name), recipes.recipe_hash(name)] for name in stages.images()}
print(json.dumps([programs, images, len(equivalence.entries()), str(layout.REPOSITORY)]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, without a network; return it."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path) -> Path:
    """Lay what the wheel holds as in an environment; return that folder."""
    folder = wheel.parent / "site-packages"
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def python(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, where it finds the packages of the wheel first."""
    own = {"PYTHONPATH": str(site), "XDG_CACHE_HOME": str(site.parent / "cache")}
    environment = {name: value for name, value in os.environ.items() if name != "LUIGI_CONFIG_PATH"} | own
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_a_wheel_holds_every_file_of_programs_recipes_and_data_and_nothing_that_was_made(wheel: Path) -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS]
    known = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split()
    inside = "platewright/toolkit/"
    held = [name.removeprefix(inside) for name in zipfile.ZipFile(wheel).namelist() if name.startswith(inside)]

    assert sorted(name for name in held if name.partition("/")[0] in FOLDERS) == sorted(
        name for name in known if (REPOSITORY / name).is_file()
    )
    assert {"luigi.cfg", "docs/install.md"} <= {*held}
    assert any(name.endswith(".dist-info/licenses/NOTICE.md") for name in zipfile.ZipFile(wheel).namelist())


def test_a_wheel_lays_four_folders_into_an_environment(site: Path) -> None:
    assert sorted(path.name.partition("-")[0] for path in site.iterdir()) == [
        "platewright", "platewright", "stagekit", "tasks",
    ]  # fmt: skip


def test_programs_and_images_have_the_same_hashes_from_a_wheel_as_from_a_clone(site: Path, tmp_path: Path) -> None:
    done = python(site, tmp_path, "-c", HASHES)
    programs, images, entries, files = json.loads(done.stdout)

    assert Path(files) == site / "platewright/toolkit"
    assert programs == {name: recipes.program_hash(stage) for name, stage in stages.load().items()}
    assert images == {name: [recipes.environment_hash(name), recipes.recipe_hash(name)] for name in stages.images()}
    assert entries > 0


def test_commands_of_a_wheel_write_nothing_where_it_lies(site: Path, tmp_path: Path) -> None:
    before = sorted(path for path in site.rglob("*") if "__pycache__" not in path.parts)
    made = python(site, tmp_path, "-m", "platewright", "init", "my_screen")
    status = python(site, tmp_path / "my_screen", "-m", "platewright", "status", "--json")
    usage = python(site, tmp_path, "-m", "platewright", "--help")

    assert usage.stdout.startswith("usage: platewright ")
    assert (made.returncode, made.stderr) == (0, "")
    assert (status.returncode, json.loads(status.stdout)) == (0, [])
    assert sorted(path for path in site.rglob("*") if "__pycache__" not in path.parts) == before


@pytest.mark.parametrize("name", ["tasks.py", "tasks/__init__.py"])
@pytest.mark.parametrize("command", ["main", "luigi"])
def test_another_module_tasks_that_stands_first_is_named_in_one_line(
    command: str, name: str, site: Path, tmp_path: Path
) -> None:
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("raise AssertionError('it was imported')\n")
    done = python(site, tmp_path, "-c", f"from platewright.__main__ import {command}; {command}()")

    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert str(own) in done.stderr


def test_a_shells_completion_knows_every_command(site: Path, tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    done = python(site, tmp_path, "-m", "platewright", "--print-completion", "bash")

    assert "add-plate" in done.stdout
    assert " -F _shtab_platewright platewright" in done.stdout

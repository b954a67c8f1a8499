"""The wheel with its lock runs on every Python that docs/install.md promises, where this machine has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks.dataset.layout import REPOSITORY

UV = Path(sys.executable).with_name("uv")
OTHERS = ("3.12", "3.13")
"""All other tests are of 3.11."""
PROGRAMS = ("__main__.py", "luigi_command.py")
OF_A_RELEASE = ("attachments.py", "bill_of_materials.py")
"""They import what only the tests' environment has."""


def found(version: str) -> str:
    """Return the path of a Python of this machine; skip the test where there is none."""
    words = [str(UV), "python", "find", "--no-python-downloads", "--system", version]
    own = os.environ | ({"PYENV_VERSION": pyenv_versions()} if shutil.which("pyenv") else {})
    done = subprocess.run(words, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine has no Python {version}")
    return done.stdout.strip()


def pyenv_versions() -> str:
    """Return all that pyenv has: its commands python3.12, ... work for versions that are named only."""
    words = ["pyenv", "versions", "--bare"]
    return ":".join(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module", params=OTHERS)
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment of that Python, with the lock's packages and the wheel."""
    folder = tmp_path_factory.mktemp("python")
    wheel = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    make = [str(UV), "venv", "--quiet", "--python", found(request.param), str(folder / "venv")]
    fill = [str(UV), "pip", "install", "--quiet", "--python", str(folder / "venv"), "--no-deps"]
    locked = [*fill, "--require-hashes", "--only-binary=:all:", "--requirement", "requirements.lock"]
    for words in (wheel, make, locked):
        subprocess.run(words, cwd=REPOSITORY, capture_output=True, check=True)
    subprocess.run([*fill, *map(str, folder.glob("*.whl"))], capture_output=True, check=True)
    return folder / "venv"


def typed(environment: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command of the environment."""
    own = {name: value for name, value in os.environ.items() if name not in ("LUIGI_CONFIG_PATH", "PYTHONPATH")}
    command = [str(environment / "bin" / words[0]), *words[1:]]
    return subprocess.run(command, cwd=cwd, env=own, capture_output=True, text=True, check=False)


def test_a_folder_is_begun_looked_at_and_refused_without_plates(environment: Path, tmp_path: Path) -> None:
    begun = typed(environment, tmp_path, "platewright", "init", "mine", "--plates", "P1")
    status = typed(environment, tmp_path / "mine", "platewright", "status", "--json")
    run = typed(environment, tmp_path / "mine", "luigi", "--module", "tasks", "RunBatch", "--batch-id", "absent")

    assert (begun.returncode, begun.stderr) == (0, "")
    assert (status.returncode, json.loads(status.stdout)) == (0, [])
    assert run.returncode == 35
    assert "absent/barcode_platemap.csv: the list of plates of batch absent is not there" in run.stderr


def test_every_module_of_the_wheel_can_be_imported(environment: Path, tmp_path: Path) -> None:
    modules = sorted(
        path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".")
        for path in (REPOSITORY / "tasks").rglob("*.py")
        if path.name not in (*PROGRAMS, *OF_A_RELEASE)
    )
    text = f"import importlib\nfor name in {modules}: importlib.import_module(name)\nprint('all')"
    done = typed(environment, tmp_path, "python", "-W", "error::SyntaxWarning", "-c", text)

    assert len(modules) > 200
    assert done.stdout == "all\n", done.stderr


def test_the_wheel_says_which_pythons_it_is_for(environment: Path) -> None:
    (wheel,) = environment.parent.glob("*.whl")
    (text,) = (zipfile.ZipFile(wheel).read(name).decode() for name in zipfile.ZipFile(wheel).namelist()
               if name.endswith("/METADATA"))  # fmt: skip

    assert "Requires-Python: >=3.11" in text

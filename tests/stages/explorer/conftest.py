"""How the explorer's programs are called, and a plate drawn for them whose cells bear marks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.stages import warm
from tests.stages.explorer.marked_plate import MarkedPlate

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "containers" / "explorer"
sys.path.insert(0, str(PROGRAMS))  # the modules that need numpy only are tested in this process

LIBRARIES = ("numpy", "PIL.Image", "tifffile", "imagecodecs")
OWN = {"PYTHONPATH": str(ROOT / "containers"), "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class Outcome:
    """What a program did, and where its files are."""

    code: int
    stderr: str
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def script(self, path: str) -> Any:
        """Return the value that a script gives the page."""
        text = (self.folder / path).read_text()
        assert text.startswith("explorer.add(") and text.endswith(");\n")
        return json.loads(f"[{text[len('explorer.add(') : -len(');') - 1]}]")[1]


Program = Callable[..., Outcome]


def run_program(python: Path, folder: Path, name: str, plate: str, **flags: Any) -> Outcome:
    """Run a program by its name and flags, in a folder that is made for it."""
    folder.mkdir(parents=True)
    words = [str(PROGRAMS / f"{name}.py"), "--plate", plate, "--output", str(folder / "out")]
    for flag, value in flags.items():
        values = value if isinstance(value, list) else [folder / value if flag.startswith("write_") else value]
        words += [f"--{flag}", *map(str, values)]
    done = warm.process(python, LIBRARIES, tuple(OWN.items())).run(words, {**os.environ, **OWN})
    result = folder / "out" / "result.json"
    told = json.loads(result.read_text()) if result.exists() else {}
    return Outcome(done.returncode, done.stderr, folder, **told)


@pytest.fixture
def program(explorer_python: Path, tmp_path: Path) -> Program:
    """Return a function that runs a program by its name and flags in a folder of its own."""
    count = iter(range(1000))

    def run(name: str, plate: str, **flags: Any) -> Outcome:
        return run_program(explorer_python, tmp_path / f"run{next(count)}", name, plate, **flags)

    return run


@pytest.fixture
def plate(tmp_path: Path) -> MarkedPlate:
    return MarkedPlate.draw(tmp_path / "plate", "P1")


@pytest.fixture
def explored(program: Program) -> Callable[..., Outcome]:
    """Return a function that runs explore_plate on a drawn plate, with other flags if given."""

    def run(plate: MarkedPlate, **flags: Any) -> Outcome:
        return program("explore_plate", plate.name, **{**plate.flags(), **flags})

    return run


Shown = tuple[MarkedPlate, Outcome]


@pytest.fixture(scope="session")
def shown(explorer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A plate, and what is shown of it; nobody changes them."""
    folder = tmp_path_factory.mktemp("shown")
    plate = MarkedPlate.draw(folder / "P1", "P1")
    doubts = {"suspicious": '["the cells look strange. Look closer"]'}
    done = run_program(explorer_python, folder / "run", "explore_plate", "P1", **{**plate.flags(), **doubts})
    assert done.code == 0, done.stderr
    return plate, done


@pytest.fixture(scope="session")
def without_pictures(explorer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A plate without images, and what is shown of it; nobody changes them."""
    folder = tmp_path_factory.mktemp("without")
    plate = MarkedPlate.draw(folder / "P2", "P2")
    absent = {"load_data": [], "images": [], "analysis": []}
    done = run_program(explorer_python, folder / "run", "explore_plate", "P2", **{**plate.flags(), **absent})
    assert done.code == 0, done.stderr
    return plate, done

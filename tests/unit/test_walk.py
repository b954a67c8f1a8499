"""How far a plate's name goes: from a task that bears it to the words that its program is called with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tasks.dataset.layout import REPOSITORY
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

MOST_FILES = 12
"""More than these a newcomer need not open to follow it; before tasks had a StageSpec there were 22."""


@contextmanager
def files_that_are_handed(name: str) -> Iterator[set[str]]:
    """Collect the files of tasks/ whose functions are called with a name, or with something that bears it."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event != "call" or not path.is_relative_to(REPOSITORY / "tasks"):
            return
        sys.setprofile(None)  # what is asked of the arguments calls functions itself
        if any(value == name or getattr(value, "plate", None) == name for value in frame.f_locals.values()):
            found.add(path.relative_to(REPOSITORY).as_posix())
        sys.setprofile(note)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("stage", ["annotate", "normalize"])
def test_a_plates_name_enters_few_files_on_its_way_to_a_program(stage: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    kind = pipeline.stage_tasks()[stage]
    with files_that_are_handed(PLATE) as entered:
        task = kind(batch_id=BATCH, plate=PLATE)
        words = task.describe(task.fingerprint()).jobs()[0].words

    assert PLATE in words
    assert {"tasks/stage_tasks/stage.py", "tasks/execution/stage_run.py"} <= entered
    assert len(entered) <= MOST_FILES, sorted(entered)

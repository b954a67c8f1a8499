"""Programs of an image import each other by bare names: none of them may be the name of something else on its path."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tasks.dataset import layout
from tasks.definitions import stages

LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")}


def installed(folder: Path) -> set[str]:
    """Return the names of the packages that an image's locks install, written as modules are."""
    names = {name for lock in folder.glob("*.lock") for name in LOCKED.findall(lock.read_text())}
    return {re.sub(r"[-.]", "_", name).lower() for name in names}


def packages() -> set[str]:
    return {path.parent.name for path in layout.CONTAINERS.glob("*/__init__.py")}


@pytest.mark.parametrize("image", stages.stage_images())
def test_no_module_of_an_image_bears_the_name_of_what_it_may_import(image: str) -> None:
    own = modules(layout.CONTAINERS / image)

    assert own
    assert own & sys.stdlib_module_names == set()
    assert own & installed(layout.CONTAINERS / image) == set()
    assert own & packages() == set()


def test_only_what_images_share_is_a_package() -> None:
    """An image's folder may have its library's name (pycytominer), and would hide it as a package."""
    assert packages() & set(stages.stage_images()) == set()
    assert {"batch_agent", "stagekit"} <= packages()

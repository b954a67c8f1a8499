"""`tasks` stays a house that a newcomer can find things in: few loose modules, packages in layers, no circle."""

from __future__ import annotations

import re
import tomllib

import pytest

from tasks.dataset.layout import REPOSITORY
from tests import structure
from tests.structure import Structure

MOST_LOOSE_MODULES = 6


@pytest.fixture(scope="module")
def ours() -> Structure:
    return structure.read()


def test_at_most_six_modules_of_tasks_lie_in_no_package(ours: Structure) -> None:
    assert len(ours.loose) <= MOST_LOOSE_MODULES, sorted(ours.loose)


def test_packages_do_not_import_each_other_in_a_circle(ours: Structure) -> None:
    assert ours.circles == []


def test_every_part_stands_above_all_that_it_imports(ours: Structure) -> None:
    assert all(ours.floors[part] > ours.floors[other] for part, other in ours.arrows)


def test_a_circle_is_found() -> None:
    circular = Structure({"a": 1, "b": 1, "c": 1}, {"a": {"b"}, "b": {"c"}, "c": {"b"}}, set())

    assert sorted({part for arrow in circular.circles for part in arrow}) == ["b", "c"]


def test_the_picture_of_the_architecture_shows_the_packages_in_their_order() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [name for name in contracts["contracts"][0]["layers"] if not name.startswith("(")]
    picture = (REPOSITORY / "docs" / "architecture.svg").read_text(encoding="utf-8")

    assert [name for name in re.findall(r">(\w+)</text>", picture) if name in layers] == layers

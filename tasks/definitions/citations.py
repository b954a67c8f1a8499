"""What to cite for what was made by stages: data/citations.toml, by what their programs import and what they are."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib import metadata

from tasks.dataset import layout, toolkit
from tasks.definitions import recipes, stages
from tasks.definitions.stages import Stage


@dataclass(frozen=True)
class Work:
    """A publication or program to cite; the stages that it is cited for."""

    name: str
    text: str
    """Authors, title, where and when it appeared; it ends with its DOI or address."""
    stages: tuple[str, ...]


def of(used: Collection[str]) -> list[Work]:
    """Return what to cite if these stages were used, Platewright first; a stage that is no more is passed over."""
    names = tuple(name for name in stages.load() if name in used)
    version = metadata.version(toolkit.NAME)
    found = [
        Work("Platewright", f"The Platewright developers. Platewright {version}: Luigi tasks for Cell Painting.", names)
    ]
    for work in _table():
        own = tuple(name for name in names if _is_of(work, stages.stage(name)))
        found += [Work(str(work["name"]), str(work["text"]), own)] if own else []
    return found


def _is_of(work: dict[str, str | list[str]], stage: Stage) -> bool:
    return stage.name in work.get("stages", ()) or bool(recipes.imported_modules(stage) & {*work.get("imports", ())})


@functools.cache
def _table() -> list[dict[str, str | list[str]]]:
    path = layout.REPOSITORY / "data" / "citations.toml"
    works: list[dict[str, str | list[str]]] = tomllib.loads(path.read_text(encoding="utf-8"))["work"]
    return works

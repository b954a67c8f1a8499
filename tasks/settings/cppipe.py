"""A .cppipe file as text: its modules, and the images that it loads. Nothing of CellProfiler is needed to look."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from tasks.dataset.layout import REPOSITORY

HEAD = "CellProfiler Pipeline:"
MODULE = re.compile(r"(\w+):\[(?=.*module_num:\d+).*enabled:(True|False).*\]\s*")
SETTING = re.compile(r"    ([^:]*):(.*)")
TEMPLATE = re.compile(r"(#|\$for channel|\$end)")
LOADED = ("Orig", "Illum")
"""What the names of loaded images begin with, before the channel's."""
MODULES = REPOSITORY / "data" / "cellprofiler_modules.txt"
"""The names of the modules that the image's CellProfiler has, one a line."""


@dataclass(frozen=True)
class Module:
    """A module of a pipeline, and its settings in order."""

    name: str
    enabled: bool
    settings: tuple[tuple[str, str], ...]


def check(path: Path) -> None:
    """Raise ValueError, with what is wrong in words, if a file is no pipeline, or no module of that name is there."""
    modules, known = read(path), MODULES.read_text(encoding="utf-8").split()
    for module in modules:
        if module.enabled and module.name not in known:
            near = get_close_matches(module.name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"CellProfiler has no module {module.name}{meant} (a plugin of your own is not taken)")
    if not any(module.enabled and module.name == "LoadData" for module in modules):
        raise ValueError("it has no LoadData module that is enabled: a stage gives its images as a table of LoadData")


def read(path: Path) -> list[Module]:
    """Return a pipeline's modules; raise ValueError, with what is wrong in words, if it is none."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if not any(line.startswith(HEAD) for line in lines):
        raise ValueError(f"it is no CellProfiler pipeline (.cppipe): no line begins with {HEAD!r}")
    found: list[tuple[str, bool, list[tuple[str, str]]]] = []
    for number, line in enumerate(lines, start=1):
        module, setting = MODULE.fullmatch(line), SETTING.fullmatch(line)
        if module:
            found.append((module[1], module[2] == "True", []))
        elif setting and found:
            found[-1][2].append((setting[1], setting[2]))
        elif found and line.strip() and not TEMPLATE.match(line):
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is neither a module nor a setting of one")
    if not found:
        raise ValueError("it is a CellProfiler pipeline without a module")
    return [Module(name, enabled, tuple(settings)) for name, enabled, settings in found]


def unknown_images(path: Path, channels: Collection[str]) -> list[str]:
    """Return the loaded images that a pipeline names, and that a plate of these channels does not have."""
    modules = [module for module in read(path) if module.enabled]
    made = {value for module in modules for key, value in module.settings if key.startswith("Name ")}
    known = {f"{prefix}{channel}" for prefix in LOADED for channel in channels}
    return sorted({name for name in _selected(modules) if name.startswith(LOADED)} - made - known)


def _selected(modules: list[Module]) -> Iterator[str]:
    """Yield the images that modules take; of a template none that a placeholder stands for."""
    for key, value in (setting for module in modules for setting in module.settings):
        if key.startswith("Select") and "$" not in value:
            yield from (name.strip() for name in value.split(","))

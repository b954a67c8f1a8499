"""The modules that take the place of CellProfiler's own, and the proof from its log that they were in force.

CellProfiler goes on with its own module, and exits 0, when a plugin cannot be imported or its folder is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "plugins"
NAMED = re.compile(r"Multiple definitions of module (\w+)")
NEW = re.compile(r"^\s*new in (.+)$")
STOCK = re.compile(r"(\w+) measures (.+) with its stock code: (.+)$")


@dataclass
class Witness:
    """What the log says of the replacements in a folder; without a folder, none is expected."""

    folder: Path | None
    in_force: set[str] = field(default_factory=set)
    stock: dict[str, str] = field(default_factory=dict)
    """Why a module fell back to its stock code, with the first thing that it so measured."""
    _files: dict[str, str] = field(default_factory=dict)
    _named: str = ""

    def __post_init__(self) -> None:
        if self.folder is not None:
            # CellProfiler takes every file but those that start with an underscore, and says nothing if there is none.
            found = {path.stem: path.name for path in self.folder.glob("[!_]*.py")}
            self._files = found or {"": f"{self.folder}/*.py"}

    def read(self, line: str) -> None:
        """Take in a line of the log."""
        named, new, stock = NAMED.search(line), NEW.search(line.rstrip()), STOCK.search(line.rstrip())
        if named:
            self._named = named[1]
        elif new and self.folder and Path(new[1]).parent == self.folder:
            self.in_force.add(self._named)
        elif stock:
            self.stock.setdefault(f"{stock[1]} ran its stock code: {stock[3]}", stock[2])

    def missing(self) -> list[str]:
        """Return the files whose module is not in force."""
        named = {name.lower() for name in self.in_force}
        return sorted(name for stem, name in self._files.items() if stem not in named)

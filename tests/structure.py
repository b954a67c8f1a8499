"""Print how `tasks` is built: `python -m tests.structure` (packages, loose modules, floors, arrows, circles).

A part is a package or a loose module of `tasks`. An arrow goes from a part to one that it imports. A part's floor is
the length of the longest chain of arrows that starts at it: a part is above all that it imports.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import grimp

ROOT = "tasks"


@dataclass(frozen=True)
class Structure:
    """The parts of `tasks`: each one's modules and lines of code, and what it imports."""

    modules: Mapping[str, int]
    imports: Mapping[str, Set[str]]
    loose: Set[str]

    @property
    def arrows(self) -> list[tuple[str, str]]:
        return [(part, other) for part in sorted(self.imports) for other in sorted(self.imports[part])]

    @property
    def circles(self) -> list[tuple[str, str]]:
        """Return the arrows of a circle, or nothing."""
        try:
            TopologicalSorter(self.imports).prepare()
        except CycleError as error:
            return list(pairwise(error.args[1]))
        return []

    @property
    def floors(self) -> dict[str, int]:
        """Return every part's floor, counted from 1; the parts must have no circle."""
        found: dict[str, int] = {}
        for part in TopologicalSorter(self.imports).static_order():
            found[part] = 1 + max((found[other] for other in self.imports[part]), default=0)
        return found


def read() -> Structure:
    """Return the structure of the code that is here."""
    graph = grimp.build_graph(ROOT, cache_dir=None)
    parts = graph.find_children(ROOT)
    below = {part: {part, *graph.find_descendants(part)} for part in parts}
    whose = {module: part for part, modules in below.items() for module in modules}
    imports = {
        part: {
            whose[other] for module in modules for other in graph.find_modules_directly_imported_by(module) & {*whose}
        }
        - {part}
        for part, modules in below.items()
    }
    return Structure(
        {part: len(modules) for part, modules in below.items()},
        imports,
        {part for part, modules in below.items() if len(modules) == 1} | {ROOT},  # tasks/__init__.py is one, too
    )


def main() -> int:
    """Print the structure; return 1 if there is a circle."""
    found = read()
    circles = found.circles
    print(f"loose modules        {len(found.loose)}: {', '.join(sorted(found.loose))}")
    print(f"packages             {len(found.modules) - len(found.loose) + 1}")
    print(f"arrows between parts {len(found.arrows)}")
    if circles:
        print("circle               " + ", ".join(f"{part} -> {other}" for part, other in circles))
        return 1
    print("circles              0")
    print(f"floors               {max(found.floors.values())}")
    for part, floor in sorted(found.floors.items(), key=lambda item: (-item[1], item[0])):
        others = ", ".join(sorted(other.removeprefix(f"{ROOT}.") for other in found.imports[part])) or "none"
        print(f"  {floor:>3} {part:<24} {found.modules[part]:>3} modules; imports {others}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

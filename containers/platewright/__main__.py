"""The commands `platewright` and `luigi`: those of the package tasks that came with this one, and of no other."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

EXIT_SETTINGS = 2
BESIDE = Path(__file__).resolve().parents[1]
OURS = (BESIDE.parent if BESIDE.name == "containers" else BESIDE) / "tasks" / "__init__.py"
"""In a clone this package lies in containers/, in a wheel beside tasks."""


def main() -> int:
    """Do what `python -m tasks` does; return the exit code."""
    _refuse_another_tasks()
    from tasks.__main__ import main as run  # only now is it known to be ours

    return run("platewright")


def luigi() -> None:
    """Do what Luigi's command does, once luigi.cfg was found good."""
    _refuse_another_tasks()
    from tasks.commands import luigi_command

    luigi_command.main()


def _refuse_another_tasks() -> None:
    """End with one line if Python would import another module of the name tasks than ours."""
    found = importlib.util.find_spec("tasks")
    origin = Path(found.origin).resolve() if found and found.origin else None
    if origin != OURS:
        another = f"Python finds another module of that name first: {origin}" if origin else "Python does not find it"
        remedy = "give that one another name, go to another folder, or take its folder out of PYTHONPATH"
        print(f"ERROR: platewright needs its own package tasks, {OURS.parent}; {another}; {remedy}", file=sys.stderr)
        sys.exit(EXIT_SETTINGS)


if __name__ == "__main__":
    sys.exit(main())

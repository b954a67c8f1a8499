"""The command `luigi` of this environment: Luigi's own, once luigi.cfg was found good (Luigi shows a traceback)."""

from __future__ import annotations

import sys
from pathlib import Path

import luigi.cmdline  # after the package tasks, which checks first whether luigi.cfg can be read

from tasks.errors import StageError
from tasks.settings import luigi_file
from tasks.stage_tasks import start


def main() -> None:
    """Check luigi.cfg, also the sections that Luigi reads before it makes a task; then do what Luigi's command does."""
    if not luigi_file.there():
        print(f"WARNING: {Path.cwd()} has no luigi.cfg: {luigi_file.REMEDY}", file=sys.stderr)
    try:
        start.begin()
    except StageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(start.EXIT_SETTINGS)
    luigi.cmdline.luigi_run()

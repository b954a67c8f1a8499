"""The host side: everything that speaks Luigi or starts anything. Importing it finds every task and reads luigi.cfg."""

from __future__ import annotations

import sys

from tasks import console, pipeline, setting_checks
from tasks.errors import StageError
from tasks.pipeline import *  # noqa: F403  (so that `luigi --module tasks` finds every task)

console.set_up()
try:
    setting_checks.check(pipeline.stage_settings())
except StageError as error:
    print(f"ERROR: {error}", file=sys.stderr)
    sys.exit(2)

"""The host side: everything that speaks Luigi or starts anything. Every task can be found from here.

Importing it only defines classes: luigi.cfg is read, and Ctrl-C and logs are seen to, when the first task is made.
"""

from __future__ import annotations

import sys

from tasks.errors import StageError
from tasks.settings import luigi_file

try:
    luigi_file.check()  # Luigi reads the file as it is imported, and fails with a traceback where it cannot
except StageError as error:
    print(f"ERROR: {error}", file=sys.stderr)
    sys.exit(2)

from tasks.workflow.pipeline import *  # noqa: E402, F403  (so that `luigi --module tasks` finds every task)

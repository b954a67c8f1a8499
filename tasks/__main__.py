"""`python -m tasks <verb>`: everything beside the runs themselves."""

from __future__ import annotations

import sys

from tasks.commands.verbs import ELSEWHERE, PROGRAM, VERBS, parser
from tasks.errors import StageError
from tasks.settings import settings
from tasks.stage_tasks import start


def main(called: str = PROGRAM) -> int:
    """Read the verb and its flags, do it, and return the exit code; `called` is the command's name in its help."""
    try:
        start.begin()
    except StageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return start.EXIT_SETTINGS
    args = parser(__doc__, called).parse_args()
    try:
        if VERBS[args.verb] not in ELSEWHERE:
            settings.load().store.refresh()
        code: int = VERBS[args.verb].act(args)
        return code
    except StageError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

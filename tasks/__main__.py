"""`python -m tasks <verb>`: everything beside the runs themselves."""

from __future__ import annotations

import argparse
import sys

from tasks import settings
from tasks.errors import StageError
from tasks.verbs import browse, clean, demo, doctor, explain, images, logs, plan, provenance, retry, status, verify

MODULES = (browse, clean, demo, doctor, explain, images, logs, plan, provenance, retry, status, verify)
ELSEWHERE = (browse, doctor, images)
"""What does not look at the data root: it works, and tells what is wrong, also where there is none."""
VERBS = {module.__name__.rpartition(".")[2]: module for module in MODULES}


def main() -> int:
    """Read the verb and its flags, do it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tasks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    for name, module in VERBS.items():
        first = (module.__doc__ or "").splitlines()[0]
        module.add(verbs.add_parser(name, help=first, description=module.__doc__))
    args = parser.parse_args()
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

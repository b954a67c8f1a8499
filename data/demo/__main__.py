"""Write the demo batch into a data root: python -m data.demo --root ROOT --project PROJECT --source SOURCE."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from data.demo.batch import write_batch
from data.demo.plan import BATCH, FOUR_WELLS, PLATES, SEED, wells


def names(known: Sequence[str], what: str, text: str) -> list[str]:
    """Split a list of names, and refuse an unknown one."""
    chosen = text.split(",")
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        message = f"no {what} {', '.join(unknown)} in {BATCH}; it has {', '.join(known)}"
        raise argparse.ArgumentTypeError(message)
    return chosen


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    flags = argparse.ArgumentParser(prog="python -m data.demo", description=__doc__)
    flags.add_argument("--root", required=True, type=Path, help="the data root ([paths] root of luigi.cfg)")
    flags.add_argument("--project", required=True)
    flags.add_argument("--source", required=True)
    least = ",".join(FOUR_WELLS)
    flags.add_argument("--plates", type=partial(names, PLATES, "plate"), default=list(PLATES), help="A,B: only these")
    flags.add_argument(
        "--wells", type=partial(names, list(wells()), "well"), default=[], help=f"only these, at least {least}"
    )
    flags.add_argument("--seed", type=int, default=SEED)
    return flags


def main() -> None:
    """Write what is missing, and say what was done."""
    args = parser().parse_args()
    home = args.root / args.project / args.source
    total = 0
    for done, total in write_batch(home, args.plates, args.wells, args.seed):
        if done and sys.stderr.isatty():
            print(f"\r{BATCH}: {done} of {total} wells drawn", end="", file=sys.stderr, flush=True)
    if total and sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # the line is cleared: the last one is shorter
    print(f"{BATCH}: {total} wells drawn" if total else f"{BATCH}: every image is there already")


if __name__ == "__main__":
    main()

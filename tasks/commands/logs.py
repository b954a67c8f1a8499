"""Show the tries of a stage on a plate, or of one of its sites or channels, and the log of the last that failed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import errors
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import status
from tasks.results.status import State
from tasks.settings import settings

LINES = 40


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", help="for example measure")
    parser.add_argument("plate", help="the plate, or the set of plates")
    parser.add_argument("unit", nargs="?", default="", metavar="site", help="a site (A01-1) or channel (DNA)")
    parser.add_argument("--batch-id", default="", help="needed if the plate is in several batches")
    parser.add_argument("--lines", type=int, default=LINES, help=f"so many of the log, 0 for all ({LINES})")
    parser.add_argument("--json", action="store_true", help="print the tries and the paths of their logs for programs")


def act(args: argparse.Namespace) -> int:
    layout = settings.load().layout
    state = _one(layout, args)
    tries = list(_tries(layout, state, args.unit))
    if args.json:
        print(json.dumps(tries, indent=1))
        return 0
    if not tries:
        what = f"of {args.unit} " if args.unit else ""
        why = f" ({state.state}: {state.said})" if state.said else ""
        message = f"{args.stage}/{args.plate}: no try {what}has left a log{why}; see: python -m tasks status"
        raise MissingInputError(message)
    for each in tries:
        reason = each["reason"] or "ended well"
        print(f"try {each['attempt']}, {reason}, {each['seconds']:.1f} s, {each['job']}: {each['log']}")
    last = next((each for each in reversed(tries) if each["reason"]), tries[-1])
    print(f"\n{last['log']}:")
    print("\n".join(_end(Path(last["log"]), args.lines)))
    return 0


def _one(layout: Layout, args: argparse.Namespace) -> State:
    """Return the state that is asked for; raise MissingInputError if there is none, or more than one."""
    found = status.look(
        layout, args.batch_id, args.plate, args.stage, whole=True, is_held=settings.load().store.is_held
    )
    if not found:
        known = {state.subject for state in status.look(layout, args.batch_id, "", args.stage)}
        raise MissingInputError(errors.unknown(f"run of {args.stage} on", args.plate, known, str(layout.ledgers)))
    if len(found) > 1:
        batches = " | ".join(state.batch for state in found)
        raise MissingInputError(f"{args.stage}/{args.plate} was run in several batches, name one: --batch-id {batches}")
    return found[0]


def _tries(layout: Layout, state: State, unit: str) -> Iterator[dict[str, Any]]:
    told = state.history
    for line in told.attempts if told else ():
        if unit in ("", *line["units"]):
            yield _told(layout, line)
    if told and state.state == status.RUNNING:
        for path in sorted((layout.root / told.run / "shards").glob("*/job.json")):
            job = json.loads(path.read_text(encoding="utf-8"))
            if unit in ("", *job["units"]) and not any(line["job"] == path.parent.name for line in told.attempts):
                now = {"job": path.parent.name, "attempt": job["attempt"], "reason": "running", "seconds": 0.0}
                yield {**now, "units": job["units"], "said": "", "log": str(path.parent / "stderr.log")}


def _told(layout: Layout, line: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: line[name] for name in ("job", "attempt", "reason", "seconds", "said", "exit_code", "peak_memory_gb")}
    return {**kept, "units": list(line["units"]), "log": str(layout.root / line["log"])}


def _end(log: Path, lines: int) -> list[str]:
    if not settings.load().store.ensure_local(log).exists():
        return ["(it is gone)"]
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]

"""Show that programs which were moved or reworded make the same bytes, so that earlier results stay complete.

Results that an earlier program made are made again by the present one, from the same settings and inputs, and compared.
Where all bytes are the same an entry is written to containers/equivalent_programs.toml; it belongs into the same commit
as the program. Nothing is published, and a result that differs gets no entry.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tasks.commands import remake
from tasks.commands.remake import DIFFERS, KNOWN, REFUSED, SAME, Remade
from tasks.dataset import layout
from tasks.definitions import stages
from tasks.errors import MissingInputError, SettingsError
from tasks.results import equivalence
from tasks.results.equivalence import Code, Entry
from tasks.settings import settings

ALL = "all"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", help="or all: every stage that the batch has results of")
    parser.add_argument("--batch-id", required=True, help="the batch whose results are made again")
    parser.add_argument("--plate", default="", help="of stages that are run on plates: only this plate")
    parser.add_argument("--check", action="store_true", help="compare what the present program made too; write nothing")
    parser.add_argument("--json", action="store_true", help="print what was compared and written for programs")


def act(args: argparse.Namespace) -> int:
    if layout.TOOLKIT.is_installed and not args.check:
        message = f"equivalent: an installed wheel brings its own {equivalence.NAME}, and none is written"
        raise SettingsError(f"{message}; do it in a clone, or only compare: --check")
    wanted = "" if args.stage == ALL else stages.stage(args.stage).name
    found = remake.results(args.batch_id, wanted, args.plate)
    if not found:
        message = f"batch {args.batch_id} has no result of {args.stage} below {settings.load().layout.manifests}"
        raise MissingInputError(f"{message}: make one with the earlier program first")
    compared = []
    for each in found:
        compared.append(remake.again(each, always=args.check))
        print(_told(compared[-1]), file=sys.stderr if args.json else sys.stdout, flush=True)
    written = [] if args.check else equivalence.add(_entries(compared, _command(args)))
    if args.json:
        print(
            json.dumps(
                {"compared": [_plain(each) for each in compared], "written": list(map(asdict, written))}, indent=1
            )
        )
    elif not args.check:
        print(f"{len(written)} entries written to {equivalence.table()}")
    return 1 if any(each.state in (DIFFERS, REFUSED) for each in compared) else 0


def _told(made: Remade) -> str:
    if made.state == KNOWN:
        how = "made by the present program" if made.old == made.new else f"{equivalence.NAME} has it already"
        return f"{made.title}: nothing to compare: {how}"
    if made.state == SAME:
        return f"{made.title}: the same bytes ({made.files} files, {made.bytes:,} bytes)"
    return f"{made.title}: {made.state}: {made.said}"


def _plain(made: Remade) -> dict[str, Any]:
    values = asdict(made)
    found = values.pop("found")
    return {"stage": found["stage"], "batch": found["batch"], "subject": found["plate"], **values}


def _entries(compared: Sequence[Remade], command: str) -> Iterator[Entry]:
    """Yield an entry for every stage and pair of programs of which no result differs and one at least is the same."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    groups: dict[tuple[str, Code, Code], list[Remade]] = {}
    for each in compared:
        groups.setdefault((each.found.stage, each.old, each.new), []).append(each)
    for (stage, old, new), group in groups.items():
        same = [each for each in group if each.state == SAME]
        if same and old != new and not any(each.state == DIFFERS for each in group):
            yield Entry(stage, old, new, _what(same), today, command)


def _what(same: Sequence[Remade]) -> str:
    names = ", ".join(each.found.plate for each in same)
    files, size = sum(each.files for each in same), sum(each.bytes for each in same)
    return f"{names} of {same[0].found.batch}: {files} files, {size} bytes"


def _command(args: argparse.Namespace) -> str:
    plate = ["--plate", args.plate] if args.plate else []
    return shlex.join(["python", "-m", "tasks", "equivalent", args.stage, "--batch-id", args.batch_id, *plate])

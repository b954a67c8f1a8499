"""List what takes room and may be deleted, and why; with --delete, delete it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from tasks.commands import disposable
from tasks.commands.disposable import Deletable

GB = 1e9


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", default="", help="only this batch")
    parser.add_argument("--delete", action="store_true", help="delete what the list says goes; without it nothing is")
    parser.add_argument("--unfinished", action="store_true", help="let runs go too that failed or were stopped")
    parser.add_argument("--json", action="store_true", help="print a list for programs")


def act(args: argparse.Namespace) -> int:
    found = disposable.find(args.batch_id, unfinished=args.unfinished)
    gone = disposable.delete(found) if args.delete else 0
    if args.json:
        print(json.dumps([_told(each) for each in found], indent=1))
        return 0
    _print(found)
    goes = sum(each.bytes for each in found if each.goes)
    print(f"{gone / GB:,.3f} GB deleted" if args.delete else f"{goes / GB:,.3f} GB would go; --delete deletes them")
    return 0


def _told(each: Deletable) -> dict[str, object]:
    paths = [str(path) for path in each.paths]
    return {**{key: getattr(each, key) for key in ("kind", "name", "bytes", "goes", "why")}, "paths": paths}


def _print(found: Sequence[Deletable]) -> None:
    table = Table("", "what", "of", Column("GB", justify="right"), "why")
    for each in sorted(found, key=lambda each: (-each.goes, -each.bytes)):
        table.add_row("goes" if each.goes else "stays", each.kind, each.name, f"{each.bytes / GB:,.3f}", each.why)
    if found:
        Console(markup=False, highlight=False).print(table)

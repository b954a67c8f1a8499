"""List a folder of the gallery: its files and folders, how many files each holds and how many bytes."""

from __future__ import annotations

import argparse
import json

from rich.console import Console
from rich.table import Column, Table

from tasks.stage_tasks import gallery


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="", help="below <project>/<source>; /... is below the bucket")
    parser.add_argument("--most", type=int, default=gallery.MOST, help="count at most so many files")
    parser.add_argument("--json", action="store_true", help="print it for programs")


def act(args: argparse.Namespace) -> int:
    found = gallery.browse(args.folder, args.most)
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    table = Table(found["folder"], Column("files", justify="right"), Column("bytes", justify="right"))
    for entry in found["entries"]:
        more = "" if entry["counted"] else ("more than " if entry["files"] else "not counted")
        counted = (f"{more}{entry['files']:,}", f"{more}{entry['bytes']:,}") if entry["files"] else (more, "")
        table.add_row(entry["name"], *counted)
    Console().print(table)
    return 0

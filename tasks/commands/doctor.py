"""Say what of this machine and these settings is usable, what is not, and what to do about it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.commands import checkup
from tasks.commands.finding import BAD, GOOD, NOTE

STYLES = {GOOD: "green", NOTE: "yellow", BAD: "bold red"}


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a list for programs")


def act(args: argparse.Namespace) -> int:
    found = list(checkup.examine())
    if args.json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        table = Table("", "what", "found", "remedy")
        for finding in found:
            state = Text(finding.state, STYLES[finding.state])
            table.add_row(state, finding.subject, Text(finding.said), Text(finding.remedy))
        Console().print(table)
    return 1 if any(finding.state == BAD for finding in found) else 0

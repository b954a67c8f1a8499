"""Say how every batch stands: stages, units, failures, time left; also while runs are going on in other processes.

What it shows is what was done. Whether a result is still what would be made now, `explain` says.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tasks.commands import show, usage_table
from tasks.results import ledger, status, usage
from tasks.results.status import DONE, FAILED, RUNNING, STOPPED, State
from tasks.settings import settings
from tasks.settings.rate import of_core_hour

SHOWN = 10  # failures
EXPLORE = "explore"
"""The stage that makes a batch's explorer."""
STYLES = {DONE: "green", RUNNING: "cyan", FAILED: "bold red", STOPPED: "yellow"}
NUMBERS = {**STYLES, "units": "", "bad": "red", "left out": "yellow", "time left": "cyan"}
"""The columns after the stage's name, and how they look."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", default="", help="only this batch")
    parser.add_argument("--plate", default="", help="only this plate, or set of plates")
    parser.add_argument("--stage", default="", help="only this stage")
    parser.add_argument("--used", action="store_true", help="core-hours, memory and dollars of what was made, instead")
    parser.add_argument("--watch", action="store_true", help="show it anew every --seconds, until Ctrl-C")
    parser.add_argument("--seconds", type=float, default=2.0, help="for --watch (2)")
    parser.add_argument("--json", action="store_true", help="print a list for programs; with --watch a line each time")


def act(args: argparse.Namespace) -> int:
    if args.used:
        used = usage.look(settings.load().layout, args.batch_id, args.plate, args.stage)
        rate = of_core_hour()
        usage_table.print_json(used, rate) if args.json else usage_table.show(
            used, rate, Console(markup=False, highlight=False)
        )
        return 0
    if not args.watch:
        states = _look(args)
        print(json.dumps(_plain(states), indent=1)) if args.json else Console().print(_shown(states))
        return 0
    if args.json:
        while True:
            print(json.dumps(_plain(_look(args))), flush=True)
            time.sleep(args.seconds)
    with Live(_shown(_look(args)), auto_refresh=False) as live:
        while True:
            time.sleep(args.seconds)
            live.update(_shown(_look(args)), refresh=True)


def _look(args: argparse.Namespace) -> list[State]:
    return status.look(
        settings.load().layout, args.batch_id, args.plate, args.stage, is_held=settings.load().store.is_held
    )


def _plain(states: Sequence[State]) -> list[dict[str, Any]]:
    """Return the states as JSON takes them; of the ledger what concerns the last run as a whole."""
    plain = []
    for state in states:
        entry = {name: value for name, value in asdict(state).items() if name != "history"}
        told = state.history
        entry["run"] = {"began": told.began, "host": told.host, "pid": told.pid, "folder": told.run} if told else None
        plain.append(entry)
    return plain


def _shown(states: Sequence[State]) -> Group:
    if not states:
        return Group(Text("nothing was run here yet"))
    parts: list[Any] = []
    for batch, of_batch in groupby(states, lambda state: state.batch):
        parts += [Text(batch, "bold"), _table(list(of_batch))]
    return Group(*parts, *_queues(states), *_failures(states), *_explorers(states))


def _table(states: Sequence[State]) -> Table:
    """Return a line a stage: how many plates (or sets) are in each state, and how its units ended.

    A column that would be empty is left out, so that the table fits a terminal.
    """
    rows = {stage: _row(list(group)) for stage, group in groupby(states, lambda state: state.stage)}
    filled = [name for name in NUMBERS if any(row[name] for row in rows.values())]
    columns = [Column(name, justify="right", no_wrap=True, style=NUMBERS[name]) for name in filled]
    table = Table(Column("stage", overflow="fold"), *columns, box=box.SIMPLE_HEAD)
    for stage, row in rows.items():
        table.add_row(stage, *(row[name] for name in filled))
    return table


def _row(states: Sequence[State]) -> dict[str, str]:
    count = {name: sum(state.state == name for state in states) for name in status.STATES}
    return {
        **{name: _number(count[name]) for name in status.STATES},
        "units": _units(states),
        "bad": _number(_sum(states, ledger.FAILED)),
        "left out": _number(_sum(states, ledger.QUARANTINED)),
        "time left": _left(states),
    }


def _number(count: int) -> str:
    return str(count) if count else ""


def _sum(states: Sequence[State], of: str) -> int:
    return sum(state.units.get(of, 0) for state in states)


def _units(states: Sequence[State]) -> str:
    total = sum(state.total for state in states)
    return f"{_sum(states, ledger.OK)}/{total}" if total else ""


def _left(states: Sequence[State]) -> str:
    seconds = max((state.seconds_left for state in states if state.seconds_left is not None), default=None)
    if seconds is None:
        return ""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


def _queues(states: Sequence[State]) -> Iterator[Text]:
    """Yield the jobs of a cluster that wait or run."""
    for state in states:
        for array, found in state.queue.items():
            counts = "; ".join(f"{count} {said}" for said, count in found.items())
            yield Text(f"{state.stage}/{state.subject} job {array}: {counts}")


def _explorers(states: Sequence[State]) -> Iterator[Text]:
    """Yield where the explorer of every batch lies that has one."""
    layout = settings.load().layout
    for batch in dict.fromkeys(state.batch for state in states if state.stage == EXPLORE):
        for name, path in show.pages(layout, batch).items():
            if path.is_file():
                of_set = "" if name == batch else f" --plate-set {name}"
                yield Text(f"explorer of {name}: {path}      open: python -m tasks show --batch-id {batch}{of_set}")


def _failures(states: Sequence[State]) -> Iterator[Text]:
    """Yield what failed, stopped or was left out, and where to look."""
    bad = [state for state in states if state.state in (FAILED, STOPPED) or state.bad]
    for state in bad[:SHOWN]:
        yield Text(f"{state.stage}/{state.subject} {state.state}{': ' if state.said else ''}{state.said}")
        for unit in state.bad[:SHOWN]:
            yield Text(f"    {unit.name} {unit.state}, try {unit.attempt}, {unit.reason}: {unit.said}")
    if len(bad) > SHOWN:
        yield Text(f"and {len(bad) - SHOWN} more: --json lists all")
    if bad:
        where = f"{bad[0].stage} {bad[0].subject}" + (f" {bad[0].bad[0].name}" if bad[0].bad else "")
        yield Text(f"look: python -m tasks logs {where}      again: python -m tasks retry")

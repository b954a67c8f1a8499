"""Run again what failed, was stopped, or was left out: finished shards are not repeated.

Stages that wait for these are not run: type the line of the whole run again for them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import luigi

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import ledger, manifest, status
from tasks.results.status import DONE, FAILED, STOPPED, State
from tasks.settings import settings
from tasks.settings.luigi_sections import TASK_FAILED


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", nargs="?", default="", help="only this stage")
    parser.add_argument("plate", nargs="?", default="", help="only this plate, or set of plates")
    parser.add_argument("--batch-id", default="", help="only this batch")
    parser.add_argument("--failed", action="store_true", help="not what was stopped or killed")
    parser.add_argument("--dry-run", action="store_true", help="only list it")
    parser.add_argument("--json", action="store_true", help="print what is run again, and how it stands then")


def act(args: argparse.Namespace) -> int:
    layout, store = settings.load().layout, settings.load().store
    seen = status.look(layout, args.batch_id, args.plate, args.stage, is_held=store.is_held)
    found = [each for each in seen if _is_due(each, args.failed)]
    said = [] if args.json else _said(found)
    print("\n".join(said)) if said else None
    if args.dry_run or not found:
        print(json.dumps(_plain(found), indent=1)) if args.json else None
        return 0
    for state in found:
        _reopen(layout, state)
    good = luigi.build([_task(state) for state in found], local_scheduler=True, log_level="INFO")
    if args.json:
        keys = {(state.stage, state.batch, state.subject) for state in found}
        print(
            json.dumps(_plain([each for each in status.look(layout) if (each.stage, each.batch, each.subject) in keys]))
        )
    return 0 if good else TASK_FAILED


def _is_due(state: State, failed_only: bool) -> bool:
    if state.history is None or not state.history.task:
        return False
    if state.state == DONE:
        return bool(state.units.get(ledger.QUARANTINED))
    return state.state == FAILED or state.state == STOPPED and not failed_only


def _said(states: Sequence[State]) -> list[str]:
    lines = []
    for state in states:
        left_out = state.units.get(ledger.QUARANTINED, 0) if state.state == DONE else 0
        why = f"{left_out} {state.unit}s were left out" if left_out else f"{state.state}: {state.said}"
        lines.append(f"{state.stage}/{state.subject} {why}")
    return lines or ["nothing failed, was stopped or left out"]


def _plain(states: Sequence[State]) -> list[dict[str, Any]]:
    return [
        {"stage": each.stage, "batch": each.batch, "subject": each.subject, "state": each.state, "units": each.units}
        for each in states
    ]


def _reopen(layout: Layout, state: State) -> None:
    """Let a result that lacks units count as stale: what it claims stays where it is until a better one is made."""
    store = settings.load().store
    if state.state != DONE:
        return
    with (
        store.alone(layout.lock(state.stage, state.batch, state.subject), f"{state.stage}/{state.subject}"),
        store.alone(layout.lock_of_sets(state.stage, state.batch), f"{state.stage}/{state.subject}"),
    ):
        store.refresh(now=True)
        path = layout.manifest(state.stage, state.batch, state.subject)
        found = manifest.read(path)
        lacks = found.units.get(ledger.QUARANTINED, 0) if found else 0
        if found and lacks:  # else a run has made them meanwhile
            manifest.write(path, replace(found, fingerprint={**found.fingerprint, manifest.AGAIN: lacks}), store)


def _task(state: State) -> luigi.Task:
    if state.history is None:
        raise MissingInputError(f"{state.stage}/{state.subject}: no ledger says how it was run; type its line again")
    family = luigi.task_register.Register.get_task_cls(str(state.history.task["family"]))
    task: luigi.Task = family.from_str_params(dict(state.history.task["params"]))
    return task

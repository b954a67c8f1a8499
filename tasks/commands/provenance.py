"""Say what was done to a file, or what to cite for it, from its batch's RO-Crate; or write that crate."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tasks.definitions import citations
from tasks.results import provenance
from tasks.results.provenance import History, Step
from tasks.settings import settings


def add(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--file", type=Path, help="a file or folder of the data root: what was done to make it")
    what.add_argument("--batch-id", help="write the batch's crate anew: RunBatch and RunBenchmark do so at their end")
    parser.add_argument(
        "--cite", action="store_true", help="say what to cite for the stages that made it; write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print it for programs")


def act(args: argparse.Namespace) -> int:
    layout = settings.load().layout
    if args.cite:
        return _cite(args)
    if args.batch_id:
        path = provenance.write(layout, args.batch_id, settings.load().store)
        print(json.dumps({"crate": str(path)}) if args.json else path)
        return 0
    found = provenance.history(layout, args.file)
    print(json.dumps(asdict(found), indent=1) if args.json else "\n".join(_lines(found)))
    return 0 if found.unchanged else 1


def _cite(args: argparse.Namespace) -> int:
    """Print what to cite for a batch, or for a file."""
    layout = settings.load().layout
    if args.batch_id:
        used = provenance.stages_of(layout, args.batch_id)
    else:
        used = [step.run.partition("/")[0] for step in provenance.history(layout, args.file).steps]
    works = citations.of(used)
    if args.json:
        print(json.dumps([asdict(work) for work in works], indent=1))
        return 0
    for work in works:
        print(f"{work.name} ({', '.join(work.stages)})\n  {work.text}")
    return 0


def _lines(found: History) -> Iterator[str]:
    for number, step in enumerate(found.steps, start=1):
        yield from _told(number, step)
    yield f"{found.file}"
    if not found.steps:
        yield "  was laid there: no stage made it"
    if not found.unchanged:
        yield "  HAS CHANGED since: its content is not what was recorded"


def _told(number: int, step: Step) -> Iterator[str]:
    yield f"{number}. {step.run}, {step.started} to {step.ended}, by {step.by}"
    yield f"   {step.program} in {step.environment}"
    for name, value in step.parameters.items():
        yield f"   {name} = {value}"
    for what, found in (("read", step.read), ("wrote", step.wrote)):
        for place, sha256 in found:
            yield f"   {what:<5} {place} (sha256 {sha256[:12]})"

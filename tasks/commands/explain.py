"""Say why a result is complete or stale: which setting, program, image or input differs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from tasks.commands import staleness
from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import DefinitionError, MissingInputError, unknown
from tasks.results import equivalence
from tasks.settings import settings
from tasks.stage_tasks.plate_set import BatchTask
from tasks.stage_tasks.stage import Staged, StageTask
from tasks.workflow import pipeline
from tasks.workflow.report import Report


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", help="for example normalize")
    parser.add_argument("plate", help="or the batch, of a stage that is run on all plates of a batch")
    parser.add_argument("--batch-id", default="", help="needed if the plate is in several batches")
    parser.add_argument("--json", action="store_true", help="print it for programs")


def act(args: argparse.Namespace) -> int:
    found = staleness.explain(task(args.stage, args.batch_id, args.plate))
    if args.json:
        print(json.dumps(asdict(found), indent=1))
        return 0
    print(f"{found.stage}/{found.subject} is {found.state}")
    for reason in found.reasons:
        print(f"  {reason}")
    for entry in found.equivalent:
        print(f"  an earlier program made it, with the same bytes by {equivalence.NAME}: {entry}")
    if found.made:
        print(f"  what lies there was made {found.made}")
    return 0


def task(stage: str, batch: str, name: str) -> Staged:
    """Return the task of a stage on a plate, or on a batch; raise StageError if there is no such stage."""
    stages.stage(stage)
    made: Any = pipeline.stage_tasks()[stage]
    if issubclass(made, StageTask):
        on_plate: Staged = made(batch_id=batch or batch_of(settings.load().layout, name), plate=name)
        return on_plate
    if not issubclass(made, (BatchTask, Report)):
        raise DefinitionError(f"{stage} is no stage of a plate or a batch; name one that is")
    known = settings.load().layout.batches()
    if name not in known:
        raise MissingInputError(unknown("batch", name, known, str(settings.load().layout.platemaps)))
    on_batch: Staged = made(batch_id=name)
    return on_batch


def batch_of(layout: Layout, plate: str) -> str:
    """Return the one batch whose barcode_platemap.csv lists a plate; raise MissingInputError otherwise."""
    plates = {batch: lookup.plates(layout, batch) for batch in layout.batches()}
    found = [batch for batch, listed in plates.items() if plate in listed]
    if not found:
        known = {each for listed in plates.values() for each in listed}
        raise MissingInputError(unknown("plate", plate, known, str(layout.platemaps)))
    if len(found) > 1:
        raise MissingInputError(f"plate {plate} is in several batches, name one: --batch-id {' | '.join(found)}")
    return found[0]

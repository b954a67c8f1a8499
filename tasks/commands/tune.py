"""Propose how nuclei and cells of a plate are found, show it beside its neighbours, and write what a person chooses.

Some wells are looked at: how wide and how bright nuclei are. Nine settings find their cells; a sheet shows outlines.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import luigi
from stagekit import whole

from tasks.errors import MissingInputError, SettingsError
from tasks.results import manifest
from tasks.settings import luigi_file, section_lines, settings
from tasks.settings.luigi_sections import TASK_FAILED
from tasks.settings.settings import default_of
from tasks.workflow import pipeline
from tasks.workflow.segmentation import Segmented, names

SECTION = "cells"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", required=True, help="the batch's name")
    parser.add_argument("--plate", required=True, help="the plate's barcode")
    parser.add_argument("--wells", type=int, default=12, help="one site in so many wells is looked at (12)")
    parser.add_argument(
        "--json", action="store_true", help="print the candidates, and where the sheet is, for programs"
    )
    parser.add_argument(
        "--choose", type=int, default=0, metavar="N", help="write the settings of number N into luigi.cfg's [cells]"
    )


def act(args: argparse.Namespace) -> int:
    asked: dict[str, Any] = {"batch_id": args.batch_id, "plate": args.plate, "wells": args.wells}
    task = pipeline.TuneCells(**asked)
    task.roles()  # before anything is started: it raises if nobody knows which channel shows nuclei
    if not luigi.build([task], local_scheduler=True, log_level="INFO"):
        return TASK_FAILED
    found = manifest.read(task.manifest_path())
    if found is None:
        raise MissingInputError(f"{task.manifest_path()} is gone; type the same line again")
    listed: Sequence[Mapping[str, Any]] = found.facts["candidates"]
    sheet = settings.load().store.ensure_local(task.promises()["sheet"].path)
    if args.choose:
        return _choose(listed, args.choose)
    if args.json:
        print(json.dumps({"candidates": listed, "proposed": found.facts["proposed"], "sheet": str(sheet)}, indent=1))
        return 0
    print("\n".join(_table(listed, found.facts["proposed"])))
    print(f"\nLook at {sheet}")
    again = f"python -m tasks tune --batch-id {args.batch_id} --plate {args.plate}"
    wells = "" if args.wells == 12 else f" --wells {args.wells}"  # noqa: PLR2004 (the default of --wells)
    print(f"then write what you choose: {again}{wells} --choose {found.facts['proposed']}")
    return 0


def _table(listed: Sequence[Mapping[str, Any]], proposed: int) -> list[str]:
    """Return a line a candidate, and what is suspicious of those that are."""
    lines = []
    for number, each in enumerate(listed, start=1):
        own = each["found"]
        mark = "  <- proposed" if number == proposed else ""
        state = "suspicious" if each["suspicious"] else "as expected"
        width = f"{own['median']:.0f} px wide" if "median" in own else "none"
        lines.append(f"{number}  {own['found']:5} nuclei, {width:12} {state:12}{_written(each['cells'])}{mark}")
    doubts = listed[proposed - 1]["suspicious"]
    return [*lines, *(f"   {doubt}" for doubt in doubts)]


def changes(cells: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a candidate that luigi.cfg does not come to already."""
    own = names(Segmented)
    return {name: value for name, value in cells.items() if name in own and not _same(name, value)}


def _same(name: str, value: str) -> bool:
    return default_of(pipeline.Measure, name) == str(dict(pipeline.Measure.get_params())[name].parse(value))


def _written(cells: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in changes(cells).items()) or "as luigi.cfg is"


def _choose(listed: Sequence[Mapping[str, Any]], number: int) -> int:
    if not 1 <= number <= len(listed):
        raise SettingsError(f"--choose {number}: it must be a number on the sheet, 1 to {len(listed)}")
    wanted = changes(listed[number - 1]["cells"])
    path = _own_file()
    if not wanted:
        print(f"{path} [{SECTION}] has these settings already")
        return 0
    text = section_lines.put(path.read_text(encoding="utf-8"), SECTION, wanted)
    whole.write(path, text)
    print(f"{path} [{SECTION}]:", *(f"  {name} = {value}" for name, value in wanted.items()), sep="\n")
    print("What was measured by other settings is stale; the next run measures it again.")
    return 0


def _own_file() -> Path:
    """Return the luigi.cfg that is in force; raise SettingsError if there is none."""
    named = os.environ.get(luigi_file.NAMED)
    path = Path(named) if named else Path.cwd() / "luigi.cfg"
    if not path.is_file():
        raise SettingsError(f"{path} is not there; {luigi_file.REMEDY}")
    return path

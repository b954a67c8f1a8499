"""Say what a run would fetch and compute, and what that costs: nothing is started."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.console import Console
from rich.table import Column, Table

from tasks.commands import checkup_slurm, plan_on_aws
from tasks.commands.checkup_slurm import Share
from tasks.planning import cost_plan
from tasks.planning.cost_plan import Plan
from tasks.runtime.arrays.places import AWS_BATCH, LOCAL, SLURM
from tasks.settings import settings
from tasks.workflow import plate_layouts

GB = 1e9
MB = 1e6


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", required=True, help="the batch to plan")
    parser.add_argument("--plates", default="", metavar="A,B", help="all plates of the batch if empty")
    parser.add_argument("--where", default="", metavar="Time=24|48,...", help="only the plates that meet it")
    parser.add_argument(
        "--start-from",
        choices=["images", "backend", "profiles", "cells", "wells"],
        default="images",
        help="skip what comes before",
    )
    parser.add_argument("--benchmark", action="store_true", help="what RunBenchmark adds, too")
    parser.add_argument("--explorer", action="store_true", help="what the plate explorer adds, too")
    parser.add_argument("--aws", action="store_true", help="hours and dollars on Amazon Web Services, too")
    parser.add_argument("--machines", type=_count, default=200, help="so many at once there (200, as CPJUMP1 had)")
    parser.add_argument("--json", action="store_true", help="print numbers for programs: bytes, seconds, dollars")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


def act(args: argparse.Namespace) -> int:
    plan = cost_plan.make(
        args.batch_id,
        [plate for plate in args.plates.split(",") if plate],
        args.where,
        args.start_from,
        args.benchmark,
        args.explorer,
    )
    machines = args.machines if args.aws or settings.load().place == AWS_BATCH else 0
    _print_json(plan, machines) if args.json else _print(plan, machines)
    return 0


def _facts(plan: Plan) -> dict[str, float]:
    given = settings.load()
    at = next(path for path in (given.layout.root, *given.layout.root.parents) if path.exists())
    seconds = plan.total.core_seconds
    return {
        "core_seconds": seconds,
        "dollars": seconds / 3600 * given.dollars_per_core_hour,
        "disk_bytes": plan.total.bytes,
        "peak_bytes": plan.peak_bytes,
        "fetched_files": plan.files_to_fetch,
        "fetched_bytes": plan.bytes_to_fetch,
        "free_bytes": shutil.disk_usage(at).free,
    }


def _print_json(plan: Plan, machines: int = 0) -> None:
    given = settings.load()
    more: dict[str, object] = {"aws": plan_on_aws.numbers(plan, machines)} if machines else {}
    if given.place == LOCAL:
        more |= {"wall_seconds": plan.total.core_seconds / given.slots.cores}
    elif given.place == SLURM:
        more |= {"partitions": {each.name: _told(each) for each in checkup_slurm.shares(plan.core_seconds)}}
    layouts = list(plate_layouts.told(plan.batch, plan.plates)) if _is_laid(plan) else []
    print(json.dumps({**asdict(plan), **_facts(plan), **more, "layouts": layouts}, indent=1))


def _print(plan: Plan, machines: int = 0) -> None:
    table = Table("stage", *(Column(name, justify="right") for name in ("done", "to do", "core-hours", "GB")))
    for line in plan.lines:
        hours, size_gb = line.cost.core_seconds / 3600, line.cost.bytes / GB
        table.add_row(line.stage, str(line.done), str(line.to_do), f"{hours:,.2f}", f"{size_gb:,.3f}")
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(f"{plan.batch}: {len(plan.plates)} plates")
    console.print(table)
    for sentence in _sentences(plan, _facts(plan)):
        console.print(sentence)
    if machines:
        plan_on_aws.show(plan, machines, console)
    for said in plate_layouts.told(plan.batch, plan.plates) if _is_laid(plan) else ():
        console.print(f"layout: {said}")
    for each in plan.assumed:
        console.print(f"assumed: {each}")
    console.print("nothing was started")


def _is_laid(plan: Plan) -> bool:
    return settings.load().layout.barcode_platemap(plan.batch).is_file()


def _sentences(plan: Plan, facts: Mapping[str, float]) -> Iterator[str]:
    given = settings.load()
    hours = facts["core_seconds"] / 3600
    yield f"to fetch {facts['fetched_files']:,} files, {facts['fetched_bytes'] / GB:,.1f} GB"
    cores = given.slots.cores
    here = f": {hours / cores:,.1f} hours on the {cores} cores here" if given.place == LOCAL else ""
    yield f"to compute {hours:,.1f} core-hours{here}"
    yield from map(_share, checkup_slurm.shares(plan.core_seconds) if given.place == SLURM else ())
    yield f"  {facts['dollars']:,.2f} dollars at {given.dollars_per_core_hour} a core-hour (luigi.cfg [plan])"
    short = " (TOO LITTLE)" if facts["free_bytes"] < facts["peak_bytes"] else ""
    gone = ", ".join(sorted(given.delete))
    most = f" at most at once: {gone} go once they were used (luigi.cfg [storage])" if gone else ""
    yield f"disk {facts['peak_bytes'] / GB:,.1f} GB more{most}; {facts['free_bytes'] / GB:,.1f} GB are free{short}"
    shown = plan.explorer
    if shown:
        size = f"{shown.files:,.0f} files and {shown.bytes / MB:,.0f} MB"
        yield f"the explorer has about {size} a plate (luigi.cfg [explorer])"


def _told(share: Share) -> dict[str, object]:
    return {
        "stages": share.stages,
        "core_hours": share.core_hours,
        "cores": share.cores,
        "node_hours": share.node_hours,
    }


def _share(share: Share) -> str:
    name = f"partition {share.name}" if share.name else "the default partition"
    nodes = f", {share.node_hours:,.1f} node-hours of {share.cores} cores" if share.cores else ""
    return f"  {name}: {share.core_hours:,.1f} core-hours{nodes} ({', '.join(share.stages)})"

"""What `verify --against stock` does: measure sites by both engines of [measure]; not 0 if any value differs."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from stagekit import equality
from stagekit.equality import STATES, Tally

from tasks.commands import engine_comparison
from tasks.commands.engine_comparison import Measured
from tasks.dataset import lookup
from tasks.errors import StageError
from tasks.settings import settings


class AgainstError(StageError):
    """What is to be measured by both engines is not said."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags that compare the engines."""
    parser.add_argument("--against", choices=["stock"], default="", help="measure sites by both engines; --batch-id")
    parser.add_argument("--sites", type=int, default=4, help="with --against: how many of each plate")
    parser.add_argument("--seed", type=int, default=1, help="with --against: another one chooses other sites")


def act(args: argparse.Namespace) -> int:
    if not args.batch_id or args.sites < 1 or args.stage or args.reference:
        message = "to compare the engines: verify --against stock --batch-id <batch> [--plate A,B] --sites <1 or more>"
        raise AgainstError(message)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plates = args.plate.split(",") if args.plate else lookup.plates(settings.load().layout, args.batch_id)
    found = [engine_comparison.measure(args.batch_id, plate, args.sites, args.seed) for plate in plates]
    whole = equality.Comparison()
    for each in found:
        whole.add(each.comparison)
    if args.json:
        print(json.dumps(_plain(found, whole), indent=1))
        return 1 if whole.all.bad else 0
    _show(whole)
    _tell(found, whole)
    return 1 if whole.all.bad else 0


def _plain(found: Sequence[Measured], whole: equality.Comparison) -> dict[str, object]:
    """Return the counts by table and module, the sites, and the first differences, as JSON takes them."""
    tallies = [
        {"table": name, "module": module, **_counts(one)} for (name, module), one in sorted(whole.tallies.items())
    ]
    plates = [{"plate": each.plate, "sites": list(each.sites), "warnings": list(each.fast.warnings)} for each in found]
    first = [str(difference) for difference in whole.first]
    return {"all": _counts(whole.all), "tallies": tallies, "plates": plates, "first_differences": first}


def _counts(tally: Tally) -> dict[str, object]:
    counts = {state: getattr(tally, state) for state in STATES}
    return {"values": tally.values, **counts, "nan_in_one": tally.nan, "largest_difference": tally.largest}


def _show(whole: equality.Comparison) -> None:
    """Print a line a table and module, and one of all."""
    table = Table("table", "module", "values", *STATES, "NaN in one", "largest difference", box=box.SIMPLE)
    for (name, module), tally in sorted(whole.tallies.items()):
        table.add_row(name.removesuffix(".csv"), module, *_cells(tally), style="red" if tally.bad else None)
    table.add_row("all", "", *_cells(whole.all), style="bold")
    Console(width=None if Console().is_terminal else 160).print(table)


def _cells(tally: Tally) -> list[str]:
    counts = [tally.values, *(getattr(tally, state) for state in STATES), tally.nan]
    return [*(f"{count:,}" if count else "" for count in counts), f"{tally.largest:.1e}" if tally.largest else ""]


def _tell(found: Sequence[Measured], whole: equality.Comparison) -> None:
    """Print which sites were measured, what ran stock in both, and the first differences."""
    for each in found:
        print(f"{each.plate}: {', '.join(each.sites)}")
        for why in each.fast.warnings:
            print(f"  engine = fast: {why}")
        if each.comparison.all.bad:
            print(f"  both measurements lie in {each.folder}")
    for difference in whole.first:
        print(f"differs: {difference} by stock")
    tolerance = f"{equality.RELATIVE:g} (relative) or {equality.ABSOLUTE:g}"
    every = whole.all
    print(f"{every.values - every.bad:,} of {every.values:,} values agree with stock's within {tolerance}")

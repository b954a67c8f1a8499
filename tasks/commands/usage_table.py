"""What `status --used` says: what the results' jobs used, by stage and by plate, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Column, Table

from tasks.results.usage import Usage, decimals, together
from tasks.settings.rate import Rate


def print_json(usages: Sequence[Usage], rate: Rate) -> None:
    used = [{**asdict(each), "dollars": each.dollars(rate.dollars_per_core_hour)} for each in usages]
    print(json.dumps({**asdict(rate), "used": used}, indent=1))


def show(usages: Sequence[Usage], rate: Rate, console: Console) -> None:
    """Print it for people: a batch after the other, by stage and then by plate, or set of plates."""
    if not usages:
        console.print("nothing was made here yet")
        return
    for batch, of_batch in groupby(sorted(usages, key=lambda each: each.batch), lambda each: each.batch):
        every = list(of_batch)
        console.print(batch, style="bold")
        console.print(_table("stage", every, rate, lambda each: each.stage))
        if len({each.subject for each in every}) > 1:
            console.print(_table("of", every, rate, lambda each: each.subject))
    console.print(f"{rate.dollars_per_core_hour:.3g} dollars a core-hour: {rate.said}")


def _table(head: str, usages: Sequence[Usage], rate: Rate, by: Callable[[Usage], str]) -> Table:
    (whole,) = together(usages, lambda _: "").values()
    total = dict(zip(("jobs", "core-hours", "peak GB", "dollars"), _cells(whole, whole, rate), strict=True))
    columns = [Column(name, justify="right", no_wrap=True, footer=cell) for name, cell in total.items()]
    table = Table(Column(head, overflow="fold", footer="all"), *columns, box=box.SIMPLE_HEAD, show_footer=True)
    for name, each in together(usages, by).items():
        table.add_row(name, *_cells(each, whole, rate))
    return table


def _cells(each: Usage, whole: Usage, rate: Rate) -> tuple[str, str, str, str]:
    peak = "" if each.peak_memory_gb is None else f"{each.peak_memory_gb:.2f}"
    dollars, in_all = (one.dollars(rate.dollars_per_core_hour) for one in (each, whole))
    hours = f"{each.core_hours:,.{decimals(whole.core_hours)}f}"
    return str(each.jobs), hours, peak, f"{dollars:,.{decimals(in_all)}f}"

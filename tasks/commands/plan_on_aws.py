"""What `plan` says of Amazon Web Services: hours and dollars by class of machine, requests and storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from tasks.planning import aws_costs, cost_model
from tasks.planning.aws_costs import ClassCost
from tasks.planning.cost_plan import Plan
from tasks.settings import aws_prices, sections, settings
from tasks.settings.aws_prices import Prices

GB = 1e9


def numbers(plan: Plan, machines: int) -> dict[str, Any]:
    """Return it for programs: dollars, hours, requests, GB; a volume takes no requests."""
    priced = aws_prices.read(settings.load().prices)
    classes = aws_costs.costs(plan.works, priced, machines)
    on_volume = bool(sections.aws_batch().volume)
    jobs = sum(line.jobs for line in plan.lines)
    puts, gets = (0.0, 0.0) if on_volume else cost_model.of_requests(plan.total, jobs)
    kept_gb = plan.kept_bytes / GB
    return {
        "prices": str(priced.path),
        "date": priced.date.isoformat(),
        "region": priced.region,
        "machines": machines,
        "cheapest": [each.name for each in _cheapest(classes, priced)],
        "classes": [asdict(each) for each in classes],
        "on_volume": on_volume,
        "puts": puts,
        "gets": gets,
        "request_dollars": priced.requests(puts, gets),
        "kept_gb": kept_gb,
        "dollars_a_month": kept_gb * (priced.volume_gb_month if on_volume else priced.s3_gb_month),
    }


def show(plan: Plan, machines: int, console: Console) -> None:
    """Print it for people."""
    priced = aws_prices.read(settings.load().prices)
    told = numbers(plan, machines)
    classes = [ClassCost(**each) for each in told["classes"]]
    heads = ("machine-hours", "dollars, spot", "on demand", f"hours on {machines} machines")
    table = Table("class", *(Column(head, justify="right") for head in heads))
    for each in (each for each in classes if not each.lacks):
        figures = (each.machine_hours, each.spot_dollars, each.on_demand_dollars, each.wall_hours)
        table.add_row(each.name, *(f"{figure:,.2f}" for figure in figures))
    console.print(f"on Amazon Web Services in {priced.region}, by the list prices of {priced.date}: check them")
    console.print(table)
    for sentence in _sentences(told, classes, priced):
        console.print(f"  {sentence}")


def _sentences(told: dict[str, Any], classes: list[ClassCost], priced: Prices) -> Iterator[str]:
    for each in _cheapest(classes, priced):
        yield f"the cheapest: {each.name}, {each.spot_dollars:,.2f} dollars on spot machines"
    yield f"with a disk of {priced.disk_gb:g} GB each; a vCPU is a hyperthread, and is taken for a core"
    yield "without the minutes in which machines start, and what is done again where a spot machine is taken back"
    if not told["on_volume"]:
        requests = f"{told['puts']:,.0f} PUT and {told['gets']:,.0f} GET requests"
        yield f"S3: {requests}, {told['request_dollars']:,.2f} dollars"
    where = "the volume, as EFS without its throughput" if told["on_volume"] else "S3"
    yield f"{where}: {told['kept_gb']:,.1f} GB of results, {told['dollars_a_month']:,.2f} dollars a month"
    yield from (f"not on {each.name}: {each.lacks}" for each in classes if each.lacks)
    yield f"the prices: {told['prices']} (luigi.cfg [plan] prices)"


def _cheapest(classes: list[ClassCost], priced: Prices) -> Iterator[ClassCost]:
    """Yield the cheapest class that has no GPU, and of those that have, as far as they are needed."""
    gpus = {each.name: bool(each.gpus) for each in priced.classes}
    for wanted in (False, True):
        found = [each for each in classes if gpus[each.name] == wanted and not each.lacks]
        yield from found[:1]

"""What a core-hour costs where the jobs run."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runtime.arrays import places
from tasks.settings import aws_prices, settings


@dataclass(frozen=True)
class Rate:
    """Dollars a core-hour, and by what."""

    dollars_per_core_hour: float
    said: str


def of_core_hour() -> Rate:
    """Return what luigi.cfg says; on Amazon Web Services what a vCPU of the cheapest class costs, on a spot machine."""
    given = settings.load()
    if given.place != places.AWS_BATCH:
        return Rate(given.dollars_per_core_hour, "luigi.cfg [plan] dollars_per_core_hour")
    priced = aws_prices.read(given.prices)
    name, dollars = priced.cheapest_core_hour
    return Rate(dollars, f"a vCPU of {name} on a spot machine, {priced.region}, {priced.date}")

"""Units that cannot be used are named and left out; whether what is left may stand is a matter of how many they are."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Mapping, Sequence

from stagekit.program import DataError, Report

SHOWN = 10


def add_flag(flags: ArgumentParser) -> None:
    """Add the flag that says how many units may be left out."""
    text = "the stage fails if a larger part of the sites is quarantined"
    flags.add_argument("--max_failed_fraction", required=True, type=_fraction, help=text)


def exceeds(quarantined: int, units: int, max_failed_fraction: float) -> bool:
    """Say whether too many units are quarantined; all of them always are."""
    return quarantined > 0 and (quarantined == units or quarantined > max_failed_fraction * units)


def settle(
    report: Report, plate: str, units: Sequence[str], quarantined: Mapping[str, str], max_failed_fraction: float
) -> None:
    """Report how every unit ended; raise DataError with all the quarantined ones and why, if they are too many."""
    known = set(units)
    assert known.issuperset(quarantined)
    report.say(f"{len(units) - len(quarantined)} of {len(units)} sites are good")
    for unit in units:
        bad = unit in quarantined
        report.unit(unit, "quarantined" if bad else "ok", reason=quarantined.get(unit, ""))
    report.fact("quarantined", dict(quarantined))
    if not quarantined:
        return
    each = [f"{unit}: {reason}" for unit, reason in quarantined.items()]
    many = f"{len(quarantined)} of the {len(units)} sites of plate {plate} cannot be used"
    if exceeds(len(quarantined), len(units), max_failed_fraction):
        rule = f"more than max_failed_fraction = {max_failed_fraction:g} allows; measure them again or allow more"
        if len(quarantined) == len(units):
            rule = "which is all of them; measure the plate again"
        raise DataError("\n  ".join([f"{many}:", *each]) + f"\n{many}, {rule}")
    more = f"; and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    report.warn(f"{many}, and were left out: {'; '.join(each[:SHOWN])}{more}")


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text} is not between 0 and 1")
    return value

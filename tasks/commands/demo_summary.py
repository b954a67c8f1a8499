"""Say in words what the demo found, of what was planted; computed from the benchmark's tables."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.dataset.demo_plan import COMPOUNDS

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
PLANTED: dict[str, bool] = {compound.broad_sample: compound.active for compound in COMPOUNDS}


def found(folder: Path, features: str) -> list[str]:
    """Return sentences on what the profiles of one feature set retrieve, as its tables in a folder say."""
    ranked = retrieved(_rows(folder / f"{features}_replicability_map.csv"))
    return [recovered(ranked), *_matched(_rows(folder / f"{features}_comparison.csv"))]


def retrieved(rows: Collection[Mapping[str, str]]) -> dict[str, bool]:
    """Return of every compound that was ranked whether its replicates find each other."""
    found: dict[str, bool] = {}
    for row in rows:
        name = row["Metadata_broad_sample"]
        found[name] = found.get(name, False) or row["above_q_threshold"] == "True"
    return found


def recovered(ranked: Mapping[str, bool]) -> str:
    """Return the sentence on active and inactive compounds; it names those that are not as they were planted."""
    active = [name for name in ranked if PLANTED.get(name)]
    inactive = [name for name in ranked if name in PLANTED and not PLANTED[name]]
    missed = [name for name in active if not ranked[name]]
    wrong = [name for name in inactive if ranked[name]]
    if ranked.keys() == PLANTED.keys():
        text = f"The demo plants {_kinds(active, inactive)}; its profiles recover "
    else:
        planted = [[name for name, is_active in PLANTED.items() if is_active is wanted] for wanted in (True, False)]
        text = f"Of the {_kinds(*planted)} of the demo {_kinds(active, inactive)} were ranked; their profiles recover "
    text += _share(len(active), missed)
    return text + (f", and take {_number(len(wrong))} inactive for active ({', '.join(wrong)})." if wrong else ".")


def _share(active: int, missed: list[str]) -> str:
    if not active:
        return "none, as nothing was planted in them"
    if missed:
        some = _number(active - len(missed)) if len(missed) < active else "none"
        return f"{some} of the {_number(active)} active (not {', '.join(missed)})"
    return f"all {_number(active)}" if active > 1 else "the active one"


def _matched(rows: Collection[Mapping[str, str]]) -> list[str]:
    """Return the sentence on compounds that share a target, if any do."""
    of_targets = [row for row in rows if row["task"] == "matching"]
    labels, hits = (sum(int(row[key] or 0) for row in of_targets) for key in ("labels", "retrieved"))
    return [f"Compounds that share a target find each other for {hits} of {labels} targets."] if labels else []


def _kinds(active: Collection[str], inactive: Collection[str]) -> str:
    noun = "compound" if len(inactive) == 1 else "compounds"
    return f"{_number(len(active))} active and {_number(len(inactive))} inactive {noun}"


def _number(count: int) -> str:
    return WORDS[count] if count < len(WORDS) else str(count)


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))

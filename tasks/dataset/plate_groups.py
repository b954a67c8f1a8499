"""Which plates of a batch belong together: groups of plates that were treated alike, and pairs of groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tasks.dataset.catalogue import Acquisition
from tasks.errors import SettingsError, unknown

MODALITY, CELL, TIME = "Perturbation", "Cell_type", "Time"
NAMED = (MODALITY, CELL, TIME)
CONDITIONS = (*NAMED, "Density", "Antibiotics", "Cell_line", "Time_delay", "Times_imaged")
"""The conditions of CPJUMP1's plates; `auto` groups by those that are known of a batch."""

Conditions = Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Plates that were treated alike, and what is said of them in every result."""

    name: str
    plates: tuple[str, ...]
    describe: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Plates of the group that have no profiles."""
    partial: bool = False
    """Whether plates with its conditions are known that were not asked for: then it is not the published group."""
    standard: bool = True
    """Whether its side conditions are the usual ones of its modality; only such groups are paired."""

    def value(self) -> dict[str, object]:
        """Return what a Luigi parameter can hold; `Group(**value)` is the group again."""
        return {**asdict(self), "describe": dict(self.describe)}


def columns(text: str, known: Sequence[Acquisition]) -> list[str]:
    """Return the conditions to group by: those named, or for `auto` those of CPJUMP1 that are known of the batch."""
    there = {name for each in known for name in each.conditions}
    if text == "auto":
        return [name for name in CONDITIONS if name in there]
    named = [name.strip() for name in text.split(",") if name.strip()]
    for name in named:
        if name not in there:
            raise SettingsError(unknown("column", name, there, f"luigi.cfg [benchmark] group_by = {text}"))
    return named


def groups(chosen: Sequence[Acquisition], batch: Sequence[Acquisition], by: Sequence[str]) -> list[Group]:
    """Return the groups of chosen plates with equal conditions, in order of appearance.

    A group is called after its modality, cell type and time, and after each side condition that is not the usual one of
    its modality in the batch. Two times of a modality are "short" and "long", as the resource calls them. A column of
    the user's own is always named.
    """
    found: dict[tuple[str, ...], list[Acquisition]] = {}
    for each in chosen:
        found.setdefault(tuple(each.conditions.get(name, "") for name in by), []).append(each)
    made = [_group(members, batch, by) for members in found.values()]
    names = [group.name for group in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"two groups of plates are both called {', '.join(twice)}: give their conditions other names"
        )
    return made


def _group(members: Sequence[Acquisition], batch: Sequence[Acquisition], by: Sequence[str]) -> Group:
    conditions = members[0].conditions
    alike = [each.conditions for each in batch if each.conditions.get(MODALITY) == conditions.get(MODALITY)]
    described = _described(conditions, alike, by)
    side = [name for name in by if name in CONDITIONS and name not in NAMED and MODALITY in by]
    unusual = [_value(name, conditions) for name in side if conditions.get(name, "") != _usual(name, alike)]
    own = [_value(name, conditions) for name in by if name not in {*side, *NAMED}]
    name = "_".join([*described.values(), *own, *unusual]) or "all"
    time = {"timepoint": safe(conditions.get(TIME, ""))} if TIME in by else {}
    plates = tuple(each.plate for each in members)
    described = {"Description": name, **described, **time}
    partial = sum(_alike(each.conditions, conditions, by) for each in batch) > len(members)
    return Group(name, plates, described, partial=partial, standard=not unusual)


def _alike(one: Conditions, other: Conditions, by: Sequence[str]) -> bool:
    return all(one.get(name, "") == other.get(name, "") for name in by)


def pairs(found: Iterable[Group]) -> list[tuple[Group, Group]]:
    """Return every compound group with every gene group of the same cells; unusual side conditions are not paired."""
    usual = [group for group in found if group.standard and group.describe.get("Modality")]
    compounds = [group for group in usual if group.describe["Modality"] == "compound"]
    genes = [group for group in usual if group.describe["Modality"] != "compound"]
    return [
        (one, other) for one in compounds for other in genes if one.describe.get("Cell") == other.describe.get("Cell")
    ]


def described_pair(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Return what is said of two groups that are matched with each other."""
    described = {"Description": f"{one['Description']}-{other['Description']}"}
    for number, side in enumerate((one, other), start=1):
        described |= {f"{name}{number}": side.get(name, "") for name in ("Modality", "time", "timepoint")}
    return {**described, "Cell": one.get("Cell", "")}


def _described(conditions: Conditions, alike: Sequence[Conditions], by: Sequence[str]) -> dict[str, str]:
    described = {}
    if MODALITY in by:
        described["Modality"] = safe(conditions.get(MODALITY, ""))
    if CELL in by:
        described["Cell"] = safe(conditions.get(CELL, ""))
    if TIME in by:
        times = sorted({other.get(TIME, "") for other in alike}, key=lambda text: (len(text), text))
        named = dict(zip(times, ("short", "long"), strict=True)) if len(times) == 2 else {}
        described["time"] = named.get(conditions.get(TIME, ""), f"{safe(conditions.get(TIME, ''))}h")
    return described


def _usual(column: str, alike: Sequence[Conditions]) -> str:
    """Return the condition that most plates have."""
    (usual, _), *_ = Counter(other.get(column, "") for other in alike).most_common(1)
    return usual


def _value(column: str, conditions: Conditions) -> str:
    """Return a condition as part of a name: a number with its column, for it says nothing by itself."""
    text = conditions.get(column, "")
    return safe(text) if re.match("[A-Za-z]", text) else f"{safe(column)}{safe(text)}"


def safe(text: str) -> str:
    """Return a text as part of a file name and of a list by commas."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "none"

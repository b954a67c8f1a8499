"""The units of a run (sites, channels): how each ended, as the shards report it while they run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unit:
    """One unit's end, as its program told it."""

    name: str
    state: str
    seconds: float
    reason: str


def units(folders: Iterable[Path]) -> list[Unit]:
    """Return the units that the jobs with these folders have reported so far, the last word on each."""
    latest = {unit.name: unit for folder in folders for unit in _read(folder / "out" / "units.jsonl")}
    return list(latest.values())


def counts(found: Iterable[Unit]) -> dict[str, int]:
    """Return how many units ended in each state."""
    return dict(Counter(unit.state for unit in found))


def said(folders: Iterable[Path]) -> str:
    """Return what a program said last of how far it is, where units say too little; empty if it said nothing."""
    texts = [path.read_text(encoding="utf-8") for folder in folders if (path := folder / "out" / "said").exists()]
    return ", ".join(texts)


def _read(path: Path) -> Iterator[Unit]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line, while it is being written
        yield Unit(record["unit"], record["state"], record["seconds"], record["reason"])

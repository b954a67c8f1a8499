"""How all batches stand, from the manifests, the ledgers and what running programs say: nothing is started or hashed.

Read while other processes run: whether one is at a stage its lock says, which the kernel takes from a dead one.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.results import ledger, manifest
from tasks.results.ledger import Account, History
from tasks.runtime.arrays import array_folder
from tasks.runtime.arrays.queue import Queue
from tasks.runtime.core import locks

IsHeld = Callable[[Path], bool]
DONE, RUNNING, FAILED, STOPPED = "done", "running", "failed", "stopped"
STATES = (DONE, RUNNING, FAILED, STOPPED)
HOW_IT_STOPPED = {
    ledger.STOPPED: "interrupted",
    ledger.MADE: "made, and not yet published",
    ledger.GIVEN_UP: "",
    "": "killed: it left no last word",
}


@dataclass(frozen=True)
class State:
    """How a stage stands on one plate or set of plates."""

    stage: str
    batch: str
    subject: str
    state: str
    unit: str
    total: int
    units: dict[str, int]
    """How many units ended in each state: ok, failed, quarantined, skipped."""
    began: str = ""
    said: str = ""
    """Why it failed, or how it stopped."""
    seconds_left: float | None = None
    bad: tuple[Account, ...] = ()
    """The units that failed or were left out."""
    history: History | None = field(default=None, repr=False)
    queue: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of what runs on a cluster: how many elements of each array (by the scheduler's id) are in which state."""


def look(
    layout: Layout,
    batch: str = "",
    subject: str = "",
    stage: str = "",
    *,
    whole: bool = False,
    is_held: IsHeld = locks.is_held,
) -> list[State]:
    """Return every stage of every plate that has a result or was ever run here, in the order in which they began.

    Of a run that ended well and left nothing out, the jobs and units are read only if `whole`. `is_held` says whether
    a run holds its lock, on whatever machine.
    """
    found = set(_places(layout.manifests, "*/*/*.json")) | set(_places(layout.ledgers, "*/*/*"))
    asked = [
        each
        for each in found
        if stage in ("", each[0]) and batch in ("", each[1]) and subject in ("", each[2]) and each[0] in stages.load()
    ]
    states = sorted(
        (_state(layout, *each, is_held, whole=whole) for each in asked), key=lambda state: (state.began, state.subject)
    )
    order = {stage: place for place, stage in enumerate(dict.fromkeys(state.stage for state in states))}
    return sorted(states, key=lambda state: (state.batch, order[state.stage], state.subject))


def unfinished(layout: Layout, batch: str, is_held: IsHeld = locks.is_held) -> list[State]:
    """Return the stages whose last run did not end well; of those that did, only the ledger's end is read."""
    found = [each for each in _places(layout.ledgers, f"*/{batch}/*") if each[0] in stages.load()]
    due = [each for each in found if not (_ended_well(layout, *each) and layout.manifest(*each).exists())]
    states = [_state(layout, *each, is_held) for each in sorted(due)]
    return [state for state in states if state.state in (FAILED, STOPPED)]


def _ended_well(layout: Layout, stage: str, batch: str, subject: str) -> bool:
    return ledger.end(layout.ledger(stage, batch, subject)) == ledger.MADE


def _places(folder: Path, pattern: str) -> Iterator[tuple[str, str, str]]:
    for path in folder.glob(pattern):
        yield path.parent.parent.name, path.parent.name, path.name.removesuffix(".json")


def _state(layout: Layout, stage: str, batch: str, subject: str, is_held: IsHeld, *, whole: bool = False) -> State:
    made = manifest.read(layout.manifest(stage, batch, subject))
    good = made and not made.units.get(ledger.QUARANTINED) and _ended_well(layout, stage, batch, subject)
    told = ledger.history(layout.ledger(stage, batch, subject), whole=whole or not good)
    unit = stages.stage(stage).unit
    if told and not told.ended and is_held(layout.lock(stage, batch, subject)):
        now = State(stage, batch, subject, RUNNING, unit, told.total, {}, told.began, history=told)
        return _running(layout, told, now)
    # The manifest has the last word: a publication that was cut short is finished by the next run.
    if made and (told is None or told.ended == ledger.MADE):
        counts = dict(made.units)
        bad = _in_state(told, ledger.QUARANTINED) if told else ()
        began = told.began if told else made.started
        return State(stage, batch, subject, DONE, unit, sum(counts.values()), counts, began, "", None, bad, told)
    if told is None:
        return State(stage, batch, subject, STOPPED, unit, 0, {}, "", "nothing says how")
    state = FAILED if told.ended == ledger.GIVEN_UP else STOPPED
    said = told.said or HOW_IT_STOPPED[told.ended]
    bad = _in_state(told, ledger.FAILED, ledger.QUARANTINED)
    counts = dict(Counter(each.state for each in told.units.values()))
    total = max(told.total, sum(counts.values()))  # of files it is known only as they come
    return State(stage, batch, subject, state, unit, total, counts, told.began, said, None, bad, told)


def _running(layout: Layout, told: History, state: State) -> State:
    """Return how far a run is: what the ledger holds, and what its programs have said since."""
    folders = [path.parent for path in (layout.root / told.run / "shards").glob("*/job.json")]
    live = {unit.name: unit.state for unit in ledger.units(folders)}
    units = {**live, **{name: each.state for name, each in told.units.items() if each.state == ledger.OK}}
    counts = dict(Counter(units.values()))
    bad = tuple(told.units[name] for name in sorted(told.units) if units.get(name) == ledger.FAILED)
    done = counts.get(ledger.OK, 0)
    began = datetime.datetime.fromisoformat(told.began)
    elapsed = max(0.0, (datetime.datetime.now(datetime.UTC) - began).total_seconds())  # a clock may jump
    fresh = done - told.done_before
    queue = _queue(layout, layout.root / told.run / "shards")
    left = elapsed / fresh * (told.total - done) if fresh > 0 and told.total else None
    total = max(told.total, sum(counts.values()))
    return replace(state, total=total, units=counts, bad=bad, seconds_left=left, said=ledger.said(folders), queue=queue)


def _in_state(told: History, *states: str) -> tuple[Account, ...]:
    """Return the units in one of the states, by name: in which order they ended is chance."""
    return tuple(each for _, each in sorted(told.units.items()) if each.state in states)


def _queue(layout: Layout, shards: Path) -> dict[str, dict[str, int]]:
    """Return how the arrays of a run stand by the last answer of the scheduler: it is not asked for this."""
    arrays = [array for array in array_folder.of_run(shards) if array.id and array.unsettled()]
    user = shards.with_name("arrays").stat().st_uid if arrays else 0
    answer = Queue(layout.queue(user), dict).kept()
    return {array.id: answer.states(array.id) or {"not seen yet": len(array.elements)} for array in arrays}

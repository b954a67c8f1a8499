"""Why a result is complete, or what of its fingerprint differs from what would be made now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from luigi.task import flatten

from tasks.errors import StageError
from tasks.results import equivalence, manifest
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.stage_tasks.stage import Staged

COMPLETE, STALE, MISSING, BLOCKED = "complete", "stale", "missing", "blocked"


@dataclass(frozen=True)
class Explanation:
    """A stage's state on a plate or a set of plates, and the reasons for it, the most telling first."""

    stage: str
    subject: str
    state: str
    reasons: tuple[str, ...]
    made: str = ""
    """When and how the result that lies there was made."""
    equivalent: tuple[str, ...] = ()
    """The entries of equivalent_programs.toml by which what an earlier program made is complete."""


def explain(task: Staged) -> Explanation:
    """Say how a stage stands on a plate or a set of plates: nothing is run, and upstream stages come first."""
    found = manifest.read(task.manifest_path())
    reasons, state = tuple(dict.fromkeys(_upstream(task))), BLOCKED
    if not reasons:
        try:
            state, reasons = _own(task, found)
        except StageError as error:
            reasons = (str(error),)
    return Explanation(
        task.stage, task.subject, state, reasons, _made(found) if found else "", _equivalent(task, found, state)
    )


def _equivalent(task: Staged, found: Manifest | None, state: str) -> tuple[str, ...]:
    if found is None or state != COMPLETE:
        return ()
    return tuple(str(entry) for entry in equivalence.between(found.fingerprint, task.fingerprint()) or ())


def _own(task: Staged, found: Manifest | None) -> tuple[str, tuple[str, ...]]:
    """Return the state of a stage whose upstream is complete, and why."""
    if task.complete():
        return COMPLETE, ()
    if found is None:
        return MISSING, ("it was never made here",)
    return STALE, tuple(_differences(task, found))


def _upstream(task: Staged) -> Iterator[str]:
    for required in flatten(task.requires()):
        try:
            if required.complete():
                continue
        except StageError as error:
            yield str(error)
            continue
        deeper = explain(required) if isinstance(required, Staged) else None
        if deeper and deeper.state == BLOCKED:
            yield from deeper.reasons  # the first cause, not the whole way to it
        elif deeper:
            yield f"it needs {deeper.stage}, which is {deeper.state}: {'; '.join(deeper.reasons)}"
        else:
            yield f"it needs {required}, which is not there"


def _differences(task: Staged, found: Manifest) -> Iterator[str]:
    """Yield what a result that would be made now does not have in common with the one that lies there."""
    was, now = found.fingerprint, task.fingerprint()
    if found.superseded_by:
        yield f"the set {found.superseded_by!r} took over files of it (--replaces)"
        if not found.tells_how:
            return
    if manifest.AGAIN in was:
        yield f"it is to be made again, for it lacks {was[manifest.AGAIN]} {task.definition.unit}s (retry)"
    yield from () if task.taken_as_it_lies else _changes(task, was, now)
    if task.lacks_too_much(found):
        count, _, what = task.left_out(found)
        yield f"{count} of its {what}s were left out, more than [runtime] max_failed_fraction"
    yield from _gone(found)
    yield from task.also_lacks()


def _changes(task: Staged, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a fingerprint has changed."""
    yield from other_settings(was, now)
    old, new = equivalence.code(was), equivalence.code(now)
    linked = equivalence.linked(task.stage, old, new) is not None
    if not linked and old.program != new.program:
        yield f"the program {task.definition.program}, or a module that it uses, has changed"
    if not linked and old.environment != new.environment:
        yield f"the image {task.definition.image} has another recipe (its locks, Dockerfile or base)"
    yield from other_inputs(was, now)


def _gone(found: Manifest) -> Iterator[str]:
    """Yield which outputs do not lie there as they were published."""
    for name, made in found.artifacts(settings.load().layout.root).items():
        if name in found.freed:
            continue
        settings.load().store.lies_there(made)  # lets it be seen here how it lies there
        if not made.path.exists():
            yield f"its {name} is gone: {made.path}"
        elif made.path.is_file() and made.path.stat().st_size != made.bytes:
            yield f"its {name} has {made.path.stat().st_size} bytes and was published with {made.bytes}: {made.path}"


def other_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Yield which settings two fingerprints do not have in common."""
    was, now = _mapping(one, "parameters"), _mapping(other, "parameters")
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"the setting {name} was {was.get(name, 'not there')!r} and is {now.get(name, 'not there')!r}"


def other_inputs(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Yield which inputs two fingerprints do not have in common."""
    was, now = _mapping(one, "inputs"), _mapping(other, "inputs")
    yield from (f"the input {name} has other content" for name in now if was.get(name) != now[name])


def _mapping(parts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = parts.get(key)
    return found if isinstance(found, Mapping) else {}


def _made(found: Manifest) -> str:
    engine = found.environment.get("engine", "an unknown engine")
    warned = f", {len(found.warnings)} warnings" if found.warnings else ""
    gone = "".join(f"; its {name} was deleted to save room ({told['at']})" for name, told in found.freed.items())
    return f"{found.started}, in {found.seconds:.1f} s, by {engine}{warned}{gone}"

"""Make a published result again with the programs that are here now, and compare it byte for byte; publish nothing.

The settings and inputs must be those that its manifest names, so that only the program, or its environment, is another.
"""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.commands import staleness
from tasks.definitions import stages
from tasks.errors import FalseSuccessError, ProgramError, StageError
from tasks.execution import attempts, backends
from tasks.execution.collect import RunSummary
from tasks.execution.progress import Bar
from tasks.execution.stage_run import Run
from tasks.results import equivalence, fingerprint, ledger, manifest
from tasks.results.equivalence import Code
from tasks.results.ledger import Ledger
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.stage_tasks.fetch import FetchTask
from tasks.workflow import pipeline

KNOWN, SAME, DIFFERS, REFUSED = "known", "same", "differs", "refused"
FOLDER = "made-again"


@dataclass(frozen=True)
class Remade:
    """A published result, the code that made it, the code that is here, and how their results compare."""

    found: Manifest
    state: str
    old: Code
    new: Code
    said: str = ""
    """What differs first, or why nothing could be compared."""
    files: int = 0
    bytes: int = 0

    @property
    def title(self) -> str:
        return f"{self.found.stage}/{self.found.plate}"


def results(batch: str, stage: str = "", plate: str = "") -> list[Manifest]:
    """Return a batch's published results, but what was fetched; of stages that are run on `plate` only that one."""
    layout = settings.load().layout
    chosen = []
    for name in stages.load():
        if stage not in ("", name) or issubclass(pipeline.stage_tasks()[name], FetchTask):
            continue
        paths = sorted((layout.manifests / name / batch).glob("*.json"))
        found = [each for path in paths if (each := manifest.read(path)) and "superseded by" not in each.fingerprint]
        chosen += [each for each in found if _is_of(each, plate)] or found
    return chosen


def _is_of(found: Manifest, plate: str) -> bool:
    """Say whether a result is of a plate; the deep features of several networks have its name after theirs."""
    return found.plate == plate or found.plate.endswith(f".{plate}")


def again(found: Manifest, *, always: bool = False) -> Remade:
    """Make a result again, unless its program is known to be equivalent; `always`: also then."""
    old = new = equivalence.code(found.fingerprint)
    try:
        task = task_of(found)
        now = task.fingerprint()
        new = equivalence.code(now)
        if not always and equivalence.linked(found.stage, old, new) is not None:
            return Remade(found, KNOWN, old, new)
        why = "; ".join(_hindrances(task, found, now))
        if why:
            return Remade(found, REFUSED, old, new, why)
        return _compared(task, found, now, Remade(found, SAME, old, new))
    except (ProgramError, FalseSuccessError) as error:
        return Remade(found, DIFFERS, old, new, f"the present program fails: {error}")
    except StageError as error:
        return Remade(found, REFUSED, old, new, str(error))


def task_of(found: Manifest) -> Any:
    """Return the task that made a result, with the parameters that the ledger names."""
    told = ledger.history(settings.load().layout.ledger(found.stage, found.batch, found.plate), whole=False)
    if told is None or not told.task:
        raise StageError("its ledger does not say which task made it: run the stage again")
    kind: Any = pipeline.stage_tasks()[found.stage]
    return kind.from_str_params(dict(told.task["params"]))


def _hindrances(task: Any, found: Manifest, now: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a result cannot be compared with what would be made now."""
    if settings.load().store.url:
        yield "results on S3 are not compared: use a data root that is a folder"
    if found.units.get(ledger.QUARANTINED):
        yield f"it lacks {found.units[ledger.QUARANTINED]} {task.definition.unit}s that were left out"
    yield from staleness.other_settings(found.fingerprint, now)
    yield from staleness.other_inputs(found.fingerprint, now)
    for name, artifacts in task.inputs().items():
        yield from (f"its input {name} is gone: {each.path}" for each in artifacts if not each.path.exists())


def _compared(task: Any, found: Manifest, now: Mapping[str, Any], made: Remade) -> Remade:
    """Run a result's jobs in a folder of their own, and say whether they made the same; if so the folder goes."""
    layout, store = settings.load().layout, settings.load().store
    folder = layout.run(found.stage, found.batch, found.plate, FOLDER)
    with store.alone(layout.lock(found.stage, found.batch, found.plate), made.title):
        shutil.rmtree(folder, ignore_errors=True)
        run = replace(task.describe(now), folder=folder)
        findings = task.judge(run, _carry_out(run))
        said = _first_difference(run, found, findings)
        outputs = [fingerprint.artifact(run.files / relative) for relative in run.outputs().values()]
        if not said:
            shutil.rmtree(folder)
    files, size = sum(each.files for each in outputs), sum(each.bytes for each in outputs)
    return replace(made, state=DIFFERS if said else SAME, said=said, files=files, bytes=size)


def _carry_out(run: Run) -> RunSummary:
    kind = run.stage.unit
    book = Ledger(run.folder / "ledger", run.folder.relative_to(settings.load().layout.root).as_posix())
    book.begin(kind, len(run.units))
    place = backends.of(run.stage, backends.engine(run.stage))
    with Bar(run.title, kind, max(len(run.units), 1), lambda percent, said: None) as bar:
        return attempts.make(run, place, settings.load().retries, book, bar.show, 0.0)


def _first_difference(run: Run, found: Manifest, findings: RunSummary) -> str:
    """Return the first file, fact or count that differs from what the manifest says; nothing if all are the same.

    Warnings are not compared: they are for people, and may be worded better. Nor are facts that only the present
    program tells: whoever reads a manifest of an earlier version does without them.
    """
    made = run.outputs()
    for name in sorted({*made, *found.outputs}):
        if name not in made or name not in found.outputs:
            return f"only the {'earlier' if name not in made else 'present'} program makes the output {name}"
        old, new = settings.load().layout.root / found.outputs[name]["path"], run.files / made[name]
        if fingerprint.artifact(new).digest != found.outputs[name]["digest"]:
            return f"the output {name}: {_first_file(old, new)}"
    facts = json.loads(json.dumps(findings.facts))
    for name in sorted(found.facts):
        if facts.get(name) != found.facts.get(name):
            return f"the fact {name} was {found.facts.get(name)!r:.200} and is {facts.get(name)!r:.200}"
    if dict(findings.units) != dict(found.units):
        return f"the counts of {run.stage.unit}s were {dict(found.units)} and are {dict(findings.units)}"
    return ""


def _first_file(old: Path, new: Path) -> str:
    """Return the first file that two outputs do not have in common, as far as the earlier one lies there."""
    if not (old.is_dir() and new.is_dir()):
        return f"{new} has other bytes than {old} was published with"
    names = sorted({path.relative_to(top) for top in (old, new) for path in top.rglob("*") if path.is_file()})
    for name in names:
        if not ((old / name).is_file() and (new / name).is_file()):
            return f"{name} is only in {old if (old / name).is_file() else new}"
        if not filecmp.cmp(old / name, new / name, shallow=False):
            return f"{new / name} has other bytes than {old / name}"
    return f"{old} is not as it was published"

"""Intermediates: results that may go once all that is made from them is there. Deleting makes nothing stale.

The manifest stays, and says what was deleted: a stage that has to read it later has it made again first.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import luigi
from luigi.task import flatten

from tasks.results import manifest
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.stage_tasks.fetch import FETCHED, FetchTask
from tasks.stage_tasks.link import LINK
from tasks.stage_tasks.plate import ProvidedTask
from tasks.stage_tasks.stage import Staged


@dataclass(frozen=True)
class Intermediate:
    """What a stage made of a plate for others to read; `waits_for` names those that have not read it yet."""

    maker: Staged
    readers: Sequence[Staged]
    paths: Sequence[Path]
    bytes: int
    waits_for: Sequence[str]


def intermediates(top: luigi.Task) -> Iterator[Intermediate]:
    """Yield the intermediates below a task that lie there, with those that read them."""
    readers: dict[str, list[Staged]] = {}
    makers: dict[str, Staged] = {}
    for reader, maker in _edges(top, set()):
        makers[maker.task_id] = maker
        readers.setdefault(maker.task_id, []).append(reader)
    for name, maker in makers.items():
        found = manifest.read(maker.manifest_path())
        if found and maker.definition.intermediate:
            made = _outputs(maker, found)
            waiting = [reader.stage for reader in readers[name] if not reader.complete()]
            if made:
                size = sum(found.outputs[output]["bytes"] for output in made)
                yield Intermediate(maker, readers[name], list(made.values()), size, waiting)


def _edges(task: Any, seen: set[str]) -> Iterator[tuple[Staged, Staged]]:
    """Yield (reader, maker) of all stages below a task; what a person would have laid is read from its fetch."""
    if task.task_id in seen:
        return
    seen.add(task.task_id)
    for required in flatten(task.requires()):
        maker = required
        if isinstance(required, ProvidedTask):
            maker = required.clone(required.fetched_by) if required.fetched_by else None
        if isinstance(task, Staged) and isinstance(maker, Staged):
            yield task, maker
        yield from _edges(required, seen)


def _outputs(maker: Staged, found: Manifest) -> dict[str, Path]:
    """Return the outputs that may go and lie there; the table of what was fetched stays, and a link takes no room."""
    made = found.artifacts(settings.load().layout.root)
    return {name: each.path for name, each in made.items() if name not in (FETCHED, LINK) and each.path.exists()}


def free(top: luigi.Task) -> int:
    """Delete the intermediates that luigi.cfg does not keep and nobody waits for; return how many bytes went."""
    chosen = [each for each in intermediates(top) if each.maker.stage in settings.load().delete]
    return sum(delete(each) for each in chosen if not each.waits_for)


def delete(spare: Intermediate) -> int:
    """Delete an intermediate, unless a run is at it or at one of its readers; return how many bytes went."""
    layout, store = settings.load().layout, settings.load().store
    with ExitStack() as held:
        for task in (spare.maker, *spare.readers):
            if not held.enter_context(store.at_once(layout.lock(task.stage, task.batch_id, task.manifest_key))):
                return 0
        found = manifest.read(spare.maker.manifest_path())
        if found is None or not all(reader.complete() for reader in spare.readers):
            return 0
        made = _outputs(spare.maker, found)
        manifest.write(spare.maker.manifest_path(), _told(spare.maker, found, made), store)
        for path in made.values():
            store.remove(path)
    return sum(found.outputs[name]["bytes"] for name in made)


def _told(maker: Staged, found: Manifest, made: dict[str, Path]) -> Manifest:
    """Return the manifest that says what goes; of what was fetched, also how it was read."""
    gone: dict[str, Any] = {"at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    laid = maker.provided() if isinstance(maker, FetchTask) else None
    if laid:
        gone["as"] = manifest.told(laid.promises()[laid.name], settings.load().layout.root)
    outputs = {name: {**entry, "freed": gone} if name in made else entry for name, entry in found.outputs.items()}
    return replace(found, outputs=outputs)

"""What is of one plate: PlateTask, and ProvidedTask for what lies there before any stage is run."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import luigi

from tasks.errors import SettingsError
from tasks.results import manifest
from tasks.results.fingerprint import Artifact
from tasks.settings import settings
from tasks.settings.parameters import Choice
from tasks.stage_tasks.memo import ttl_cache
from tasks.stage_tasks.start import Started

LAID = "laid"
FROM_CELLS, FROM_WELLS = "cells", "wells"
OWN_TABLES = (FROM_CELLS, FROM_WELLS)
"""Where a run begins with tables of another laboratory or program: nothing is fetched then."""
START_FROM = (LAID, "images", "backend", "profiles", *OWN_TABLES)


class ListedOnce(Started):
    """A task whose parameters are listed once a class: Luigi goes through all of the class each time it is asked."""

    @classmethod
    @functools.cache
    def get_params(cls) -> list[tuple[str, luigi.Parameter]]:
        listed: list[tuple[str, luigi.Parameter]] = super().get_params()
        return listed


class PlateTask(ListedOnce):
    """Something of one plate that promises artifacts by name."""

    batch_id = luigi.Parameter(description="the batch's name, as in the gallery")
    plate = luigi.Parameter(description="the plate's barcode")
    start_from = Choice(
        choices=START_FROM,
        default=LAID,
        significant=False,
        description="images, backend or profiles: begin there, and fetch what is absent; cells or wells: from another "
        "program's tables; laid: from what lies there",
    )

    def clone(self, cls: type[luigi.Task] | None = None, **given: Any) -> luigi.Task:
        """Return a task of the same plate: a parameter of the same name is each stage's own."""
        shared = {name for name, _ in (PlateTask if cls else type(self)).get_params()}
        known = [name for name, _ in (cls or type(self)).get_params()]
        own: dict[str, Any] = {name: getattr(self, name) for name in known if name in shared}
        task: luigi.Task = (cls or type(self))(**{**own, **given})
        return task

    def promises(self) -> Mapping[str, Artifact]:
        """Return what this task offers to those that require it; only asked of a complete task."""
        raise NotImplementedError


def fetches(start_from: str) -> bool:
    """Say whether a run fetches what it begins with, where that does not lie there."""
    return start_from not in (LAID, *OWN_TABLES)


def refuse_start(what: str, start_from: str, not_from: Sequence[str]) -> None:
    """Raise SettingsError if a stage is asked for that is before the start of the run."""
    if start_from in not_from:
        message = f"--start-from {start_from}: what was asked for is made from {what}, which such a run does without"
        raise SettingsError(f"{message}; start from an earlier place, or ask for a later stage")


class ProvidedTask(PlateTask):
    """A file or folder that a person laid under the data root: adopted with its hash, never completed.

    Where nothing lies at all, it is fetched if the run was told from where to start.
    """

    name: ClassVar[str]
    fetched_by: ClassVar[type[luigi.Task] | None] = None
    remembered: ClassVar[bool] = False
    """Whether the hashes of single files are remembered: for folders that are too large to read each time."""
    not_from: ClassVar[tuple[str, ...]] = ()
    """Where a run may not start that needs this."""

    def path(self) -> Path:
        """Return where it lies; raise MissingInputError if it does not."""
        raise NotImplementedError

    def folders(self) -> Iterator[Path]:
        """Yield the folders that are looked through for it: each is looked at before the next is asked for."""
        yield from ()

    def requires(self) -> list[luigi.Task]:
        refuse_start(f"the {self.name} of plate {self.plate}", self.start_from, self.not_from)
        return [self.clone(self.fetched_by)] if self.fetched_by and fetches(self.start_from) else []

    @ttl_cache
    def complete(self) -> bool:
        store = settings.load().store
        store.refresh()
        for folder in self.folders():
            store.look(folder)
        return all(task.complete() for task in self.requires()) and (self.freed() is not None or self.path().exists())

    def freed(self) -> Artifact | None:
        """Return what was fetched to here, if it was deleted since to save room."""
        by: Any = self.fetched_by
        layout = settings.load().layout
        found = manifest.read(layout.manifest(by.stage, self.batch_id, self.plate)) if by else None
        told = next((each["as"] for each in (found.freed.values() if found else ()) if each.get("as")), None)
        return Artifact(layout.root / told["path"], told["digest"], told["files"], told["bytes"]) if told else None

    def gone(self) -> list[luigi.Task]:
        """Return the task that fetches this again, if it was deleted to save room."""
        return [self.clone(self.fetched_by, kept=True)] if self.fetched_by and self.freed() else []

    def memory(self) -> Path:
        """Return the file that remembers its hashes."""
        return settings.load().layout.adopted(self.batch_id, f"{self.plate}.{self.name}")

    @ttl_cache
    def promises(self) -> Mapping[str, Artifact]:
        freed = self.freed()
        if freed:
            return {self.name: freed}
        return {self.name: settings.load().store.artifact(self.path(), self.memory() if self.remembered else None)}

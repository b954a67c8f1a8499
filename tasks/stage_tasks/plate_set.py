"""BatchTask: a stage that is run once on a set of plates, by default all plates of the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import luigi

from tasks.dataset import catalogue, lookup
from tasks.dataset.layout import checked_name
from tasks.execution.specs import StageSpec
from tasks.results import set_ownership
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.settings.parameters import Choice, Names, Typed
from tasks.stage_tasks.plate import LAID, START_FROM, ListedOnce, PlateTask
from tasks.stage_tasks.stage import Staged

NAMED_PLATES = 3  # so many a set's name can hold


class PlateSet(ListedOnce):
    """Some plates of a batch, and the name of that set."""

    batch_id = luigi.Parameter(description="the batch's name, as in the gallery")
    plates = Names(default=(), description="P1,P2; all plates of the batch if empty")
    where = Typed(default="", form="conditions", description="Cell_type=U2OS,Time=24|48: only the plates that meet it")
    plate_set = Typed(
        default="", form="a name", description="the set's name; empty: the batch's, or one of the plates'"
    )
    start_from = Choice(choices=START_FROM, default=LAID, significant=False, description="as of RunPlate")
    replaces = Typed(
        default="", form="names by commas", significant=False, description="A,B: sets whose files may be overwritten"
    )

    @property
    def members(self) -> tuple[str, ...]:
        """Return the plates of the set; the order in which they were named does not matter."""
        settings.load().store.refresh()
        layout = settings.load().layout
        listed = list(self.plates) or lookup.plates(layout, self.batch_id)
        return tuple(sorted({*catalogue.plates(layout, self.batch_id, listed, self.where)}))

    @property
    def subject(self) -> str:
        """Return the set's name."""
        if self.plate_set:
            return checked_name("plate set", self.plate_set)
        members = self.members  # which has the list looked at
        everything = lookup.plates(settings.load().layout, self.batch_id)
        return str(self.batch_id) if set(members) == set(everything) else name_of(members)

    def same_set(self) -> dict[str, Any]:
        """Return the parameters of another task on the same set."""
        return {name: getattr(self, name) for name in PlateSet.get_param_names(include_significant=True)}


def name_of(plates: Collection[str]) -> str:
    """Return a name for some plates of a batch: theirs, or the first one's and a hash of all."""
    first, *rest = plates
    if len(plates) <= NAMED_PLATES:
        return "-".join(plates)
    return f"{first}-and-{len(rest)}-more-{hashlib.sha256(' '.join(plates).encode()).hexdigest()[:8]}"


class BatchTask(PlateSet, Staged):
    """Runs a stage on a set of plates. A subclass says which stage, which edges and which parameters; nothing else."""

    scope = ("batch_id", "plates", "where", "plate_set", "start_from", "replaces")

    def each(self, task: type[PlateTask]) -> list[PlateTask]:
        """Return a task for each plate of the set."""
        same = {"batch_id": self.batch_id, "start_from": self.start_from}
        return [task(plate=plate, **same) for plate in self.members]

    def spec(self) -> StageSpec:
        layout, folder = settings.load().layout, self.definition.folder
        folders: dict[str, Path] = {}
        for output in self.definition.output_names(self.subject, self.members):
            _, _, plate = output.partition("/")
            of_set = layout.published_of_set(folder, self.batch_id)
            folders[output] = layout.published(folder, self.batch_id, plate) if plate else of_set
        return super().spec().adding(folders=folders)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Let one set of the batch be published at a time, with the others' manifests as they are now."""
        given = settings.load()
        lock = given.layout.lock_of_sets(self.stage, self.batch_id)
        with given.store.alone(lock, f"{self.stage}/{self.subject}: publishing"):
            given.store.refresh(now=True)
            yield

    def resolve_ownership(self) -> dict[Path, Manifest]:
        """Return what the manifests of other sets are to say; raise PublishError if this one may not have its files."""
        names = self.definition.output_names(self.subject, self.members)
        folders = self.spec().folders
        targets = {folders[name] / relative for name, relative in names.items()}
        allowed = self.replaces.split(",")
        return set_ownership.resolve(settings.load().layout, self.stage, self.batch_id, self.subject, targets, allowed)

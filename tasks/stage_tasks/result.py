"""Result: what a stage makes of a subject, what it is made from, and whether it lies there as it would be made now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import luigi
from luigi.task import flatten

from tasks.definitions import stages
from tasks.definitions.stages import Stage
from tasks.execution.specs import StageSpec
from tasks.results import fingerprint, ledger, manifest
from tasks.results.fingerprint import Artifact
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.stage_tasks.memo import ttl_cache
from tasks.stage_tasks.plate import ListedOnce


def _written(how: luigi.Parameter, value: object) -> str:
    return str(how.serialize(value)) if isinstance(value, bool) else str(value)


class Result(ListedOnce):
    """The result of a stage; what is the same whether its subject is a plate or a set of plates."""

    stage: ClassVar[str]
    scope: ClassVar[tuple[str, ...]]
    """The parameters that say what the stage is run on: they go into no fingerprint of their own."""
    taken_as_it_lies: ClassVar[bool] = False
    """Whether it is complete however it came there: then no setting, program or image makes it stale."""
    batch_id: luigi.Parameter
    kept = luigi.BoolParameter(default=False, description="make it again also if it was deleted to save room")

    @property
    def subject(self) -> str:
        """Return the name of what is run on, which names its run folder and manifest."""
        raise NotImplementedError

    @property
    def members(self) -> tuple[str, ...]:
        """Return the plates of a set; none if the subject is a plate."""
        return ()

    def spec(self) -> StageSpec:
        """Return what decides the result: by itself all significant parameters. A subclass adds what is its own."""
        apart = (*self.scope, "kept")
        significant = {name: how for name, how in self.get_params() if how.significant and name not in apart}
        return StageSpec({name: _written(how, getattr(self, name)) for name, how in significant.items()})

    @property
    def definition(self) -> Stage:
        return stages.stage(self.stage)

    @property
    def manifest_key(self) -> str:
        """Return the name of the run and its manifest: more than the subject's where it has several results."""
        return self.subject

    def manifest_path(self) -> Path:
        return settings.load().layout.manifest(self.stage, self.batch_id, self.manifest_key)

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(self.manifest_path()))

    @ttl_cache
    def complete(self) -> bool:
        """Say whether the published result is what would be made now: an existing file alone proves nothing."""
        settings.load().store.refresh()
        if not all(task.complete() for task in flatten(self.requires())):
            return False
        found = manifest.read(self.manifest_path())
        if found is None or not found.is_of(self.fingerprint()) or self.lacks_too_much(found):
            return False
        given = settings.load()
        made = found.artifacts(given.layout.root)
        return all(given.store.lies_there(each) for name, each in made.items() if self.kept or name not in found.freed)

    def also_lacks(self) -> Iterator[str]:
        """Yield what makes it incomplete beside its fingerprint and its outputs."""
        yield from ()

    def deps(self) -> list[luigi.Task]:
        """Return what Luigi completes first: what is read here and was deleted to save room is made again."""
        required: list[Any] = flatten(self.requires())
        return [again for task in required for again in (task, *task.gone())]

    def gone(self) -> list[luigi.Task]:
        """Return the task that makes this again, if a part of it was deleted to save room."""
        found = manifest.read(self.manifest_path())
        given = settings.load()
        made = found.artifacts(given.layout.root) if found else {}
        freed = [made[name] for name in (found.freed if found else ()) if name in made]
        deleted = any(not given.store.lies_there(each) for each in freed)
        return [type(self)(**{**self.param_kwargs, "kept": True})] if deleted else []

    def lacks_too_much(self, found: Manifest) -> bool:
        """Say whether more was left out of a result than is allowed now."""
        count, total, _ = self.left_out(found)
        return count > settings.load().max_failed_fraction * total

    def left_out(self, found: Manifest) -> tuple[int, int, str]:
        """Return how many of how many a result lacks, and what they are."""
        return found.units.get(ledger.QUARANTINED, 0), sum(found.units.values()), self.definition.unit

    def promises(self) -> Mapping[str, Artifact]:
        found = manifest.read(self.manifest_path())
        return found.artifacts(settings.load().layout.root) if found else {}

    def inputs(self, spec: StageSpec | None = None) -> dict[str, list[Artifact]]:
        """Return the artifacts for every input's name: what a required task promises under it, or a file."""
        files = (spec or self.spec()).files
        own = {name: [fingerprint.artifact(path)] for name, path in files.items()}
        offers = [offer for task in flatten(self.requires()) for offer in task.promises().items()]
        return {
            # A set's outputs are keyed `name/plate`.
            name: own.get(name) or [found for key, found in offers if key.split("/")[0] == name]
            for name in self.definition.inputs
        }

    def fingerprint(self) -> dict[str, object]:
        spec = self.spec()
        return fingerprint.fingerprint(self.definition, spec.fingerprinted(), self.inputs(spec))

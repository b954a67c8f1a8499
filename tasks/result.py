"""Result: what a stage makes of a subject, what it is made from, and whether it lies there as it would be made now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import luigi
from luigi.task import flatten

from tasks import fingerprint, ledger, manifest, settings, stages
from tasks.fingerprint import Artifact
from tasks.manifest import Manifest
from tasks.plate_task import ListedOnce
from tasks.recall import for_a_while
from tasks.stages import Stage


class Result(ListedOnce):
    """The result of a stage; what is the same whether its subject is a plate or a set of plates."""

    stage: ClassVar[str]
    scope: ClassVar[tuple[str, ...]]
    """The parameters that say what the stage is run on: they go into no fingerprint of their own."""
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

    def files(self) -> Mapping[str, Path]:
        """Return inputs that are files of the project or the user, by the input's name."""
        return {}

    def flags(self) -> dict[str, str]:
        """Return the parameters that go to the program and into the fingerprint."""
        aside = (*self.scope, "kept")
        significant = [name for name, how in self.get_params() if how.significant and name not in aside]
        return {name: str(getattr(self, name)) for name in significant}

    def asides(self) -> dict[str, str]:
        """Return what goes to the program too, and changes nothing of what it makes: it is in no fingerprint."""
        return {}

    def whole(self) -> frozenset[str]:
        """Return the folders that a job reads all of, whatever their table (Stage.listed) says."""
        return frozenset()

    def passed(self) -> tuple[str, ...]:
        """Return the names of the caller's environment variables that the program sees."""
        return ()

    @property
    def definition(self) -> Stage:
        return stages.stage(self.stage)

    @property
    def kept_as(self) -> str:
        """Return the name that the run and its manifest are kept under: more than the subject's if it has several."""
        return self.subject

    def manifest_path(self) -> Path:
        return settings.load().layout.manifest(self.stage, self.batch_id, self.kept_as)

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(str(self.manifest_path()))

    @for_a_while
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

    def inputs(self) -> dict[str, list[Artifact]]:
        """Return the artifacts for every input's name: what a required task promises under it, or a file."""
        own = {name: [fingerprint.artifact(path)] for name, path in self.files().items()}
        offers = [offer for task in flatten(self.requires()) for offer in task.promises().items()]
        return {
            # A set's outputs are keyed `name/plate`.
            name: own.get(name) or [found for key, found in offers if key.split("/")[0] == name]
            for name in self.definition.inputs
        }

    def fingerprint(self) -> dict[str, object]:
        return fingerprint.fingerprint(self.definition, self.flags(), self.inputs())

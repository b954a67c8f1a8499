"""StageTask: a stage's definition and parameters become a run, which is checked and published."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import logging
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from luigi.task import flatten

from tasks.errors import PublishError, StageError
from tasks.execution import attempts, backends
from tasks.execution.collect import RunSummary
from tasks.execution.progress import Bar
from tasks.execution.specs import JobSpec, StageSpec
from tasks.execution.stage_run import Run
from tasks.results import fingerprint, ledger, manifest
from tasks.results.fingerprint import Artifact
from tasks.results.ledger import Ledger
from tasks.results.manifest import Manifest
from tasks.runtime.arrays.places import forget, used
from tasks.runtime.core import events, identity
from tasks.runtime.core.events import StageEnded, StageFailed, StageStarted
from tasks.runtime.core.job import words_of
from tasks.runtime.engines.engines import Engine
from tasks.settings import settings
from tasks.stage_tasks.plate import PlateTask
from tasks.stage_tasks.result import Result

logger = logging.getLogger(__name__)

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}


class Staged(Result):
    """Runs a stage; what is the same whether its subject is a plate or a set of plates."""

    def run(self) -> None:
        store = settings.load().store
        title = f"{self.stage}/{self.subject}"
        try:
            with store.alone(self._lock(), title) as waited:
                store.refresh(now=waited)
                if self.complete():  # Luigi looked when it planned: that may be hours ago
                    logger.info("%s: another run has made it meanwhile", title, extra=events.extra(StageEnded(title)))
                else:
                    self._accounted()
        except OSError as error:
            if error.errno not in DISK_FAULTS:
                raise
            raise PublishError(f"{title}: {error}; see to the data root's disk and run again") from error

    def _accounted(self) -> None:
        """Run, and let the ledger say why if that fails, also before the first job or after the last."""
        before = ledger.newest(self._ledger())
        try:
            self._run()
        except Exception as error:
            failed = StageFailed(f"{self.stage}/{self.subject}")
            logger.debug("%s: failed", failed.title, extra=events.extra(failed))
            said = str(error) if isinstance(error, StageError) else f"{type(error).__name__}: {error}"
            with suppress(OSError):  # the error itself is told, whatever the disk lets us write
                ledger.note_failure(
                    self._ledger(),
                    before,
                    self.definition.unit,
                    self._told_to_ledger(),
                    said.splitlines()[0],
                    settings.load().store.push,
                )
            raise

    def _lock(self) -> Path:
        return settings.load().layout.lock(self.stage, self.batch_id, self.manifest_key)

    def _ledger(self) -> Path:
        return settings.load().layout.ledger(self.stage, self.batch_id, self.manifest_key)

    def _told_to_ledger(self) -> dict[str, object]:
        return {"family": self.task_family, "params": self.to_str_params()}

    def _run(self) -> None:
        given = settings.load()
        engine = backends.engine(self.definition)
        parts = self.fingerprint()
        run = self.describe(parts)
        given.store.pull(run.folder)
        self.resolve_ownership()  # refused before the jobs, not after
        if self._resumed(run, parts):
            self._tidy(run)
            ended = events.extra(StageEnded(run.title))
            logger.info("%s: published what an interrupted run had made", run.title, extra=ended)
            return
        started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
        findings = self._carry_out(run, engine)
        seconds = round(time.monotonic() - clock, 3)
        record = self._manifest(run, findings, parts, engine, started.isoformat(timespec="seconds"), seconds)
        with self.publishing():
            given.store.assert_held(self._lock())
            manifest.publish(given.layout, record, self._moves(run), self.resolve_ownership(), given.store)
        self._tidy(run)
        ended = events.extra(StageEnded(run.title, seconds, tuple(findings.warnings)))
        logger.info("%s: done in %.1f s%s", run.title, seconds, _told(findings), extra=ended)

    def _resumed(self, run: Run, parts: Mapping[str, object]) -> bool:
        """Finish a publication that a crash cut short; return whether there was one."""
        given = settings.load()
        with self.publishing():
            moves, taken = self._moves(run), self.resolve_ownership()
            return manifest.resume(given.layout, self.manifest_path(), parts, moves, taken, given.store)

    def _tidy(self, run: Run) -> None:
        shutil.rmtree(run.files, ignore_errors=True)
        found = manifest.read(self.manifest_path())
        if found and not found.units.get(ledger.QUARANTINED):  # else the next try makes only what was left out
            forget(run.folder / "shards")
            settings.load().store.tidy(run.folder)

    def job_spec(self) -> JobSpec:
        """Return how the jobs are run: by itself one a unit. A subclass adds its own."""
        return JobSpec(settings.resources(self.definition))

    def describe(self, parts: Mapping[str, object]) -> Run:
        """Return the run of a fingerprint's parts; nothing has happened yet."""
        spec, how, units = self.spec(), self.job_spec(), self._units()
        layout = settings.load().layout
        return Run(
            stage=self.definition,
            plate=self.subject,
            members=self.members,
            disabled_outputs=spec.disabled_outputs,
            folder=layout.run(self.stage, self.batch_id, self.manifest_key, fingerprint.digest(parts)[:12]),
            flags=words_of({**spec.parameters, **how.flags}),
            inputs=self.inputs(spec),
            shards=backends.job_count(len(units), how) if self.definition.sharded else 1,
            units=units,
            resources=how.resources,
            environment=how.environment,
            unsharded_inputs=how.unsharded_inputs,
        )

    def _units(self) -> tuple[str, ...]:
        """Return the units to be accounted for: those that a required task lists, but for what one of them lacks."""
        kind = self.definition.unit
        required = [task for task in flatten(self.requires()) if isinstance(task, Staged)]
        found = [(task, made) for task in required if (made := manifest.read(task.manifest_path()))]
        listed = next((made.facts[kind] for _, made in found if kind in made.facts), ())
        lacking = {unit for _, made in found for unit in made.facts.get("quarantined", ())}
        return tuple(unit for unit in listed if unit not in lacking)

    def _carry_out(self, run: Run, engine: Engine) -> RunSummary:
        given, kind = settings.load(), self.definition.unit
        book = Ledger(self._ledger(), run.folder.relative_to(given.layout.root).as_posix(), given.store.push)
        book.begin(kind, len(run.units), self._told_to_ledger())
        logger.info("%s: %s", run.title, self.definition.summary, extra=events.extra(StageStarted(run.title)))
        with Bar(run.title, kind, max(len(run.units), 1), self._tell) as bar:
            place, allowed = backends.of(self.definition, engine), settings.max_failed_fraction(self.definition)
            return self.judge(run, attempts.make(run, place, given.retries, book, bar.show, allowed))

    def judge(self, run: Run, findings: RunSummary) -> RunSummary:
        """Return what the jobs found, with what follows from all of it; StageError if it may not be published."""
        return findings

    def _tell(self, percent: int, said: str) -> None:
        # Luigi sets these while a task runs.
        self.set_progress_percentage(percent)  # type: ignore[misc]
        self.set_status_message(said)  # type: ignore[misc]

    def publishing(self) -> AbstractContextManager[object]:
        """Hold what keeps others from the manifests that `resolve_ownership` returns, from before it is called."""
        return nullcontext()

    def resolve_ownership(self) -> dict[Path, Manifest]:
        """Return what manifests of other results are to say once this one is in its place."""
        return {}

    def output_folder(self, output: str) -> Path:
        """Return the folder where an output is published."""
        return self.spec().folders[output]

    def _moves(self, run: Run) -> dict[str, tuple[Path, Path]]:
        names, folders = run.outputs(), self.spec().folders
        return {name: (run.files / relative, folders[name] / relative) for name, relative in names.items()}

    def _artifact(self, run: Run, source: Path) -> Artifact:
        """Return what is about to be published; of what its jobs hashed nothing is read once more."""
        hashes = settings.load().store.hashes(run.folder)
        memory = run.folder / "hashes.json" if hashes else None
        if memory:
            fingerprint.remember(memory, source, hashes)
        return fingerprint.artifact(source, memory)

    def _manifest(
        self, run: Run, findings: RunSummary, parts: Mapping[str, Any], engine: Engine, started: str, seconds: float
    ) -> Manifest:
        root = settings.load().layout.root
        outputs = {}
        for name, (source, target) in self._moves(run).items():
            made = self._artifact(run, source)
            outputs[name] = manifest.told(dataclasses.replace(made, path=target), root)
        return Manifest(
            stage=self.stage,
            batch=self.batch_id,
            plate=self.manifest_key,
            members=self.members,
            fingerprint=parts,
            outputs=outputs,
            environment=engine.environment(self.definition.image),
            run=run.folder.relative_to(root).as_posix(),
            started=started,
            seconds=seconds,
            units=findings.units,
            warnings=findings.warnings,
            facts=findings.facts,
            inputs={name: [manifest.told(each, root) for each in found] for name, found in run.inputs.items()},
            by=identity.user(),
            used=used(run.folder / "shards"),
        )


class StageTask(Staged, PlateTask):
    """Runs a stage on a plate. A subclass says which stage, which edges and which parameters; nothing else."""

    scope = ("batch_id", "plate", "start_from")

    @property
    def subject(self) -> str:
        return str(self.plate)

    def spec(self) -> StageSpec:
        folder = settings.load().layout.published(self.definition.folder, self.batch_id, self.plate)
        return super().spec().adding(folders=dict.fromkeys(self.definition.outputs, folder))


def _told(findings: RunSummary) -> str:
    return "".join(f"\n    warning: {warning}" for warning in findings.warnings)

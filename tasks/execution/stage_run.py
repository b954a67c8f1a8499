"""One run of a stage, cut into jobs, and the error for those that were given up; nothing here runs anything."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from stagekit.program import Shard

from tasks import errors
from tasks.dataset import planes
from tasks.definitions.stages import Resources, Stage
from tasks.errors import ProgramError
from tasks.execution import reasons
from tasks.execution.retries import Attempt
from tasks.results.fingerprint import Artifact
from tasks.runtime.core.job import OUTPUT, Job, Mount
from tasks.runtime.engines import log_end

LOG_LINES, LINE_LENGTH = 8, 300


@dataclass(frozen=True)
class Run:
    """A stage on a plate or a set of plates, ready to be run in `shards` jobs; nothing here has happened yet."""

    stage: Stage
    plate: str
    folder: Path
    flags: tuple[str, ...]
    inputs: Mapping[str, Sequence[Artifact]]
    shards: int
    units: tuple[str, ...]
    """The units that must be accounted for; empty where the unit is the plate."""
    resources: Resources
    members: tuple[str, ...] = ()
    """The plates, if `plate` names a set of them."""
    environment: tuple[str, ...] = ()
    """The names of the caller's environment variables that the program sees."""
    unsharded_inputs: frozenset[str] = frozenset()
    """The folders that every job reads all of, whatever their table says."""
    disabled_outputs: frozenset[str] = frozenset()
    """The outputs that settings leave out."""

    @property
    def title(self) -> str:
        return f"{self.stage.name}/{self.plate}"

    @property
    def files(self) -> Path:
        """Return the folder where the shards' files are brought together."""
        return self.folder / "files"

    def jobs(self, done: Collection[str] = ()) -> list[Job]:
        """Return the jobs that make all units but those that are done."""
        if not self.units:
            return [self._job((), "1of1")]
        left = [unit for unit in self.units if unit not in done]
        parts = _cut(left, math.ceil(self.shards * len(left) / len(self.units)))
        return [self._job(part, f"{number}of{len(parts)}") for number, part in enumerate(parts, start=1)]

    def cut(self, job: Job, units: Sequence[str], number: int, count: int) -> Job:
        """Return the job that works on some of a job's units."""
        piece = self._job(units, f"{job.folder.name.rpartition('-')[0]}.{number}of{count}")
        return replace(piece, resources=job.resources, attempt=job.attempt, causes=job.causes)

    def taken_up(self, folders: Collection[Path]) -> list[Job]:
        """Return the jobs that these folders were given to, in whatever shards, as far as they are of this run."""
        described = {folder: _described(folder) for folder in folders}
        jobs = [
            replace(
                self._job(told["units"], folder.name, folder),
                resources=Resources(**told["resources"]),
                attempt=told["attempt"],
                causes=tuple(told["causes"]),
            )
            for folder, told in described.items()
            if told
        ]
        same = [job for job in jobs if described[job.folder]["flags"] == list(job.flags)]
        return [job for job in same if set(job.units) <= set(self.units) and bool(job.units) == bool(self.units)]

    def outputs(self) -> dict[str, str]:
        """Return the path of every promised output below `files`."""
        names = self.stage.output_names(self.plate, self.members)
        return {name: path for name, path in names.items() if name.split("/")[0] not in self.disabled_outputs}

    def _writes(self) -> dict[str, list[str]]:
        """Return where the program is to write each output: for a set of plates a path a plate."""
        words: dict[str, list[str]] = {}
        for key, relative in self.stage.output_names(self.plate, self.members).items():
            words.setdefault(key.split("/")[0], []).append(_output_path(relative))
        return words

    def _job(self, units: Sequence[str], label: str, folder: Path | None = None) -> Job:
        shard = ("--shard", ",".join(units) or "1/1") if self.stage.sharded else ()
        mounts = self._mounts()
        reads = [word for name, found in mounts.items() for word in (f"--{name}", *(mount.target for mount in found))]
        writes = [word for name, paths in self._writes().items() for word in (f"--write_{name}", *paths)]
        # With a hash of the units a folder is never taken for that of another cut.
        place = f"{label}-{_short_hash(units)}" if units else label
        folder = folder or self.folder / "shards" / place
        return Job(
            # By the whole path: two data roots on one machine may have the same run.
            name=f"platewright-{self.stage.name}-{self.plate}-{_short_hash([str(self.folder)])}-{folder.name}",
            image=self.stage.image,
            program=self.stage.program,
            flags=("--plate", self.plate, *self.flags, *reads, *writes, *shard),
            inputs=tuple(each for found in mounts.values() for mount in found for each in (mount, *_behind(mount))),
            folder=folder,
            resources=self.resources,
            network=self.stage.network,
            passed=self.environment,
            resumes=self.stage.resumes,
            units=tuple(units),
            unit=self.stage.unit,
            contracts=() if self.stage.sharded else self._contracts(),
        )

    def _mounts(self) -> dict[str, list[Mount]]:
        """Return where every input is seen; of a folder also how a job reads it where it is not mounted."""
        mounts = {name: _mounts(name, found) for name, found in self.inputs.items()}
        for name, table in self.stage.listed.items():
            if name in self.unsharded_inputs:
                continue
            mounts[name] = [replace(mount, listed=mounts[table][0].target) for mount in mounts[name]]
        for name in self.stage.afar:
            mounts[name] = [replace(mount, afar=True) for mount in mounts[name]]
        return mounts

    def _contracts(self) -> tuple[tuple[str, str], ...]:
        """Return the tables that are made, by their paths below `files`, each with its contract."""
        kinds = [(path, name.split("/")[0]) for name, path in self.outputs().items()]
        return tuple((path, self.stage.contract[kind]) for path, kind in kinds if kind in self.stage.contract)


def failure(run: Run, bad: Sequence[Attempt], allowed: float) -> ProgramError:
    """Return the error for jobs that were given up: which units, the program's words, how to repeat."""
    # What is no single unit's fault is told first: it is the reason why the others were not tried.
    first = min(bad, key=lambda ended: (len(ended.job.units) == 1, ended.job.folder.name))
    job, outcome = first.job, first.outcome
    log = job.folder / "stderr.log"
    words = [outcome.lost] if outcome.lost else last_words(log)
    units = {unit: ended for ended in bad for unit in ended.job.units}
    words += [f"{name}: {ended.reason}: {ended.why(name)}" for name, ended in list(units.items())[:LOG_LINES]]
    out_of_memory, timed_out = first.reason == reasons.OUT_OF_MEMORY, outcome.timed_out
    what = errors.exit_meaning(outcome.exit_code, out_of_memory=out_of_memory, timed_out=timed_out)
    attempts = 1 + job.causes.count(reasons.NODE_LOST)
    what = f"lost contact with it ({attempts} attempt{'s' if attempts > 1 else ''})" if outcome.lost else what
    what = "cancelled from outside the run" if outcome.cancelled else what
    if units:
        what += f"; {len(units)} of {len(run.units)} {run.stage.unit}s failed"
    said = log_end.telling(log) if first.reason == reasons.SERVICE else ()
    hint = errors.hint_for(run.stage.name, said, out_of_memory=out_of_memory, timed_out=timed_out)
    if not hint and units and all(len(ended.job.units) == 1 for ended in bad):
        hint = errors.hint_to_leave_out(run.stage.name, len(units), len(run.units), run.stage.unit, allowed)
    again = shlex.join(["sh", str(job.folder / "command")])
    return ProgramError(errors.program_failed(run.title, what, words, log, again, hint))


def _cut(units: Sequence[str], count: int) -> list[list[str]]:
    """Cut units into nearly equal shards; the sites of a well stay together."""
    wells = [list(group) for _, group in groupby(units, lambda unit: unit.rpartition("-")[0] or unit)]
    parts = [Shard(number, count).of(wells, str) for number in range(1, count + 1)]
    return [[unit for well in part for unit in well] for part in parts if part]


def _described(folder: Path) -> dict[str, Any]:
    """Return what the job of a folder was given; nothing if the folder does not say."""
    try:
        told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        needed = {name: told[name] for name in ("units", "flags", "resources", "attempt")}
        return {**needed, "causes": told.get("causes", ())}  # an earlier version counted attempts alone
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _short_hash(units: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(units).encode()).hexdigest()[:8]


def _mounts(name: str, found: Sequence[Artifact]) -> list[Mount]:
    """Return where an input's files and folders are seen; those of the same name lie in numbered folders."""
    apart = len({artifact.path.name for artifact in found}) < len({artifact.path for artifact in found})
    return [_mount(f"{name}/{number}" if apart else name, artifact) for number, artifact in enumerate(found, start=1)]


def _mount(place: str, artifact: Artifact) -> Mount:
    target = f"/in/{place}" if artifact.path.is_dir() else f"/in/{place}/{artifact.path.name}"
    return Mount(artifact.path, target)


def _behind(mount: Mount) -> list[Mount]:
    """Return what the links in a folder of an added plate's images lead to, beside where the folder is seen."""
    export = planes.export_behind(mount.source)
    return [Mount(export, f"{mount.target.rpartition('/')[0]}/{export.name}")] if export else []


def _output_path(relative: str) -> str:
    return f"{OUTPUT}/files" if relative == "." else f"{OUTPUT}/files/{relative}"


def last_words(log: Path) -> list[str]:
    """Return the last lines of a log, cut, for an error's text: nothing is to be told by them from another."""
    return [line[:LINE_LENGTH] for line in log_end.lines(log)][-LOG_LINES:]

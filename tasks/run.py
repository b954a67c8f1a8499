"""One run of a stage: cut into jobs, run, checked; a finished folder that may be published, or an error."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit import contracts
from stagekit.program import DataError

from tasks import errors, ledger
from tasks.errors import FalseSuccessError, ProgramError
from tasks.fingerprint import Artifact
from tasks.runtime.job import OUTPUT, Job, Mount, Outcome
from tasks.stages import Resources, Stage

LOG_LINES = 8


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
    passed: tuple[str, ...] = ()
    unmade: frozenset[str] = frozenset()
    """The outputs that settings leave out."""

    @property
    def title(self) -> str:
        return f"{self.stage.name}/{self.plate}"

    @property
    def files(self) -> Path:
        """Return the folder where the shards' files are brought together."""
        return self.folder / "files"

    def jobs(self) -> list[Job]:
        return [self._job(number) for number in range(1, self.shards + 1)]

    def outputs(self) -> dict[str, str]:
        """Return the path of every promised output below `files`."""
        names = self.stage.output_names(self.plate, self.members)
        return {name: path for name, path in names.items() if name not in self.unmade}

    def _writes(self) -> dict[str, list[str]]:
        """Return where the program is to write each output: for a set of plates a path a plate."""
        words: dict[str, list[str]] = {}
        for key, relative in self.stage.output_names(self.plate, self.members).items():
            words.setdefault(key.split("/")[0], []).append(_output_path(relative))
        return words

    def _job(self, number: int) -> Job:
        shard = ("--shard", f"{number}/{self.shards}") if self.stage.sharded else ()
        mounts = {name: _mounts(name, found) for name, found in self.inputs.items()}
        reads = [word for name, found in mounts.items() for word in (f"--{name}", *(mount.target for mount in found))]
        writes = [word for name, paths in self._writes().items() for word in (f"--write_{name}", *paths)]
        return Job(
            name=f"platewright-{self.stage.name}-{self.plate}-{self.folder.name}-{number}of{self.shards}",
            image=self.stage.image,
            program=self.stage.program,
            flags=("--plate", self.plate, *self.flags, *reads, *writes, *shard),
            inputs=tuple(mount for found in mounts.values() for mount in found),
            folder=self.folder / "shards" / f"{number}of{self.shards}",
            resources=self.resources,
            network=self.stage.network,
            passed=self.passed,
            resumes=self.stage.resumes,
        )


@dataclass(frozen=True)
class Findings:
    """What a good run leaves beside its files."""

    units: Mapping[str, int]
    warnings: tuple[str, ...]
    facts: Mapping[str, object]


def check_outcomes(run: Run, jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> None:
    """Raise ProgramError for the jobs that did not end well: which units, the program's words, how to repeat."""
    bad = [(job, outcome) for job, outcome in zip(jobs, outcomes, strict=True) if not outcome.ok]
    if not bad:
        return
    job, outcome = bad[0]
    words = last_words(job.folder / "stderr.log")
    failed = [unit for unit in ledger.units(job.folder for job, _ in bad) if unit.state == "failed"]
    words += [f"{unit.name}: {unit.reason}" for unit in failed[:LOG_LINES]]
    out_of_memory, timed_out = outcome.out_of_memory, outcome.timed_out
    what = errors.exit_meaning(outcome.exit_code, out_of_memory=out_of_memory, timed_out=timed_out)
    if run.shards > 1:
        what += f", in {len(bad)} of {run.shards} shards"
    hint = errors.hint_for(run.stage.name, words, out_of_memory=out_of_memory, timed_out=timed_out)
    again = shlex.join(["sh", str(job.folder / "command")])
    raise ProgramError(errors.program_failed(run.title, what, words, job.folder / "stderr.log", again, hint))


def gather(run: Run, jobs: Sequence[Job]) -> Findings:
    """Bring the shards' files together and check all that was promised; raise FalseSuccessError otherwise."""
    found = ledger.units(job.folder for job in jobs)
    results = [_result(run, job) for job in jobs]
    if run.stage.sharded:
        _check_units(run, [unit.name for unit in found if unit.state == "ok"])
    for job in jobs:
        _merge(run, job.folder / "out" / "files", run.files)
    for name, relative in run.outputs().items():
        _check_output(run, name, run.files / relative)
    # What several shards say alike is told once.
    warnings = tuple(dict.fromkeys(str(warning) for result in results for warning in result["warnings"]))
    return Findings(ledger.counts(found), warnings, _joined([result["facts"] for result in results]))


def _joined(facts: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the facts of all shards: whole numbers add up, tables unite, of anything else the last word holds."""
    joined: dict[str, object] = {}
    for name, value in ((name, value) for each in facts for name, value in each.items()):
        known = joined.get(name)
        if type(value) is int and type(known) is int:
            joined[name] = known + value
        elif isinstance(value, dict) and isinstance(known, dict):
            joined[name] = known | value
        else:
            joined[name] = value
    return joined


def _mounts(name: str, found: Sequence[Artifact]) -> list[Mount]:
    """Return where an input's files and folders are seen; those of the same name lie in numbered folders."""
    apart = len({artifact.path.name for artifact in found}) < len({artifact.path for artifact in found})
    return [_mount(f"{name}/{number}" if apart else name, artifact) for number, artifact in enumerate(found, start=1)]


def _mount(place: str, artifact: Artifact) -> Mount:
    target = f"/in/{place}" if artifact.path.is_dir() else f"/in/{place}/{artifact.path.name}"
    return Mount(artifact.path, target)


def _output_path(relative: str) -> str:
    return f"{OUTPUT}/files" if relative == "." else f"{OUTPUT}/files/{relative}"


def last_words(log: Path) -> list[str]:
    """Return the last lines of a log, for an error's text."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return [line[:300] for line in lines if line.strip()][-LOG_LINES:]


def _result(run: Run, job: Job) -> dict[str, dict[str, object]]:
    path = job.folder / "out" / "result.json"
    try:
        result: dict[str, dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        message = f"{run.title} exited 0 without a whole result.json ({error}); log: {job.folder / 'stderr.log'}"
        raise FalseSuccessError(message) from error
    return result


def _check_units(run: Run, done: Sequence[str]) -> None:
    missing, extra = sorted(set(run.units) - set(done)), sorted(set(done) - set(run.units))
    if missing or extra:
        message = f"{run.title} says that all is well, but of {len(run.units)} {run.stage.unit}s"
        message += f" {len(missing)} are missing ({', '.join(missing[:10])})" if missing else ""
        message += f" {len(extra)} are unexpected ({', '.join(extra[:10])})" if extra else ""
        raise FalseSuccessError(f"{message}; log: {run.folder / 'shards'}")


def _merge(run: Run, source: Path, target: Path) -> None:
    """Move files into `target`, folder into folder; what two shards both made is an error."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            raise FalseSuccessError(f"{run.title} made {entry}, which is neither a file nor a folder")
        if entry.is_dir() and place.is_dir():
            _merge(run, entry, place)
        elif place.exists():
            raise FalseSuccessError(f"{run.title}: two shards made {place.relative_to(run.files)}")
        else:
            os.replace(entry, place)


def _check_output(run: Run, name: str, path: Path) -> None:
    empty = path.is_dir() and not any(path.iterdir()) or path.is_file() and path.stat().st_size == 0
    if not path.exists() or empty:
        state = "empty" if empty else "not there"
        raise FalseSuccessError(
            f"{run.title} exited 0, but its {name} ({path.name}) is {state}; log: {run.folder / 'shards'}"
        )
    contract = run.stage.contract.get(name.split("/")[0])
    if contract:
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="utf-8", newline="") as table:
                columns = next(csv.reader(table), [])
            contracts.BY_NAME[contract].check(columns, path.name)
        except DataError as error:
            raise FalseSuccessError(f"{run.title} exited 0, but its {name} breaks the contract: {error}") from error
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            message = f"{run.title} exited 0, but its {name} breaks the contract: {path.name}: {error}"
            raise FalseSuccessError(message) from error

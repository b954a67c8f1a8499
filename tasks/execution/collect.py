"""What a run's jobs made, brought together and checked; a finished folder that may be published, or an error."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit import contract_files, contracts
from stagekit.program import DataError

from tasks.errors import FalseSuccessError
from tasks.execution.stage_run import LOG_LINES, Run
from tasks.results import ledger
from tasks.runtime.core.job import Job


@dataclass(frozen=True)
class RunSummary:
    """What a good run leaves beside its files."""

    units: Mapping[str, int]
    warnings: tuple[str, ...]
    facts: Mapping[str, object]


def gather(
    run: Run, jobs: Sequence[Job], left_out: Mapping[str, str] | None = None, *, whole: bool = True
) -> RunSummary:
    """Bring the shards' files together and check all that was promised; raise FalseSuccessError otherwise.

    `left_out` are the units that failed for good, each with its reason. With some the shards' own files stay where they
    are (they are linked, and take no room): once the cause is gone only these units are made. If the files are not here
    with their content (Place.lay), the jobs have checked the contracts.
    """
    left_out = left_out or {}
    found = ledger.units(job.folder for job in jobs)
    results = [_result(run, job) for job in jobs]
    if run.stage.sharded:
        _check_units(run, left_out, [unit.name for unit in found if unit.state == ledger.OK])
    for job in jobs:
        _merge(run, job.folder / "out" / "files", run.files, keep=bool(left_out))
    for name, relative in run.outputs().items():
        _check_output(run, name, run.files / relative, whole=whole)
    # What several shards say alike is told once.
    warnings = dict.fromkeys(str(warning) for result in results for warning in result["warnings"])
    facts, counted = _joined([result["facts"] for result in results]), ledger.counts(found)
    if left_out:
        facts["quarantined"] = dict(sorted(left_out.items()))
        counted |= {ledger.QUARANTINED: len(left_out)}
        warnings[f"{len(left_out)} of {len(run.units)} {run.stage.unit}s are left out: {_listed(left_out)}"] = None
    return RunSummary(counted, tuple(warnings), facts)


def _listed(left_out: Mapping[str, str]) -> str:
    told = [f"{name} ({reason})" for name, reason in sorted(left_out.items())]
    return ", ".join(told[:LOG_LINES]) + (f" and {len(told) - LOG_LINES} more" if len(told) > LOG_LINES else "")


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


def _result(run: Run, job: Job) -> dict[str, dict[str, object]]:
    path = job.folder / "out" / "result.json"
    try:
        result: dict[str, dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        message = f"{run.title} exited 0 without a whole result.json ({error}); log: {job.folder / 'stderr.log'}"
        raise FalseSuccessError(message) from error
    return result


def _check_units(run: Run, left_out: Collection[str], done: Sequence[str]) -> None:
    due = set(run.units) - set(left_out)
    missing, extra = sorted(due - set(done)), sorted(set(done) - due)
    if missing or extra:
        message = f"{run.title} says that all is well, but of {len(run.units)} {run.stage.unit}s"
        message += f" {len(missing)} are missing ({', '.join(missing[:10])})" if missing else ""
        message += f" {len(extra)} are unexpected ({', '.join(extra[:10])})" if extra else ""
        raise FalseSuccessError(f"{message}; log: {run.folder / 'shards'}")


def _merge(run: Run, source: Path, target: Path, keep: bool) -> None:
    """Move (or link) files into `target`, folder into folder; what two shards both made is an error."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            raise FalseSuccessError(f"{run.title} made {entry}, which is neither a file nor a folder")
        if entry.is_dir() and place.is_dir():
            _merge(run, entry, place, keep)
        elif place.exists():
            raise FalseSuccessError(f"{run.title}: two shards made {place.relative_to(run.files)}")
        elif keep and entry.is_dir():
            _merge(run, entry, place, keep)
        elif keep:
            _link(entry, place)
        else:
            os.replace(entry, place)


def _link(entry: Path, place: Path) -> None:
    try:
        os.link(entry, place)
    except OSError:  # a file system without links
        shutil.copy2(entry, place)


def _check_output(run: Run, name: str, path: Path, *, whole: bool) -> None:
    empty = path.is_dir() and not any(path.iterdir()) or path.is_file() and path.stat().st_size == 0
    if not path.exists() or empty:
        state = "empty" if empty else "not there"
        raise FalseSuccessError(
            f"{run.title} exited 0, but its {name} ({path.name}) is {state}; log: {run.folder / 'shards'}"
        )
    contract = run.stage.contract.get(name.split("/")[0])
    if contract and whole:
        try:
            contract_files.check(contracts.BY_NAME[contract], path)
        except DataError as error:
            raise FalseSuccessError(f"{run.title} exited 0, but its {name} breaks the contract: {error}") from error

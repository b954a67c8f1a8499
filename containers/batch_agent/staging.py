"""The inputs of a job, fetched to where its program sees them; what the next job needs again stays there."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set

from stagekit import transfer
from stagekit.afar import Afar
from stagekit.program import DataError, ServiceError
from stagekit.transfer import Object, Service, Transfer

from batch_agent import known
from batch_agent.known import Known
from batch_agent.listed import Listed

SHOWN = 10


@dataclass(frozen=True)
class Input:
    """A file or a folder (whose source ends with `/`) of a job, and where it is wanted."""

    target: Path
    source: str
    service: Service
    listed: Optional[Listed] = None
    """Of a folder: only the files that a table names."""
    known: Optional[Known] = None
    """Of a folder that lies elsewhere: what it must hold."""
    afar: bool = False
    """Whether a folder is only described: the program reads from S3 what it needs of it."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Input:
        """Return the input that element.json tells of."""
        service = Service(bool(told.get("unsigned")), told.get("endpoint_url"), told.get("region") or "")
        few = told.get("listed")
        listed = Listed(Path(few["table"]), few["kind"], tuple(few["units"])) if few else None
        was = told.get("known")
        held = Known(Path(was["table"]), was["link"]) if was else None
        return cls(Path(told["target"]), told["source"], service, listed, held, bool(told.get("afar")))

    @property
    def needs_table(self) -> bool:
        return self.listed is not None or self.known is not None


class MissingError(DataError):
    """Files that a table names are not in the bucket, or others are; `units` says which units lack one, and which."""

    def __init__(self, message: str, units: Mapping[str, str]) -> None:
        super().__init__(message)
        self.units = units


class Shelf:
    """What lies ready for a program."""

    def __init__(self) -> None:
        self._held: Set[Input] = set()
        self._begun: Set[Path] = set()
        """Where something lies, whole or not."""

    def fill(self, inputs: Sequence[Input]) -> List[Transfer]:
        """Remove what lies here of an earlier job, and fetch the inputs that do not; return what was fetched."""
        kept = {each.target for each in inputs if each in self._held}
        for target in (self._begun | {each.target for each in inputs}) - kept:
            remove(target)
        self._held = {each for each in self._held if each.target in kept and each.target.exists()}
        self._begun = {each.target for each in inputs}
        wanted = [each for each in inputs if each not in self._held]
        fetched = []
        # A table that tells of files is an input itself, and comes first.
        for some in ([each for each in wanted if not each.needs_table], [each for each in wanted if each.needs_table]):
            fetched += _fetch(some)
            for each in some:
                _protect(each.target)
            self._held |= set(some)
        return fetched


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there, though it is write-protected."""
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        for above, folders, _ in os.walk(path):  # it goes into a folder after it was named here
            for folder in (Path(above, name) for name in folders):
                if not folder.is_symlink():
                    folder.chmod(0o700)
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def _fetch(inputs: Iterable[Input]) -> List[Transfer]:
    planned: Dict[Service, List[Transfer]] = {}
    fetched: List[Transfer] = []
    for each in inputs:
        each.target.parent.mkdir(parents=True, exist_ok=True)
        if each.afar:
            _describe(each)
        elif each.listed:
            fetched += _fetch_listed(each, each.listed)
        else:
            planned.setdefault(each.service, []).extend(_transfers(each))
    for service, transfers in planned.items():
        transfer.copy(service, transfers)
        fetched += transfers
    return fetched


def _transfers(wanted: Input) -> List[Transfer]:
    if not wanted.source.endswith("/"):
        return [Transfer(wanted.source, str(wanted.target))]
    files = _folder(wanted)
    return [Transfer(wanted.source + name, str(wanted.target / name), each.bytes) for name, each in files.items()]


def _describe(wanted: Input) -> None:
    variables = wanted.service.environment(os.environ)
    how = (variables.get("S3_ENDPOINT_URL", ""), variables.get("AWS_REGION", ""), wanted.service.unsigned)
    Afar(wanted.source, *how, _folder(wanted)).write(wanted.target)


def _folder(wanted: Input) -> Dict[str, Object]:
    """Return the files of a folder, or raise what is wrong with it."""
    files = transfer.folder(wanted.service, wanted.source)
    if not files:
        message = f"{wanted.source} could not be fetched: there is nothing below it"
        raise ServiceError(f"{message}; run again what makes it, or lay it there")
    _refuse_bad_names(wanted.source, files)
    _refuse_changes(wanted, files)
    return files


def _refuse_changes(wanted: Input, files: Mapping[str, Object]) -> None:
    was = wanted.known.below(wanted.source) if wanted.known else files
    found = known.changes(was, files, {*was, *files})
    if wanted.known and found:
        raise DataError(wanted.known.told(wanted.source, found))


def _refuse_bad_names(url: str, names: Iterable[str]) -> None:
    """Raise DataError for objects that cannot be files below a folder, all of them beside each other."""
    known = set(names)
    for name in sorted(known):
        parts = name.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        if {"", ".", ".."} & {*parts}:
            raise DataError(f"{url}{name} cannot be a file below a folder by its name; rename or remove it")
        both = next((folder for folder in above if folder in known), None)
        if both is not None:
            raise DataError(f"{url}{both} is an object, and {url}{name} below it is one too; rename one of them")


def _fetch_listed(wanted: Input, listed: Listed) -> List[Transfer]:
    """Fetch the files that a table names; raise MissingError if some are not there."""
    if not listed.table.exists():
        raise DataError(
            f"{listed.table} is not among the inputs, but is to say which files of {wanted.source} are needed"
        )
    needed_by = listed.files()
    _refuse_changes_of(wanted, needed_by)
    transfers = [Transfer(wanted.source + name, str(wanted.target / name)) for name in needed_by]
    wanted.target.mkdir(parents=True, exist_ok=True)
    failed = transfer.tried(wanted.service, transfers)
    if failed and all(each.is_gone for each in failed):
        gone = [each.transfer.url[len(wanted.source) :] for each in failed]
        units = {unit: f"{name} is not in {wanted.source}" for name in gone for unit in needed_by[name]}
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        message = (
            f"{listed.table.name} names {', '.join(sorted(gone)[:SHOWN])}{more}, not to be found in {wanted.source}"
        )
        raise MissingError(f"{message}; lay them there, or run load_data again", units)
    if failed:
        raise transfer.error_of(wanted.service, failed)
    return transfers


def _refuse_changes_of(wanted: Input, needed_by: Mapping[str, Sequence[str]]) -> None:
    """Raise MissingError if files that units need are not what they were when they were linked."""
    if not wanted.known:
        return
    there = transfer.there(wanted.service, [wanted.source + name for name in needed_by])
    now = {url[len(wanted.source) :]: each for url, each in there.items()}
    found = known.changes(wanted.known.below(wanted.source), now, needed_by)
    units = {unit: f"{name}: {change}" for name, change in found.items() for unit in needed_by[name]}
    if found:
        raise MissingError(wanted.known.told(wanted.source, found), units)


def _protect(path: Path) -> None:
    """Take the right to write: other engines mount inputs read-only, and the next job may need this one again."""
    for above, folders, files in os.walk(path, topdown=False):
        for name in (*folders, *files):
            _read_only(Path(above, name))
    _read_only(path)


def _read_only(path: Path) -> None:
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)

"""Refuse to publish over what this toolkit did not make: a person's file in a result's place, or inside its folder."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from tasks.errors import PublishError
from tasks.results import manifest_claims

NAMED = 3
OF_FILE_BROWSERS = ("Thumbs.db", "desktop.ini", ".DS_Store", "._*")


def refuse(replaced: Mapping[Path, Path | None], ours: Mapping[Path, int | None], records: tuple[Path, ...]) -> None:
    """Raise PublishError where a place (-> what comes there, if anything does) holds what was not made by this toolkit.

    `ours` is what the manifests `records` claim, with the number of files of each; None where that is not known.
    """
    for target, source in replaced.items():
        if not target.exists():
            continue
        if target not in ours:
            raise PublishError(_not_ours(target, records))
        made = ours[target]
        if made is not None and target.is_dir():
            _refuse_added(target, source, made)


def _refuse_added(folder: Path, source: Path | None, made: int) -> None:
    """Raise PublishError if a folder holds more files than were made: it is replaced as a whole."""
    names = _names(folder)
    more = len(names) - made
    if more <= 0:
        return
    candidates = sorted(names - (_names(source) if source else set())) or sorted(names)
    shown = ", ".join(islice(candidates, NAMED)) + (", ..." if len(candidates) > NAMED else "")
    raise PublishError(
        f"{folder} holds {more} file{'s' * (more > 1)} that this toolkit did not make (look at {shown}), "
        "and is to be replaced; move what is yours away and run again"
    )


def _names(folder: Path) -> set[str]:
    """Return the files below a folder, without those that file browsers leave there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix()
        for path in files
        if not any(fnmatch(path.name, pattern) for pattern in OF_FILE_BROWSERS)
    }


def _not_ours(target: Path, records: tuple[Path, ...]) -> str:
    """Return why a file is not overwritten: a person's, or of a manifest that does not say what it claims."""
    silent = next((record for record in records if manifest_claims.is_silent(record)), None)
    if silent is None:
        return f"{target} is there and was not made by this toolkit; move it away and run again"
    return (
        f"{target} is there, and {silent} cannot be read, which says whether this toolkit made it; "
        "restore that manifest from a copy, or move both away, and run again"
    )

"""Which bucket a mirror folder mirrors: a mark in it says so, and no other folder of a person's becomes a mirror."""

from __future__ import annotations

import json
from pathlib import Path

from stagekit import whole

from tasks.errors import SettingsError

MARK = ".platewright-mirror.json"
INDEX_OF_EARLIER_VERSIONS = Path(".work/mirror.sqlite")


def claim(root: Path, url: str) -> None:
    """Mark a folder as the mirror of `url`; raise SettingsError if it is another's mirror or holds other files."""
    marked = _marked(root)
    if marked == url:
        return
    if marked:
        raise SettingsError(
            f"luigi.cfg [paths] mirror: {root} mirrors {marked}, and [paths] root is {url}; "
            "name another folder as mirror (each data root needs its own), or an empty one"
        )
    if root.exists() and not root.is_dir():
        raise SettingsError(f"luigi.cfg [paths] mirror: {root} is a file; name an empty folder as mirror of {url}")
    if not (root / INDEX_OF_EARLIER_VERSIONS).is_file() and not _holds_no_file(root):
        first = min(root.iterdir())
        raise SettingsError(
            f"luigi.cfg [paths] mirror: {root} is not empty ({first.name} is in it) and is no mirror of {url}; a "
            "mirror is made like its bucket, and other files have no place in it: name an empty folder, or one that is "
            "not there yet. Nothing in it was changed"
        )
    root.mkdir(parents=True, exist_ok=True)
    whole.write(root / MARK, json.dumps({"mirrors": url}) + "\n")


def _marked(root: Path) -> str:
    """Return which data root a folder mirrors; empty if it bears no mark."""
    path = root / MARK
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["mirrors"])
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"luigi.cfg [paths] mirror: {path} does not say which bucket {root} mirrors ({error}); "
            "name an empty folder as mirror"
        ) from error


def _holds_no_file(folder: Path) -> bool:
    """Say whether a folder is empty but for folders of which the same holds, and mirrors of prefixes of the bucket."""
    if not folder.is_dir():
        return not folder.exists()
    if (folder / MARK).is_file() or (folder / INDEX_OF_EARLIER_VERSIONS).is_file():
        return True
    half_written = f".{MARK}."  # by another process that begins now
    others = [each for each in folder.iterdir() if not each.name.startswith(half_written)]
    return all(each.is_dir() and not each.is_symlink() and _holds_no_file(each) for each in others)

"""The files that luigi.cfg names: they are there, and of their form, before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from stagekit.features import KNOWN, is_feature

from tasks.settings import cppipe

Check = Callable[[Path], object]
BLOCKLIST = "blocklist"


def refused(section: str, name: str, value: str, folder: Path) -> str:
    """Return what is wrong with the file that a setting names, relative to a folder, or nothing."""
    check = FILES.get((section, name))
    if not check or not value.strip() or _is_fetched(section, name, value):
        return ""
    path = folder / value.strip()
    if not path.is_file():
        return f"it is a folder, not a file: {path}" if path.is_dir() else f"there is no such file: {path}"
    try:
        check(path)
    except OSError as error:
        return f"it cannot be read ({error.strerror}); let it be readable"
    except ValueError as error:  # UnicodeDecodeError is one
        return "it is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
    return ""


def blocklist(path: Path) -> None:
    """Check a list of features to exclude: the line `blocklist`, then a feature's name a line."""
    first, *names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()] or [""]
    if first != BLOCKLIST:
        raise ValueError(
            f"the first line of a blocklist is {BLOCKLIST!r}, then a name a line; it begins {first[:60]!r}"
        )
    for number, name in enumerate(names, start=2):
        if name and not is_feature(name):
            raise ValueError(f"line {number}: {name[:60]!r} is no feature: they begin {', '.join(KNOWN)}")
    if not any(names):
        raise ValueError("it names no feature; leave the setting empty")


def _is_fetched(section: str, name: str, value: str) -> bool:
    return (section, name) == ("deep_profile", "checkpoint") and "://" in value


FILES: Mapping[tuple[str, str], Check] = {
    ("illumination", "pipeline"): cppipe.check,
    ("measure", "pipeline"): cppipe.check,
    ("select_features", "blocklist"): blocklist,
    ("deep_profile", "checkpoint"): lambda path: None,
    ("gallery", "checksums"): lambda path: None,
    ("plan", "prices"): lambda path: None,
}
"""By section and key, what raises ValueError for a file that cannot be used."""

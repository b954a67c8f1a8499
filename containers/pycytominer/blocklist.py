"""A person's own list of features to exclude, in pycytominer's form: the line `blocklist`, then a name a line."""

from __future__ import annotations

from pathlib import Path
from typing import FrozenSet, List

from stagekit import program
from stagekit.features import KNOWN, is_feature

HEAD = "blocklist"


def read(path: Path) -> FrozenSet[str]:
    """Return the names; raise DataError if the file is of another form or has no name that could be a feature's."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise program.DataError(f"{path.name}: the blocklist is no text: {error}") from error
    if not lines or lines[0] != HEAD:
        found = f"it begins with {lines[0][:60]!r}" if lines else "it is empty"
        raise program.DataError(f"{path.name}: the first line of a blocklist is {HEAD!r}, then a name a line; {found}")
    for number, name in enumerate(lines[1:], start=2):
        if name and not is_feature(name):
            message = f"{path.name}: line {number}: {name[:60]!r} is no feature, whose names start with"
            raise program.DataError(f"{message} {', '.join(KNOWN)}; correct or remove it")
    names = frozenset(filter(None, lines[1:]))
    if not names:
        raise program.DataError(f"{path.name}: the blocklist names no feature; leave [select_features] blocklist empty")
    return names


def tell(path: Path, operations: List[str], report: program.Report) -> None:
    """Report how many names are given, and if they are given in vain."""
    report.fact("blocklist", len(read(path)))
    if HEAD not in operations:
        report.warn(f"{path.name} is not used: blocklist is not among the operations {', '.join(operations)}")

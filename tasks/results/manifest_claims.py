"""Which files a manifest says are its own, whatever version of this toolkit wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def of(path: Path, root: Path) -> dict[Path, int | None]:
    """Return the outputs that the manifest at `path` names -> how many files each has, None where it does not say.

    There are none if it is not there, or says nothing that is clear.
    """
    return {root / place: files for place, files in (_told(path) or {}).items()}


def is_silent(path: Path) -> bool:
    """Say whether there is a manifest that does not say which files are its own: it is cut, or of another kind."""
    return path.exists() and _told(path) is None


def _told(path: Path) -> dict[str, int | None] | None:
    """Return the paths below the data root that a manifest names, and their files; None if it cannot be read."""
    try:
        outputs: Any = json.loads(path.read_text(encoding="utf-8"))["outputs"]
        places = {entry["path"]: _count(entry.get("files")) for entry in outputs.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return places if all(isinstance(place, str) and _is_below(place) for place in places) else None


def _count(told: object) -> int | None:
    return told if isinstance(told, int) else None


def _is_below(place: str) -> bool:
    """Say whether a path stays below the data root."""
    return not Path(place).is_absolute() and ".." not in Path(place).parts

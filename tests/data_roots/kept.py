"""A data root that an earlier version made, kept small; `lay` makes it a folder that the toolkit reads as it was."""

from __future__ import annotations

import csv
import os
import tomllib
from pathlib import Path

from tasks.dataset.layout import REPOSITORY

FOLDER = Path(__file__).parent
LISTING, CONTENT, CHANGED = "files.tsv", "content", "changed.toml"
COLUMNS = ("path", "bytes", "mtime_ns")
DATA_ROOT, TOOLKIT = b"@data_root@", b"@toolkit@"
"""What stands in the kept files for the folders of the machine that made them."""


def names() -> list[str]:
    """Return all kept data roots."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{LISTING}"))


def changed(name: str) -> dict[str, str]:
    """Return the stages that a later version made stale on purpose, each with the reason."""
    path = FOLDER / name / CHANGED
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def rows(name: str) -> list[dict[str, str]]:
    """Return all files of a data root as it was made: path, bytes and mtime_ns."""
    with open(FOLDER / name / LISTING, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def lay(name: str, root: Path) -> None:
    """Lay a kept data root; a file without content is sparse and as long as it was, and all are as old as they were."""
    for row in rows(name):
        target, content = root / row["path"], FOLDER / name / CONTENT / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as handle:
            handle.write(_placed(content.read_bytes(), root)) if content.exists() else handle.truncate(
                int(row["bytes"])
            )
        os.utime(target, ns=(int(row["mtime_ns"]), int(row["mtime_ns"])))


def _placed(content: bytes, root: Path) -> bytes:
    return content.replace(DATA_ROOT, str(root).encode()).replace(TOOLKIT, str(REPOSITORY).encode())

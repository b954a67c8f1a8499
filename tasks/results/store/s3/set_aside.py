"""A file of a person's in the place of an object: it is kept elsewhere in the mirror before a copy takes its place."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import uuid
from pathlib import Path

logger = logging.getLogger(__name__)

FOLDER = ".set-aside"
OWN = ".work"
"""The folder of a data root that holds this toolkit's own files, and no person's."""


def keep(root: Path, path: Path, etag: str) -> None:
    """Keep the file at a path below `root`, of which nothing is known, unless it is what the object holds."""
    below = path.relative_to(root)
    if below.parts[0] == OWN or not path.is_file() or path.is_symlink():
        return
    if is_hole(path) or _md5(path) == etag:  # the index may have forgotten it
        return
    kept = root / FOLDER / f"{below.as_posix()}.{uuid.uuid4().hex[:8]}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, kept)  # so that there is a file at the path at any time
    except OSError:  # a file system without links
        shutil.copy2(path, kept)
    logger.warning("%s: the bucket has another file here; the one that was here is kept as %s", path, kept)


def is_hole(path: Path) -> bool:
    """Say whether a file holds nothing and only stands for an object, as the mirror makes them."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return status.st_mtime_ns == 0 and status.st_blocks == 0


def _md5(path: Path) -> str:
    """Return what S3 calls an object of this content that was put in one piece."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

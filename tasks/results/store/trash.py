"""What is removed leaves its place at once: a crash leaves it whole there, or where `clean` finds it."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path


def set_aside(path: Path, trash: Path) -> Path:
    """Move a file or folder into the trash, on the same file system; return where it lies now."""
    trash.mkdir(parents=True, exist_ok=True)
    gone = trash / uuid.uuid4().hex
    os.replace(path, gone)
    return gone


def remove(path: Path, trash: Path) -> None:
    """Remove a file or folder."""
    gone = set_aside(path, trash)
    if gone.is_dir():
        shutil.rmtree(gone, ignore_errors=True)
    else:
        gone.unlink()

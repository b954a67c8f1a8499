"""Write a file whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write(path: Path, text: str, *, sync: bool = True) -> None:
    """Write a file under another name first: who looks meanwhile, or after a crash, sees all of it or none.

    That name nobody else has: of writers at once, on any machine that mounts the folder, the last one's text stays.
    `sync`: it is on the disk before it has its name, so that a crash of the machine cannot leave it empty.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    with open(partial, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        if sync:
            os.fsync(handle.fileno())
    os.replace(partial, path)

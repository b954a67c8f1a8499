"""Write a file whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Union


def write(path: Path, content: Union[str, bytes], *, sync: bool = True) -> None:
    """Write a file under another name first: who looks meanwhile, or after a crash, sees all of it or none.

    That name nobody else has: of writers at once, on any machine that mounts the folder, the last one's content stays.
    `sync`: it is on the disk before it has its name, so that a crash of the machine cannot leave it empty.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    written = content.encode() if isinstance(content, str) else content
    with open(partial, "wb") as handle:
        handle.write(written)
        handle.flush()
        if sync:
            os.fsync(handle.fileno())
    os.replace(partial, path)

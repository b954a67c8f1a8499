"""Put files into the data root: only those that are missing or differ, and each of them whole."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from data.demo.plan import BATCH

STAMP = Path("workspace", "metadata", "demo", f"{BATCH}_stamp.json")


def write(path: Path, content: bytes) -> bool:
    """Write a file by rename, unless it holds the content already; say whether it was written."""
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return True


def recipe(seed: int) -> str:
    """Identify what the images depend on: the seed, this package's text and numpy's version."""
    digest = hashlib.sha256(f"{seed} numpy {np.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def stamped_sizes(home: Path, recipe_: str) -> dict[str, int]:
    """Read the sizes of the images that this recipe has written below `home`; none if another recipe wrote them."""
    try:
        stamp = json.loads((home / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return dict(stamp["bytes"]) if stamp.get("recipe") == recipe_ else {}


def is_there(home: Path, image: Path, sizes: dict[str, int]) -> bool:
    """Say whether an image lies in its place, as long as it was written."""
    path = home / image
    return path.is_file() and path.stat().st_size == sizes.get(str(image))


def stamp(home: Path, recipe_: str, sizes: dict[str, int]) -> None:
    """Record what was written, so that the next call need not draw it again."""
    content = {"recipe": recipe_, "bytes": dict(sorted(sizes.items()))}
    write(home / STAMP, json.dumps(content, indent=0).encode())

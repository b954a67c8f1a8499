"""What a result depends on: content, never times or paths. Two equal fingerprints mean the same result."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stagekit import whole

from tasks.definitions import recipes
from tasks.definitions.stages import Stage
from tasks.errors import MissingInputError

READERS = 8
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """A file or folder that a task promises to those that require it."""

    path: Path
    digest: str
    files: int
    bytes: int


def fingerprint(stage: Stage, parameters: Mapping[str, str], inputs: Mapping[str, list[Artifact]]) -> dict[str, object]:
    """Return the parts that a result depends on: the engine and the number of shards are not among them."""
    return {
        "stage": stage.name,
        "parameters": dict(sorted(parameters.items())),
        "environment": recipes.environment_hash(stage.image),
        "program": recipes.program_hash(stage),
        "inputs": {name: [artifact.digest for artifact in found] for name, found in sorted(inputs.items())},
    }


def digest(parts: Mapping[str, object]) -> str:
    """Return one hash for a fingerprint's parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def artifact(path: Path, memory: Path | None = None) -> Artifact:
    """Hash a file, or every file of a folder.

    With `memory` (a JSON file) the hash of a file is remembered by its size and modification time,
    so that a plate of 27,000 images is read once and then only listed.
    """
    files = dict(_files(path))
    known = _recall(memory)
    seen = {name: _stat(file) for name, file in files.items()}
    todo = [name for name in files if known.get(name, [])[:2] != seen[name]]
    with ThreadPoolExecutor(READERS) as pool:
        fresh = dict(zip(todo, pool.map(lambda name: _sha256(files[name]), todo), strict=True))
    entries = {name: [*seen[name], fresh[name] if name in fresh else known[name][2]] for name in files}
    if memory is not None and entries != known:
        _remember(memory, entries)
    listing = "".join(f"{name} {entry[2]}\n" for name, entry in sorted(entries.items()))
    whole = hashlib.sha256(listing.encode()).hexdigest() if path.is_dir() else str(entries[""][2])
    return Artifact(path, whole, len(files), sum(int(entry[0]) for entry in entries.values()))


def remember(memory: Path, path: Path, hashes: Mapping[str, str]) -> None:
    """Note hashes that are known already (of files by their absolute paths), so that `artifact` does not read them."""
    files = {name: str(file) for name, file in _files(path)}
    known = {name: file for name, file in files.items() if file in hashes}
    entries: dict[str, list[int | str]] = {name: [*_stat(Path(file)), hashes[file]] for name, file in known.items()}
    _remember(memory, entries)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name below `path`, file); the name of `path` itself, if it is a file, is empty."""
    if not path.is_dir():
        yield "", path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            yield file.relative_to(path).as_posix(), file


def _stat(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError as error:
        raise MissingInputError(f"{file}: it cannot be read ({error.strerror}); replace it or move it away") from error
    return [status.st_size, status.st_mtime_ns]


def _sha256(file: Path) -> str:
    content = hashlib.sha256()
    with open(file, "rb", buffering=0) as handle:
        while chunk := handle.read(CHUNK_BYTES):
            content.update(chunk)
    return content.hexdigest()


def _recall(memory: Path | None) -> dict[str, list[int | str]]:
    if memory is None or not memory.exists():
        return {}
    try:
        entries: dict[str, list[int | str]] = json.loads(memory.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return {}  # cut off by a crash of the machine: it only saves time
    return entries


def _remember(memory: Path, entries: Mapping[str, list[int | str]]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    whole.write(memory, json.dumps(entries), sync=False)

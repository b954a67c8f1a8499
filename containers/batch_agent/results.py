"""What a job's program made: checked, hashed, and put where the host finds it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Tuple

from stagekit import contract_files, contracts, transfer
from stagekit.program import CheckError, DataError
from stagekit.transfer import PATIENT, Patience, Service, Transfer

Digests = Dict[str, Tuple[int, str]]
"""Path below out/files -> bytes, SHA-256."""
TOLD = ("units.jsonl", "said")
"""What a program tells of its work, while it runs and however it ends."""
RESULT = "result.json"
BLOCK_BYTES = 1 << 20


def check(files: Path, by_path: Mapping[str, str]) -> Digests:
    """Return the digests of all files; raise CheckError for what is no file, and for a breach of a contract."""
    digests = {name: _digest(files / name) for name in _names(files)}
    for name, contract in by_path.items():
        try:
            contract_files.check(contracts.BY_NAME[contract], files / name)
        except DataError as error:
            raise CheckError(f"the program exited 0, but {name} breaks the contract {contract!r}: {error}") from error
    return digests


def put(job: str, output: Path, digests: Digests) -> List[Transfer]:
    """Put the outputs of a job that ended well below its URL, then what says which they are."""
    listing = output / "files.json"
    listing.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    files = [
        Transfer(str(output / "files" / name), f"{job}/out/files/{name}", size) for name, (size, _) in digests.items()
    ]
    transfer.copy(Service(), files)
    said = [
        Transfer(str(output / name), f"{job}/out/{name}") for name in (RESULT, listing.name) if _is_file(output / name)
    ]
    transfer.copy(Service(), said)
    return files


def put_words(job: str, output: Path, logs: Iterable[Path], patience: Patience = PATIENT) -> None:
    """Put a job's logs, and what its program told."""
    words = [Transfer(str(path), f"{job}/out/{path.name}") for path in told(output)]
    transfer.copy(Service(), [*words, *(Transfer(str(log), f"{job}/{log.name}") for log in logs)], patience)


def told(output: Path) -> List[Path]:
    """Return the files in which a program tells of its work, as far as it has written them."""
    return [output / name for name in TOLD if _is_file(output / name)]


def _names(files: Path) -> List[str]:
    """Return the paths of all files below a folder; raise CheckError for a link or whatever else is no file."""
    found: List[str] = []
    if not os.path.lexists(files):
        return found
    _refuse_links(files)
    for above, folders, names in os.walk(files):
        for name in (*folders, *names):
            _refuse_links(Path(above, name))
        found += [Path(above, name).relative_to(files).as_posix() for name in names]
    for name in found:
        if any(sign in name for sign in "\n\r") or name.encode("utf-8", "replace").decode() != name:
            raise CheckError(f"the program made a file named {name!r}, which has no place in S3; it must rename it")
    return sorted(found)


def _refuse_links(path: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise CheckError(f"the program made {path}, which is neither a file nor a folder; it must copy what it links")


def _digest(path: Path) -> Tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as content:
        for block in iter(lambda: content.read(BLOCK_BYTES), b""):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()

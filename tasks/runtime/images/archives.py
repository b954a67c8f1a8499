"""What an archive of `docker save` says of the image in it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import EngineError


@dataclass(frozen=True)
class Config:
    """An image's configuration: its digest is the image's id wherever the image lies."""

    digest: str
    labels: Mapping[str, str]


def config(file: Path) -> Config:
    """Return the configuration of the one image in an archive; raise EngineError if there is not one."""
    remedy = f"where docker is, type: docker save --output {file.name} <image>"
    if not file.is_file():
        raise EngineError(f"there is no file {file}; {remedy}")
    try:
        with tarfile.open(file, "r:") as archive:
            entries = json.loads(_read(archive, "manifest.json"))
            if len(entries) != 1:
                raise EngineError(f"{file} holds {len(entries)} images, and must hold one; {remedy}")
            return of(_read(archive, entries[0]["Config"]))
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise EngineError(f"{file} is no whole archive of an image ({error}); {remedy}") from error


def of(text: bytes) -> Config:
    """Return what an image's configuration, as its bytes, says."""
    labels = (json.loads(text).get("config") or {}).get("Labels") or {}
    return Config(f"sha256:{hashlib.sha256(text).hexdigest()}", labels)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file")
    return member.read()

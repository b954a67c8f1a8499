"""Where the toolkit's own files lie, in a clone and in an installed wheel, and where it writes what is its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

NAME = "platewright"
INSIDE = f"{NAME}/toolkit"
"""Where a wheel has the toolkit's files: below the folder that holds the package tasks."""


@dataclass(frozen=True)
class Toolkit:
    """The folders of a clone or of an installed wheel."""

    files: Path
    """What is read: containers/, data/, docs/ and luigi.cfg."""
    environments: Path
    """Of the process engine."""
    images_lock: Path
    """Which images this machine has."""
    fetched_wheels: Path | None
    """Wheels that the package index does not have: <image>/. None: beside the image's recipe, in wheels/."""

    @property
    def is_installed(self) -> bool:
        """Say whether it runs from a wheel: then nothing is written where it lies."""
        return self.fetched_wheels is not None

    @property
    def shared(self) -> dict[str, Path]:
        """Return the folders that all nodes of a cluster must see, by what they are called."""
        if self.is_installed:
            return {"toolkit": self.files, "environments": self.environments}
        return {"clone": self.files}  # its environments lie in it


def found(code: Path, variables: Mapping[str, str] = os.environ) -> Toolkit:
    """Return the toolkit whose package tasks lies in the folder `code`: a clone, or an environment's site-packages.

    What a wheel writes lies in the user's cache folder. Every version has its own images.lock, for its images are other
    ones; environments bear the hash of what they are made of, and versions share them.
    """
    files = code / INSIDE
    if not files.is_dir():
        return Toolkit(code, code / ".environments", code / "containers" / "images.lock", None)
    written = cache(variables)
    lock = written / metadata.version(NAME) / "images.lock"
    return Toolkit(files, written / "environments", lock, written / "wheels")


def cache(variables: Mapping[str, str]) -> Path:
    """Return the user's cache folder of this toolkit, by the XDG rules: a relative XDG_CACHE_HOME is ignored."""
    given = Path(variables.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / NAME

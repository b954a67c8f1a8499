"""The images as SIF files: where they lie, what they say of themselves, and whether they are those of images.lock."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import EngineError, RecipeError
from tasks.runtime.images import images

BINARIES = ("apptainer", "singularity")
"""In the order in which `auto` looks for them; both read SIF files."""
CONVERT = "python -m tasks images convert --to sif"
DIGEST_LABEL = "org.platewright.digest"
DIGEST_DIGITS = 12
"""How many digits of an image's digest name its SIF file."""


@dataclass(frozen=True)
class Site:
    """What a site says of Apptainer: the command, and three folders."""

    binary: str = "auto"
    images: Path = Path("data_root/.work/images")
    """Where the SIF files lie: every node that runs jobs must see it."""
    cache: Path = Path("data_root/.work/images/cache")
    temporary: Path = Path(tempfile.gettempdir())


_site = Site()


def use(site: Site) -> None:
    """Let luigi.cfg's [apptainer] hold from now on."""
    global _site
    _site = site


def site() -> Site:
    return _site


def binary() -> str:
    """Return the path of the command; raise EngineError if there is none."""
    wanted = BINARIES if _site.binary == "auto" else (_site.binary,)
    found = next((path for path in map(shutil.which, wanted) if path), None)
    if found is None:
        message = (
            f"there is no command {' or '.join(wanted)} ([apptainer] binary = {_site.binary}); where a site has it as "
            "a module: module load apptainer"
        )
        raise EngineError(message)
    return found


def path(image: str, digest: str) -> Path:
    """Return where the SIF file of an image lies; another digest has another file."""
    return _site.images / f"{image}-{digest.removeprefix('sha256:')[:DIGEST_DIGITS]}.sif"


def checked(image: str) -> tuple[Path, str]:
    """Return an image's SIF file and its digest if lock, recipe and file agree; raise with the way out if not."""
    remedy = f"{CONVERT} {image}"
    digest = images.checked_reference(image, lambda digest: _labels_here(image, digest), remedy)
    found = path(image, digest)
    if labels(found).get(DIGEST_LABEL) != digest:
        raise RecipeError(f"{found} says that it is another image than images.lock's; delete it and type: {remedy}")
    return found, digest


def labels(file: Path) -> Mapping[str, str]:
    """Return what a SIF file says of itself; raise RecipeError if it cannot be read."""
    status = file.stat()
    return _read_labels(binary(), file, status.st_size, status.st_mtime_ns)


def _labels_here(image: str, digest: str) -> Mapping[str, str] | None:
    found = path(image, digest)
    return labels(found) if found.is_file() else None


@functools.cache
def _read_labels(command: str, file: Path, size: int, changed: int) -> Mapping[str, str]:
    """Read them once for every state of the file: it takes 30 ms, and more on a shared file system."""
    words = [command, "inspect", "--json", "--labels", str(file)]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    try:
        found: dict[str, str] = json.loads(done.stdout)["data"]["attributes"]["labels"]
    except (ValueError, KeyError, TypeError) as error:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        message = f"{file} is no whole SIF file ({Path(command).name} says: {said}); delete it and type: {CONVERT}"
        raise RecipeError(message) from error
    return found

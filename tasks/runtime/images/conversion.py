"""An image as a SIF file: from the Docker Engine, an archive or a registry, once, whoever else converts it."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tasks.dataset import layout
from tasks.definitions import recipes
from tasks.errors import EngineError, RecipeError
from tasks.runtime.core import locks
from tasks.runtime.images import archives, images, registry, sif

logger = logging.getLogger(__name__)

SCRIPT = layout.CONTAINERS / "to_sif.sh"
ARCHIVE, REGISTRY = "docker-archive:", "docker://"


@dataclass(frozen=True)
class Found:
    """An image where it is converted from, by what it says of itself."""

    source: str
    digest: str
    recipe: str
    compressed_kb: int = 0
    """What a registry sends of it; 0 if it lies here."""


def convert(image: str, origin: str, variant: str = "") -> Path:
    """Make an image's SIF file unless it is there, and lock its digest; return its path.

    `origin` is docker, docker-archive:PATH (a file, or a folder of <image>.tar), or docker://HOST/PATH.
    """
    folder = _made("images", sif.site().images)
    with (
        locks.alone(folder / f"{image}.lock", f"the SIF file of the image {image}"),
        tempfile.TemporaryDirectory(prefix="convert-", dir=_made("tmp", sif.site().temporary)) as work,
    ):
        found = _find(image, origin, variant)
        if found.recipe != recipes.recipe_hash(image):
            raise RecipeError(
                f"the image {image!r} of {origin} is not of the recipe that is here (it says {found.recipe[:12]}, and "
                f"here is {recipes.recipe_hash(image)[:12]}): build or push it where it comes from, from this very tree"
            )
        target = sif.path(image, found.digest)
        if not target.exists():
            started = time.monotonic()
            logger.info("converting the image %s to %s", image, target)
            _run_script(found if origin != "docker" else _saved(found, Path(work)), target)
            logger.info("converted the image %s in %.0f s", image, time.monotonic() - started)
        _lock(image, found.digest, variant)
        return sif.checked(image)[0]


def _find(image: str, origin: str, variant: str) -> Found:
    if origin == "docker":
        return Found("docker", *_in_docker(image))
    if origin.startswith(ARCHIVE):
        path = Path(origin.removeprefix(ARCHIVE))
        file = path / f"{image}.tar" if path.is_dir() else path
        config = archives.config(file)
        return Found(f"{ARCHIVE}{file.absolute()}", config.digest, config.labels.get(images.RECIPE_LABEL, "none"))
    if origin.startswith(REGISTRY):
        name = f"{origin.removeprefix(REGISTRY).rstrip('/')}/{image}"
        held = registry.find(name, images.remote_tag(image, variant))
        recipe = held.labels.get(images.RECIPE_LABEL, "none")
        return Found(f"{REGISTRY}{name}@{held.manifest}", held.digest, recipe, held.compressed_bytes // 1024)
    raise EngineError(f"--from {origin}: it must be docker, docker-archive:PATH or docker://HOST/PATH")


def _in_docker(image: str) -> tuple[str, str]:
    digest = images.reference(image)
    words = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{images.RECIPE_LABEL}"}}}}', digest]
    return digest, _docker(words, image).strip()


def _saved(found: Found, work: Path) -> Found:
    """Write an image of the Docker Engine as an archive."""
    file = work / "image.tar"
    _docker(["docker", "save", "--output", str(file), found.digest], found.digest[:19])
    return Found(f"{ARCHIVE}{file}", found.digest, found.recipe)


def _docker(words: list[str], what: str) -> str:
    remedy = "where there is no docker: --from docker-archive:PATH or docker://HOST/PATH"
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise EngineError(f"there is no command docker to take the image {what} from; {remedy}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EngineError(f"docker did not give the image {what}: {said}; {remedy}")
    return done.stdout


def _run_script(found: Found, target: Path) -> None:
    given = sif.site()
    kept = {
        "APPTAINER": sif.binary(),
        "APPTAINER_TMPDIR": str(given.temporary),
        "APPTAINER_CACHEDIR": str(given.cache),
        "SINGULARITY_CACHEDIR": str(given.cache),
        "IMAGE_KB": str(found.compressed_kb),
    }
    if registry.is_plain(found.source.removeprefix(REGISTRY)):
        kept |= {"APPTAINER_NOHTTPS": "true", "SINGULARITY_NOHTTPS": "true"}
    words = ["sh", str(SCRIPT), found.source, found.digest, str(target)]
    done = subprocess.run(words, env=os.environ | kept, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"no SIF file {target.name}: {done.stderr.strip().removeprefix('ERROR: ')}")


def _lock(image: str, digest: str, variant: str) -> None:
    """Lock what was converted where no image was built: a login node has no other lock."""
    held = images.read_lock().get(image, {})
    if held.get("digest") != digest or held.get("recipe") != recipes.recipe_hash(image):
        images.write_lock(image, digest, variant)


def _made(setting: str, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"[apptainer] {setting} = {folder}: {error.strerror}; name another folder") from error
    return folder

"""The images that are here: built or pulled, tied to their recipes by containers/images.lock."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from stagekit import whole

from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.errors import EngineError, RecipeError, unknown
from tasks.runtime.images import released, wheels

logger = logging.getLogger(__name__)

BUILD = "python -m tasks images build"
PUSH = "python -m tasks images push --registry HOST/PATH"
RECIPE_LABEL = "org.platewright.recipe"
BASE_LABEL = "org.opencontainers.image.base.name"
RECIPE_DIGITS = 12
"""How many digits of the recipe's hash name an image in a registry."""
_writing = threading.Lock()
LabelReader = Callable[[str], Mapping[str, str] | None]


def tag(image: str) -> str:
    """Return the name that a person and compose.yaml use; runs go by digest."""
    return f"platewright/{image}:local"


def reference(image: str) -> str:
    """Return the digest by which the image is run."""
    return _locked(image, f"{BUILD} {image}")["digest"]


def checked_reference(image: str, labels: LabelReader, remedy: str = "") -> str:
    """Return the digest if lock, recipe and the image that is here agree; raise with the way out if not."""
    remedy = remedy or f"{BUILD} {image}"
    entry = _locked(image, remedy)
    digest, recipe = entry["digest"], recipes.recipe_hash(image)
    if entry["recipe"] != recipe:
        raise RecipeError(f"the image was built from another recipe than the one here; type: {remedy}")
    found = labels(digest)
    if found is None:
        raise RecipeError(f"the image {digest[:19]} of images.lock is not in the engine; type: {remedy}")
    if found.get(RECIPE_LABEL) != recipe:
        raise RecipeError(f"the image {digest[:19]} does not bear this recipe's label; type: {remedy}")
    return digest


def pushed(image: str) -> str:
    """Return HOST/PATH/IMAGE@DIGEST by which other machines pull the image; raise with the way out if there is none."""
    entry = _locked(image, f"{BUILD} {image}")
    if entry["recipe"] != recipes.recipe_hash(image):
        again = f"{BUILD} {image} && {PUSH} {image}"
        raise RecipeError(f"the image was built from another recipe than the one here; type: {again}")
    if not entry.get("pushed"):
        raise EngineError(f"the image was not pushed to a registry from here; type: {PUSH} {image}")
    return entry["pushed"]


def _locked(image: str, remedy: str) -> dict[str, str]:
    entry = read_lock().get(image)
    if entry is None:
        raise EngineError(f"the image is not in {layout.IMAGES_LOCK.name}; type: {remedy}")
    return entry


def read_lock() -> dict[str, dict[str, str]]:
    """Return image -> recipe and digest, as far as images were built here."""
    if not layout.IMAGES_LOCK.exists():
        return {}
    try:
        lock: dict[str, dict[str, str]] = json.loads(layout.IMAGES_LOCK.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise EngineError(f"{layout.IMAGES_LOCK}: {error}; delete it and type: {BUILD}") from error
    return lock


def build_all(names: Sequence[str], bases: Mapping[str, str], variant: str = "", jobs: int = 1) -> None:
    """Build images, `jobs` at a time; with more than one, docker's output is shown only of a build that fails."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for done in [pool.submit(build, name, bases, variant, quiet=jobs > 1) for name in names]:
            done.result()


def build(image: str, bases: Mapping[str, str], variant: str = "", quiet: bool = False) -> str:
    """Build an image, or a variant of it, with the docker command and lock its digest; return the digest."""
    options = build_options(image, bases, variant)
    wheels.lay(image, lock_of(image, variant) if variant else "requirements.lock")
    logger.info("building the image %s", image)
    started = time.monotonic()
    with tempfile.NamedTemporaryFile("r") as identity, wheels.context(image) as context:
        options.append(str(context))
        command = ["docker", "buildx", "build", "--load", "--iidfile", identity.name, *options]
        if _shown_if_it_fails(command) if quiet else subprocess.run(command, check=False).returncode:
            again = shlex.join(["docker", "buildx", "build", *options])
            raise EngineError(f"the image {image!r} could not be built; docker's words are above; again: {again}")
        digest = Path(identity.name).read_text().strip()
    write_lock(image, digest, variant)
    logger.info("built the image %s in %.0f s", image, time.monotonic() - started)
    return digest


def _shown_if_it_fails(command: list[str]) -> int:
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
    return done.returncode


def pull(image: str, registry: str = "", variant: str = "") -> str:
    """Pull the image of this very recipe and lock its digest; return the digest.

    From a registry it is pulled by its recipe's tag. Without one it is the released version's own, by digest.
    """
    name = f"{registry}/{image}:{remote_tag(image, variant)}" if registry else _released(image, variant)
    if subprocess.run(["docker", "pull", name], check=False).returncode:
        reason = "an image bears its recipe's hash as tag, so this recipe may never have been pushed"
        reason = reason if registry else "the registry may ask for a login, or have deleted it"
        raise EngineError(f"{name} could not be pulled; docker's words are above; {reason}: {BUILD} {image}")
    words = ["docker", "image", "inspect", "--format", "{{json .}}", name]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    if (found["Config"]["Labels"] or {}).get(RECIPE_LABEL) != recipes.recipe_hash(image):
        raise RecipeError(f"{name} does not bear this recipe's label; {BUILD} {image}")
    subprocess.run(["docker", "tag", name, tag(image)], check=True)
    place = f"{registry}/{image}" if registry else name.partition("@")[0]
    held = (each for each in found["RepoDigests"] if each.startswith(f"{place}@"))
    write_lock(image, found["Id"], variant, next(held, ""))
    return str(found["Id"])


def _released(image: str, variant: str) -> str:
    if variant:
        raise EngineError(f"a release has no image of the variant {variant}; type: {BUILD} {image} --variant {variant}")
    return released.image(image).reference


def push(image: str, registry: str, variant: str = "") -> str:
    """Push the image that is locked here to a registry, under its recipe's hash; return the name to run it by."""
    entry = _locked(image, f"{BUILD} {image}")
    held = entry.get("variant", "")
    if entry["recipe"] != recipes.recipe_hash(image) or held != variant:
        here = f"the variant {held or 'without a name'}" if held != variant else "another recipe"
        again = f"{BUILD} {image}" + (f" --variant {variant}" if variant else "")
        raise RecipeError(f"the image {image!r} that was built here is of {here}; type: {again}")
    name = f"{registry}/{image}:{remote_tag(image, variant)}"
    for words in (["docker", "tag", entry["digest"], name], ["docker", "push", "--quiet", name]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            login = f"docker login {registry.partition('/')[0]}"
            raise EngineError(f"{name} could not be pushed; docker said: {said}; where a login is needed: {login}")
    words = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", name]
    digests: list[str] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    reference = next(each for each in digests if each.startswith(f"{registry}/{image}@"))
    write_lock(image, entry["digest"], variant, reference)
    return reference


def remote_tag(image: str, variant: str = "") -> str:
    """Return the tag that an image of this recipe has in a registry."""
    return recipes.recipe_hash(image)[:RECIPE_DIGITS] + (f"-{variant}" if variant else "")


def build_options(image: str, bases: Mapping[str, str], variant: str = "") -> list[str]:
    """Return the options of `docker build` for an image: base by digest, labels, tag."""
    definition = stages.images()[image]
    base = {**recipes.bases(), **bases}[definition.base]
    arguments = {"BASE": base, "TITLE": f"platewright/{image}", "VERSION": metadata.version("platewright")}
    arguments["REVISION"] = _revision()
    if variant:
        arguments["LOCK"] = lock_of(image, variant)
    options = ["--file", str(definition.folder / "Dockerfile"), "--tag", tag(image)]
    options += ["--label", f"{RECIPE_LABEL}={recipes.recipe_hash(image)}", "--label", f"{BASE_LABEL}={base}"]
    return options + [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]


def lock_of(image: str, variant: str) -> str:
    """Return the lock that a variant of an image installs; raise EngineError if there is no such variant."""
    known = stages.images()[image].variants
    if variant not in known:
        raise EngineError(unknown("variant", variant, known, f"the image {image}"))
    return known[variant]


def _revision() -> str:
    if layout.TOOLKIT.is_installed:
        return "unknown"  # git would find the project that the environment lies in
    command = ["git", "-C", str(layout.REPOSITORY), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def write_lock(image: str, digest: str, variant: str = "", pushed: str = "") -> None:
    """Record what an image's recipe, digest and variant are on this machine, and by what name others pull it.

    That name stays as long as the image is the same.
    """
    with _writing:
        _write_lock(image, digest, variant, pushed)


def _write_lock(image: str, digest: str, variant: str, pushed: str) -> None:
    before = read_lock()
    own = {"recipe": recipes.recipe_hash(image), "digest": digest} | ({"variant": variant} if variant else {})
    same = {name: value for name, value in before.get(image, {}).items() if name != "pushed"} == own
    name = pushed or (before[image].get("pushed", "") if same else "")
    lock = before | {image: own | ({"pushed": name} if name else {})}
    layout.IMAGES_LOCK.parent.mkdir(parents=True, exist_ok=True)
    whole.write(layout.IMAGES_LOCK, json.dumps(lock, indent=1, sort_keys=True) + "\n")

"""The images that a released version carries: by the digests that the release job found, in a lock in its wheel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.dataset import layout
from tasks.definitions import recipes
from tasks.errors import EngineError, RecipeError

NAME = "released_images.json"
PLATFORM = "linux/amd64"
"""Every image's. Another one needs locks whose wheels exist for it: docs/release.md says what stops arm64."""


@dataclass(frozen=True)
class ReleasedImage:
    """An image as it was pushed."""

    recipe: str
    digest: str
    """The image's id, as in images.lock: sha256:..."""
    reference: str
    """HOST/PATH/IMAGE@sha256:..., by which it is pulled."""
    base: str
    """The image that it was built upon, by digest."""


@dataclass(frozen=True)
class Release:
    """What a released version says of its images."""

    version: str
    revision: str
    """The commit that it was built from."""
    images: Mapping[str, ReleasedImage]
    platform: str = PLATFORM

    def as_json(self) -> str:
        """Return the lock's text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def path() -> Path:
    """Return where a wheel has the lock; a clone has it only while a release is made."""
    return layout.CONTAINERS / NAME


def read() -> Release | None:
    """Return what this version's release says; None where none was made of it. Raise EngineError for a spoilt lock."""
    try:
        told = json.loads(path().read_text(encoding="utf-8"))
        images = {name: ReleasedImage(**image) for name, image in told.pop("images").items()}
        return Release(images=images, **told)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{path()}: it is no list of released images ({error}); install this version again, or type: "
        raise EngineError(f"{message}python -m tasks images build") from error


def image(name: str) -> ReleasedImage:
    """Return an image of this release; raise with the way out where there is none of the programs that are here."""
    release = read()
    own = f"--registry HOST/PATH, where a registry has it; or type: python -m tasks images build {name}"
    if release is None:
        raise EngineError(f"this is no released version, so it names no registry; name one: {own}")
    if name not in release.images:
        raise EngineError(f"release {release.version} has no image {name!r}, only {', '.join(release.images)}; {own}")
    found = release.images[name]
    if found.recipe != recipes.recipe_hash(name):
        changed = f"programs or locks of the image {name!r} were changed since release {release.version}"
        raise RecipeError(f"{changed}: its image would not run them; type: python -m tasks images build {name}")
    return found

"""How a released image was built, as an in-toto statement with the SLSA provenance predicate, version 1. Not signed."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

from tasks.dataset import layout
from tasks.runtime.images.released import ReleasedImage

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "tag:platewright,2026:images-build/1"
"""`python -m tasks images build <image>` in a clone of the revision."""
BUILDER = "tag:platewright,2026:images-release/1"


def statement(
    name: str, image: ReleasedImage, version: str, revision: str, locks: list[Path], began: datetime, ended: datetime
) -> str:
    """Return the statement of an image: what it was built from, by what, when."""
    place, _, manifest = image.reference.partition("@")
    base, _, digest = image.base.partition("@")
    dependencies = [
        {"uri": "git+platewright", "digest": {"gitCommit": revision}},
        {"uri": f"pkg:docker/{base}", "digest": _digest(digest)},
        *({"uri": _within(lock), "digest": {"sha256": _sha256(lock)}} for lock in locks),
    ]
    build = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"image": name, "version": version},
        "internalParameters": {"recipe": image.recipe, "imageId": image.digest},
        "resolvedDependencies": dependencies,
    }
    run = {"builder": {"id": BUILDER}, "metadata": {"startedOn": _time(began), "finishedOn": _time(ended)}}
    told = {
        "_type": STATEMENT,
        "subject": [{"name": place, "digest": _digest(manifest)}],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": build, "runDetails": run},
    }
    return json.dumps(told, indent=1) + "\n"


def _digest(text: str) -> dict[str, str]:
    kind, _, value = text.partition(":")
    return {kind: value} if value else {}


def _within(path: Path) -> str:
    return path.relative_to(layout.REPOSITORY).as_posix()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Make a release: push the images, write the lock that its wheel carries, and say what is in them and how they came.

`python -m tasks images release --registry HOST/PATH --to DIR`. All that it makes lies in DIR, but for the lock, which
lies in containers/ while the wheel is built.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib import metadata, util
from pathlib import Path

from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.errors import EngineError
from tasks.runtime.images import images, released
from tasks.runtime.images.released import Release, ReleasedImage

TOOLS = ("cyclonedx", "oras", "pip_audit")
REPORT = "advisories.json"
"""All that lies in the folder if a vulnerability stops a release: it may be made there once that is mended."""


def make(names: Sequence[str], place: str, folder: Path, rehearsal: bool, source: Sequence[str]) -> None:
    """Make a release of the images named, into an empty folder; raise EngineError before anything is pushed."""
    _refuse_without_tools()
    began, version = datetime.now(UTC), metadata.version("platewright")
    revision = _revision(version, rehearsal)
    built = {name: _built(name, rehearsal) for name in names}
    if folder.exists() and any(each.name != REPORT for each in folder.iterdir()):
        raise EngineError(f"{folder} is not empty: name a new folder with --to")
    folder.mkdir(parents=True, exist_ok=True)
    _audit(names, folder, rehearsal, source)
    told = {name: _pushed(name, place, base) for name, base in built.items()}
    release = Release(version, revision, told)
    (folder / released.NAME).write_text(release.as_json(), encoding="utf-8")
    for name, image in told.items():
        _describe(name, image, release, folder, began)
    _build_wheel(release, folder)


def _refuse_without_tools() -> None:
    missing = [name for name in TOOLS if util.find_spec(name) is None]
    if missing:
        raise EngineError(f"a release needs {', '.join(missing)}: type: make .venv/.tested, in a clone")


def _revision(version: str, rehearsal: bool) -> str:
    """Return the commit; raise EngineError unless it is the one that the version's tag names, with nothing changed."""
    commit = _git("rev-parse", "HEAD")
    if not rehearsal:
        if changed := _git("status", "--porcelain"):
            raise EngineError(f"the clone has changes ({changed.splitlines()[0].strip()}, ...): commit them first")
        if f"v{version}" not in _git("tag", "--points-at", "HEAD").split():
            raise EngineError(f"commit {commit[:12]} does not bear the tag v{version}, pyproject.toml's version")
    return commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(layout.REPOSITORY), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"a release is made in a clone; git said: {done.stderr.strip()}")
    return done.stdout.strip()


def _built(name: str, rehearsal: bool) -> str:
    """Return the base of an image that was built here; raise unless it is of this recipe, and upon the public base."""
    digest = images.checked_reference(name, _labels)
    base = (_labels(digest) or {}).get(images.BASE_LABEL, "")
    public = recipes.bases()[stages.images()[name].base]
    if base != public and not rehearsal:
        again = f"python -m tasks images build {name}"
        raise EngineError(f"the image {name!r} was built upon {base or 'an unknown base'}, not upon {public}: {again}")
    return base


def _labels(digest: str) -> dict[str, str] | None:
    words = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", digest]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return None if done.returncode else json.loads(done.stdout) or {}


def _locks(name: str) -> list[Path]:
    """Return the locks that an image installs: its own, and the one of what moves its files."""
    return [layout.CONTAINERS / name / "requirements.lock", layout.CONTAINERS / "stagekit" / "requirements.lock"]


def _audit(names: Sequence[str], folder: Path, rehearsal: bool, source: Sequence[str]) -> None:
    """Ask for known vulnerabilities of all locks; stop at one that is not accepted."""
    from tasks.runtime.images import advisories

    known, today = advisories.accepted(), date.today()
    locks = sorted({layout.REPOSITORY / "requirements.lock", *(lock for name in names for lock in _locks(name))})
    reports = {
        str(lock.relative_to(layout.REPOSITORY)): advisories.report(lock, known, today, source) for lock in locks
    }
    told = {lock: {"verdict": report.verdict, **asdict(report)} for lock, report in reports.items()}
    (folder / REPORT).write_text(json.dumps({"on": str(today), "locks": told}, indent=1) + "\n", encoding="utf-8")
    for lock, report in reports.items():
        print(f"advisories: {lock}: {report.verdict}", flush=True)
    if any(report.found for report in reports.values()) and not rehearsal:
        raise EngineError(f"{folder / REPORT}: raise the versions, or accept by name in data/accepted_advisories.toml")


def _pushed(name: str, place: str, base: str) -> ReleasedImage:
    reference = images.push(name, place)
    print(f"{name} {reference}", flush=True)
    return ReleasedImage(recipes.recipe_hash(name), images.reference(name), reference, base)


def _describe(name: str, image: ReleasedImage, release: Release, folder: Path, began: datetime) -> None:
    """Write an image's bill of materials and provenance, and lay both beside it in the registry."""
    from tasks.runtime.images import attachments, bill_of_materials, build_provenance

    ended, locks = datetime.now(UTC), _locks(name)
    parts = [each for lock in locks for each in bill_of_materials.python_packages(lock)]
    parts += bill_of_materials.debian_packages(image.digest)
    bill = bill_of_materials.document(f"platewright/{name}", release.version, image.recipe, ended, parts)
    source = build_provenance.statement(name, image, release.version, release.revision, locks, began, ended)
    place, tag = image.reference.partition("@")[0], images.remote_tag(name)
    for kind, ending, text in (("sbom", "cdx.json", bill), ("provenance", "intoto.json", source)):
        file = folder / f"{name}.{ending}"
        file.write_text(text, encoding="utf-8")
        print(f"{name} {kind} {attachments.attach(file, kind, place, tag)}", flush=True)


def _build_wheel(release: Release, folder: Path) -> None:
    """Build the wheel that carries the release's lock, without a network; the clone is left as it was."""
    path = released.path()
    try:
        path.write_text(release.as_json(), encoding="utf-8")
        words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(words, cwd=layout.REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    finally:
        path.unlink(missing_ok=True)
    print(f"wheel {next(folder.glob('*.whl'))}", flush=True)

"""The record that makes a result complete, and how results get to their place: rename first, manifest last."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stagekit import whole

from tasks.dataset.layout import REPOSITORY, Layout
from tasks.errors import PublishError
from tasks.results import equivalence, foreign_files, manifest_claims
from tasks.results.fingerprint import Artifact, artifact
from tasks.results.store.store import LocalStore, Store

VERSION = 1
SUPERSEDED = "superseded by"
"""The part of a fingerprint that names the set of plates which took over files of this result."""
AGAIN = "again"
"""The part of a fingerprint that says how many units a result lacks, which `retry` is to make."""
TOOLKIT = "toolkit:"
"""Begins the path of an input that is a file of this project."""


@dataclass(frozen=True)
class Manifest:
    """What a stage made of a plate or a set of plates, from what, by what, and what it said."""

    stage: str
    batch: str
    plate: str
    fingerprint: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    """name -> path (relative to the data root), digest, files, bytes."""
    environment: Mapping[str, str]
    run: str
    started: str
    seconds: float
    units: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    """The plates, if `plate` names a set of them."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """name -> what was read: path, digest, files, bytes of each; a path outside of the data root is told whole."""
    by: str = ""
    """Who ran it: the user's name on that machine."""
    used: Mapping[str, float] = field(default_factory=dict)
    """jobs, their seconds and core_seconds (seconds times cpus) together, and the largest one's memory, peak_memory_gb
    (see Outcome), unless all were too short to be looked at."""
    version: int = VERSION

    def artifacts(self, root: Path) -> dict[str, Artifact]:
        return {
            name: Artifact(root / entry["path"], entry["digest"], entry["files"], entry["bytes"])
            for name, entry in self.outputs.items()
        }

    @property
    def freed(self) -> Mapping[str, Any]:
        """Return what is told of the outputs that were deleted to save room: name -> at, and how they were read."""
        return {name: entry["freed"] for name, entry in self.outputs.items() if "freed" in entry}

    @property
    def superseded_by(self) -> str:
        """Return the set of plates that took over files of this result; empty if it has all of them."""
        return str(self.fingerprint.get(SUPERSEDED, ""))

    @property
    def tells_how(self) -> bool:
        """Say whether it holds how its files were made: of a superseded result earlier versions kept nothing of it."""
        return "program" in self.fingerprint

    def is_of(self, fingerprint: Mapping[str, object]) -> bool:
        """Say whether the result is what would be made now, by the same program or by one shown to be equivalent."""
        return equivalence.between(self.fingerprint, fingerprint) is not None


def told(made: Artifact, root: Path) -> dict[str, object]:
    """Describe a file or folder: where it lies below the data root or the toolkit, its digest and size."""
    path = made.path.as_posix()
    if made.path.is_relative_to(root):
        path = made.path.relative_to(root).as_posix()
    elif made.path.is_relative_to(REPOSITORY):
        path = f"{TOOLKIT}{made.path.relative_to(REPOSITORY).as_posix()}"
    return {"path": path, "digest": made.digest, "files": made.files, "bytes": made.bytes}


def read(path: Path) -> Manifest | None:
    """Return the manifest at `path`, or None if there is none that this version wrote whole."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _read(path, status.st_ino, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)  # by inode too: a manifest is always a new file
def _read(path: Path, *_: int) -> Manifest | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            return None
        lists = {name: tuple(content.get(name, ())) for name in ("warnings", "members")}
        return Manifest(**{**content, **lists})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def publish(
    layout: Layout,
    manifest: Manifest,
    files: Mapping[str, tuple[Path, Path]],
    taken: Mapping[Path, Manifest] | None = None,
    store: Store | None = None,
) -> None:
    """Move every output (name -> where it is, where it goes) into its place, the manifest last.

    The intent is written first, beside the manifest's place: after a crash `resume` goes on from it.
    A file there that is not ours is never overwritten, nor a folder that holds one. `taken` is what other manifests
    are to say once they have given up files to this one (tasks/results/set_ownership.py).
    """
    store = store or LocalStore(layout.trash)
    path = layout.manifest(manifest.stage, manifest.batch, manifest.plate)
    old = claims(layout, path)
    store.look(*{*old, *(target for _, target in files.values())})
    # Where a publication was cut short, an old folder may still lie: how many files it has is not known.
    ours: dict[Path, int | None] = dict.fromkeys(claims(layout, _intent(path)))
    for record in (*(taken or ()), path):
        claimed = claims(layout, record)
        # On S3 only a folder's first level is looked at here: how many files are in it is not known either.
        ours |= dict.fromkeys(claimed) if store.url else claimed
    # Of a set that has lost a plate, or what a setting leaves out now, is no longer true, and goes.
    gone = old.keys() - {target for _, target in files.values()}
    replaced = dict.fromkeys(gone) | {target: source for source, target in files.values()}
    foreign_files.refuse(replaced, ours, (path, _intent(path)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(_intent(path), manifest, store)
        for place in gone:
            if place.exists():
                store.remove(place)
        _carry_out(store, path, files, taken or {})
    except OSError as error:
        raise PublishError(f"{manifest.stage}/{manifest.plate}: the results could not be published: {error}") from error


def claims(layout: Layout, path: Path) -> dict[Path, int | None]:
    """Return the outputs that the manifest at `path`, of whatever version, says are its own -> how many files."""
    return manifest_claims.of(path, layout.root)


def resume(
    layout: Layout,
    path: Path,
    fingerprint: Mapping[str, object],
    files: Mapping[str, tuple[Path, Path]],
    taken: Mapping[Path, Manifest] | None = None,
    store: Store | None = None,
) -> bool:
    """Finish a publication that a crash cut short; return whether there was one of this very result."""
    intent = read(_intent(path))
    store = store or LocalStore(layout.trash)
    if store.url:
        return False  # what was copied is copied once more: the jobs need not run for it
    if intent is None or not intent.is_of(fingerprint):
        return False
    if not all(source.exists() or _arrived(intent, name, target) for name, (source, target) in files.items()):
        return False
    _carry_out(store, path, files, taken or {})
    return True


def interrupted(layout: Layout, path: Path) -> bool:
    """Say whether a publication was cut short and can be finished: what it was to move is there."""
    intent = read(_intent(path))
    return intent is not None and (layout.root / intent.run).exists()


def _arrived(intent: Manifest, name: str, target: Path) -> bool:
    """Say whether an output has been moved: what lies at its place may still be the old result."""
    return target.exists() and artifact(target).digest == intent.outputs[name]["digest"]


def _intent(path: Path) -> Path:
    return path.with_suffix(".publishing")


def _carry_out(
    store: Store, path: Path, files: Mapping[str, tuple[Path, Path]], taken: Mapping[Path, Manifest]
) -> None:
    if path.exists():
        store.remove(path)  # from here on the old result is no longer claimed
    for other, rest in taken.items():
        write(other, rest, store)
    for source, target in files.values():
        if source.exists():  # else an earlier try has moved it
            store.move(source, target)
    store.move(_intent(path), path)


def write(path: Path, manifest: Manifest, store: Store | None = None) -> None:
    """Write a manifest whole or not at all."""
    whole.write(path, json.dumps(asdict(manifest), indent=1))
    if store:
        store.push(path)

"""S3Store: a data root in a bucket. Small files are mirrored here; what jobs make never comes here unasked.

Nothing can be renamed on S3: results are copied within the bucket to their place, and the manifest is written last.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import MissingInputError
from tasks.results import fingerprint
from tasks.results.fingerprint import Artifact
from tasks.results.store import links
from tasks.results.store.links import Linked, Links
from tasks.results.store.s3.bucket import Object
from tasks.results.store.s3.claim import Claims
from tasks.results.store.s3.elements import Elements
from tasks.results.store.s3.mirror import Mirror
from tasks.runtime.arrays.shared import Addressed
from tasks.runtime.core import locks

REFRESH_SECONDS = 10.0
SEEN_SECONDS = 60.0
"""For so long what lay there is taken to lie there."""
READ_WHOLE_BYTES = 64 * 1024**2
"""Up to here a file that a person laid is known by its content, as anywhere; larger ones and folders by their ETags."""
FILES, OUTPUTS = "files", "out/files"


@dataclass
class S3Store:
    """Where `mirrored` are the folders of small files that are looked at as wholes."""

    mirror: Mirror
    make_claims: Callable[[], Claims]
    mirrored: tuple[Path, ...]
    links: Links
    refreshed: float = -math.inf
    seen: dict[tuple[Path, str], float] = field(default_factory=dict)
    bare: dict[Path, float] = field(default_factory=dict)
    """When of a linked folder nothing was found in the bucket itself."""
    _claims: dict[int, Claims] = field(default_factory=dict)

    @property
    def claims(self) -> Claims:
        """Return this process's claims: Luigi's workers are forks, and a claim is one process's."""
        if os.getpid() not in self._claims:
            self._claims = {os.getpid(): self.make_claims()}
        return self._claims[os.getpid()]

    @property
    def url(self) -> str:
        return self.mirror.url(self.mirror.root).removesuffix("/.")

    def refresh(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self.refreshed > REFRESH_SECONDS:
            for folder in self.mirrored:
                self.mirror.sync(folder)
            self.refreshed = time.monotonic()

    def look(self, *paths: Path) -> None:
        for path in paths:
            linked = self.linked(path)
            if linked and not linked.name:
                for name in linked.link.folders:
                    (path / name).mkdir(parents=True, exist_ok=True)
            elif not linked:
                self.mirror.look(path, self.links.names(path))

    def linked(self, path: Path) -> Linked | None:
        """Return what a link says of a folder: what lies in the bucket itself, a person laid, and it is taken."""
        folder = self.links.above(path)
        if folder is None or time.monotonic() - self.bare.get(folder, -math.inf) > SEEN_SECONDS and self._lies(folder):
            return None
        return self.links.at(folder, path)

    def examine(self) -> str:
        some = self.mirror.bucket.has_any(self.mirror.prefix)
        return self.url if some else f"{self.url}, in which nothing lies yet"

    def elements(self, given: Path) -> Addressed:
        return Elements(self, given)

    def _lies(self, folder: Path) -> bool:
        there = self.mirror.bucket.has_any(self.mirror.key(folder) + "/")
        if not there:
            self.bare[folder] = time.monotonic()
        return there

    def pull(self, folder: Path) -> None:
        """Let a run's folder be here as it is; what was brought together here of its jobs' files is not of it."""
        shutil.rmtree(folder / FILES, ignore_errors=True)
        for made in folder.glob(f"shards/*/{OUTPUTS}"):
            shutil.rmtree(made, ignore_errors=True)
        self.mirror.sync(folder, lambda name: f"/{OUTPUTS}/" in name)

    def push(self, *paths: Path) -> None:
        self.mirror.put(paths)

    def ensure_local(self, path: Path) -> Path:
        made = _made_by(path)
        if made:
            origin = self._origins(made[0])[made[1]]
            self.mirror.bucket.fetch(origin.key, path)
        else:
            self.mirror.fetch(path)
        return path

    def lies_there(self, made: Artifact) -> bool:
        seen = self.seen.get((made.path, made.digest), -math.inf)
        if time.monotonic() - seen < SEEN_SECONDS:
            return True
        there = self.mirror.holds(made.path, made.bytes)
        if there:
            self.seen[made.path, made.digest] = time.monotonic()
        return there

    def size(self, path: Path) -> int | None:
        found = self._objects(path)
        return sum(each.bytes for each in found) if found else None

    def artifact(self, path: Path, memory: Path | None = None) -> Artifact:
        """Return what a person laid: a folder, or a large file, by what S3 says of it."""
        if not path.is_relative_to(self.mirror.root):  # a file of the project or the user
            return fingerprint.artifact(path, memory)
        if path.is_file() and (not self.mirror.is_hole(path) or path.stat().st_size <= READ_WHOLE_BYTES):
            return fingerprint.artifact(self.ensure_local(path))
        start, found = self.mirror.key(path), self._objects(path)
        linked = None if found else self.linked(path)
        if linked:
            held = linked.contents
            return Artifact(path, held.digest, held.files, held.bytes)
        if not found:
            raise MissingInputError(f"{self.mirror.url(path)} is not there")
        digest = links.by_etag((each.key.removeprefix(start), each.bytes, each.etag) for each in found)
        return Artifact(path, digest, len(found), sum(each.bytes for each in found))

    def _objects(self, path: Path) -> list[Object]:
        """Return what the bucket holds of a file or a folder."""
        single = self.mirror.bucket.find(self.mirror.key(path))
        return [single] if single else list(self.mirror.bucket.below(self.mirror.key(path) + "/"))

    def hashes(self, run: Path) -> Mapping[str, str]:
        return {str(run / FILES / name): origin.sha256 for name, origin in self._origins(run).items()}

    def remove(self, path: Path) -> None:
        self.mirror.delete(path)
        self.seen = {known: at for known, at in self.seen.items() if known[0] != path}

    def move(self, source: Path, target: Path) -> None:
        """Copy within the bucket, then delete what lay there before and is not of the new result."""
        made_by = _made_by(source)
        if made_by is None:  # a small file that was written here
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)
            self.mirror.put([target])
            self.mirror.delete(source)
            return
        run, name = made_by
        whole, place = source.is_dir(), self.mirror.key(target)
        made = {key.removeprefix(name): each for key, each in self._origins(run).items() if _is_of(key, name)}
        copies = [(each.key, f"{place}/{rest.lstrip('/')}".rstrip("/"), each.bytes) for rest, each in made.items()]
        before = {each.key for each in self.mirror.bucket.below(f"{place}/")} if whole else set()
        self.mirror.bucket.copy(copies)
        self.mirror.bucket.delete(before - {key for _, key, _ in copies})
        if whole:
            shutil.rmtree(source)
            self.mirror.forget(target)
            target.mkdir(parents=True, exist_ok=True)
        else:
            source.unlink()
            self.mirror.look(target)

    def tidy(self, run: Path) -> None:
        start = self.mirror.key(run / "shards") + "/"
        made = (each.key for each in self.mirror.bucket.below(start))
        self.mirror.bucket.delete(key for key in made if f"/{OUTPUTS}/" in key or key.endswith("/outcome.json"))

    def lay(self, job: Path) -> None:
        """Let what a job made stand in its folder as holes."""
        made = job / OUTPUTS
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        for name, origin in self._made(job).items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            with open(made / name, "wb") as hole:
                hole.truncate(origin.bytes)

    @contextmanager
    def alone(self, lock: Path, what: str) -> Iterator[bool]:
        with locks.alone(lock, what) as here, self.claims.alone(self.mirror.key(lock), what) as anywhere:
            yield here or anywhere

    @contextmanager
    def at_once(self, lock: Path) -> Iterator[bool]:
        with locks.at_once(lock) as here:
            if not here:
                yield False
                return
            with self.claims.at_once(self.mirror.key(lock)) as held:
                yield held

    def is_held(self, lock: Path) -> bool:
        return locks.is_held(lock) or self.claims.is_held(self.mirror.key(lock))

    def assert_held(self, lock: Path) -> None:
        self.claims.assert_held(self.mirror.key(lock))

    def _origins(self, run: Path) -> dict[str, Origin]:
        """Return the object behind every file that a run's finished jobs made, by its path below `files`."""
        jobs = sorted(path.parent for path in (run / "shards").glob("*/outcome.json"))
        return {name: origin for job in jobs for name, origin in self._made(job).items()}

    def _made(self, job: Path) -> dict[str, Origin]:
        listed = json.loads((job / "out/files.json").read_text(encoding="utf-8"))
        start = self.mirror.key(job / OUTPUTS)
        return {name: Origin(f"{start}/{name}", *told) for name, told in listed.items()}


@dataclass(frozen=True)
class Origin:
    """The object that a job put."""

    key: str
    bytes: int
    sha256: str


def _made_by(path: Path) -> tuple[Path, str] | None:
    """Return the run, and the name below its `files`, of a path in the folder where a run's files come together."""
    for folder in (path, *path.parents):
        if folder.name == FILES and (folder.parent / "shards").is_dir():
            return folder.parent, path.relative_to(folder).as_posix().removeprefix(".")
    return None


def _is_of(key: str, name: str) -> bool:
    return not name or key == name or key.startswith(f"{name}/")

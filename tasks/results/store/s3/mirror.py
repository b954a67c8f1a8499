"""A folder that mirrors a bucket: small files are copies, of large ones there is a hole, a file of the same size.

So what only asks whether something lies somewhere, how large it is or what a folder holds, asks the mirror as it would
ask the data root itself. Who reads a content says so first (`fetch`).
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.dataset.layout import subject
from tasks.results.store.s3 import set_aside
from tasks.results.store.s3.bucket import CONNECTIONS, Bucket, Object
from tasks.results.store.s3.index import Index

Skip = Callable[[str], bool]


@dataclass(frozen=True)
class Mirror:
    """The bucket's objects below `prefix` (empty, or ending with /), seen below `root`."""

    bucket: Bucket
    prefix: str
    root: Path
    index: Index

    def key(self, path: Path) -> str:
        return self.prefix + path.relative_to(self.root).as_posix()

    def path(self, key: str) -> Path:
        return self.root / key.removeprefix(self.prefix)

    def url(self, path: Path) -> str:
        return f"s3://{self.bucket.name}/{self.key(path)}"

    def is_hole(self, path: Path) -> bool:
        entry = self.index.of(path)
        return entry is not None and entry.hole

    def sync(self, folder: Path, skip: Skip = lambda name: False) -> None:
        """Let a folder of small files be as it is in the bucket; names below it that are skipped are left alone.

        What was written here and not put yet stays.
        """
        start = self.key(folder) + "/"
        found = [each for each in self.bucket.below(start) if not skip(each.key.removeprefix(start))]
        stale = [each for each in found if not self._is_copy(self.path(each.key), each)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self._copy, stale))
        there = {self.path(each.key) for each in found}
        for file in [file for file in _files(folder) if file not in there]:
            if not skip(file.relative_to(folder).as_posix()) and self.index.of(file):
                file.unlink(missing_ok=True)  # it was a copy, and its object is gone

    def look(self, path: Path, linked: Sequence[str] = ()) -> None:
        """Let it be seen here what lies at a path: a file as a hole, of a folder also what is directly in it.

        `linked` are folders in it that lie elsewhere, unless the bucket has one of the same subject (before the `__`).
        """
        single = self.bucket.find(self.key(path))
        objects, folders = self.bucket.beside(self.key(path) + "/")
        laid = {subject(name) for name in folders}
        folders += [name for name in linked if subject(name) not in laid]
        if single:
            self.stand_for([(path, single.bytes, single.etag)])
        elif objects or folders:
            path.mkdir(parents=True, exist_ok=True)
            for gone in [each for each in path.iterdir() if each.is_dir() and each.name not in folders]:
                self.forget(gone)
            for name in folders:
                (path / name).mkdir(exist_ok=True)
            self.stand_for((self.path(each.key), each.bytes, each.etag) for each in objects)
        else:
            self.forget(path)

    def forget(self, path: Path) -> None:
        """Remove the copies and holes at and below a path, and folders that are then empty; any other file stays."""
        if path.is_symlink() or not path.is_dir():
            if self.index.of(path) or set_aside.is_hole(path):
                path.unlink(missing_ok=True)
            return
        with suppress(OSError):  # a file of a person's is in it, or another process has removed it meanwhile
            for each in list(path.iterdir()):
                self.forget(each)
            path.rmdir()

    def holds(self, path: Path, size: int) -> bool:
        """Say whether the bucket has a file of this size, or a folder, at a path; it is seen here too."""
        single = None if path.is_dir() else self.bucket.find(self.key(path))
        if single:
            self.stand_for([(path, single.bytes, single.etag)])
            return single.bytes == size
        there = self.bucket.has_any(self.key(path) + "/")
        if there:
            path.mkdir(parents=True, exist_ok=True)
        return there

    def stand_for(self, files: Iterable[tuple[Path, int, str]]) -> None:
        """Make holes: files (path, bytes, ETag) of which only the size is here; a copy that is the same stays.

        Whichever process of this machine makes a hole, it looks the same: so what the index says holds of any of them.
        """
        made = []
        for path, size, etag in files:
            known = self.index.of(path)
            if known and known.etag == etag and known.bytes == size:
                continue
            if known is None:
                set_aside.keep(self.root, path, etag)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.hole")
            with open(partial, "wb") as handle:
                handle.truncate(size)
            os.utime(partial, ns=(0, 0))
            os.replace(partial, path)
            made.append((path, etag, path.stat()))
        self.index.note_all(made, hole=True)

    def fetch(self, path: Path) -> None:
        """Let the content of a file, or of all files of a folder, be here."""
        single = self.bucket.find(self.key(path))
        if single is None:
            self.sync(path)
        elif not self._is_copy(path, single):
            self._copy(single)

    def put(self, paths: Iterable[Path]) -> None:
        """Put files that were written here, unless the bucket has them."""
        todo = [path for path in paths if self.index.of(path) is None]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self._put, todo))

    def _put(self, path: Path) -> None:
        status = path.stat()  # before: what is written meanwhile is put the next time
        self.index.note(path, self.bucket.put(self.key(path), path), status)

    def delete(self, path: Path) -> None:
        """Delete a file, or a folder with all that is below it."""
        start = self.key(path)
        self.bucket.delete([start, *(each.key for each in self.bucket.below(start + "/"))])
        if path.is_dir() and path.relative_to(self.root).parts[0] == set_aside.OWN:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_dir():
            self.forget(path)
        else:
            path.unlink(missing_ok=True)

    def _is_copy(self, path: Path, of: Object) -> bool:
        known = self.index.of(path)
        return known is not None and not known.hole and (known.etag, known.bytes) == (of.etag, of.bytes)

    def _copy(self, of: Object) -> None:
        path = self.path(of.key)
        if self.index.of(path) is None:
            set_aside.keep(self.root, path, of.etag)
        self.bucket.fetch(of.key, path)
        status = path.stat()
        if status.st_size == of.bytes:  # else it was written anew after it was listed: the next look sees it
            self.index.note(path, of.etag, status)


def _files(folder: Path) -> list[Path]:
    return [Path(where, name) for where, _, names in os.walk(folder) for name in names]

"""Links: small files that say of a folder of the data root that it lies elsewhere on S3, and is read there."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.dataset.layout import Layout

WHOLE = ""
Listed = tuple[str, int, str]
"""A file's path below its folder, its bytes and its ETag."""


@dataclass(frozen=True)
class Contents:
    """What a folder holds, all that is below it, and a digest of that."""

    files: int
    bytes: int
    digest: str


@dataclass(frozen=True)
class Link:
    """Where a folder lies, how it is asked for, and what it held when it was linked."""

    source: str
    """s3://bucket/.../, the folder itself."""
    endpoint_url: str
    """Of another S3 service than Amazon's; empty for that."""
    region: str
    unsigned: bool
    table: str
    """The table of its files, below the data root: by it a change is noticed."""
    folders: Mapping[str, Contents]
    """The whole (no name), and every folder that is directly in it."""


@dataclass(frozen=True)
class Linked:
    """A folder that a link stands for, or one directly in it."""

    link: Link
    file: Path
    """The link's own file."""
    name: str
    """The folder below the linked one; empty if it is that."""

    @property
    def url(self) -> str:
        return f"{self.link.source}{self.name}/" if self.name else self.link.source

    @property
    def contents(self) -> Contents:
        return self.link.folders[self.name]


@dataclass(frozen=True)
class Links:
    """The links of a dataset: they lie below a folder of their own as what they stand for does below the dataset."""

    layout: Layout

    def names(self, folder: Path) -> list[str]:
        """Return the names of the links directly in a folder."""
        if not folder.is_relative_to(self.layout.dataset):
            return []
        place = self.layout.links / folder.relative_to(self.layout.dataset)
        return sorted(path.stem for path in place.glob("*.json"))

    def above(self, path: Path) -> Path | None:
        """Return the folder at or above a path that a link stands for."""
        below = [each for each in (path, *path.parents) if each.is_relative_to(self.layout.dataset)]
        return next((folder for folder in below[:-1] if self.layout.link(folder).is_file()), None)

    def at(self, folder: Path, path: Path) -> Linked | None:
        """Return what the link of a folder says of a path at or below it."""
        file, name = self.layout.link(folder), path.relative_to(folder).as_posix().removeprefix(".")
        link = read(file)
        return Linked(link, file, name) if name in link.folders else None


def contents(files: Iterable[Listed]) -> Contents:
    """Return what a folder holds by what S3 says of its files."""
    listed = sorted(files)
    return Contents(len(listed), sum(size for _, size, _ in listed), by_etag((f"/{name}", *of) for name, *of in listed))


def by_etag(files: Iterable[Sequence[object]]) -> str:
    """Return the digest of files of which S3 says path, bytes and ETag: the same for who asks from wherever."""
    listing = "".join(f"{path} {size} {etag}\n" for path, size, etag in files)
    return hashlib.sha256(f"by ETag\n{listing}".encode()).hexdigest()


def folders(files: Sequence[Listed]) -> dict[str, Contents]:
    """Return what the whole holds, and every folder directly in it."""
    parts = [(name.partition("/"), size, etag) for name, size, etag in files]
    names = sorted({head for (head, slash, _), _, _ in parts if slash})
    return {WHOLE: contents(files)} | {
        name: contents((rest, size, etag) for (head, slash, rest), size, etag in parts if slash and head == name)
        for name in names
    }


def write(path: Path, link: Link) -> None:
    path.write_text(json.dumps(asdict(link), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Link:
    status = path.stat()
    return _read(path, status.st_ino, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=1024)
def _read(path: Path, *_: int) -> Link:
    told = json.loads(path.read_text(encoding="utf-8"))
    return Link(**{**told, "folders": {name: Contents(**each) for name, each in told["folders"].items()}})

"""A plate's folder of images, here or on S3: what it holds, and files of which only what is read comes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import bucket as buckets
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from bucket import Bucket
from stagekit.afar import Afar
from stagekit.program import DataError
from stagekit.transfer import Object

BLOCK_BYTES = 16 * 1024
"""What a request brings, if a read needs no more: it takes hardly longer than one byte, and holds a TIFF's header."""
READERS_HERE, READERS_AFAR = 8, 32
STALL_SECONDS = 30.0
TRIES = 3


class ImageFolder(Protocol):
    """What programs ask of a folder of images."""

    name: str
    readers: int
    """How many files are best read at once."""

    def names(self) -> list[str]:
        """Return the names of what is directly in it."""

    def bytes(self, name: str) -> int:
        """Return the size of a file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file of which little is read, here and there."""

    def stream(self, name: str) -> BinaryIO:
        """Open a file that is read from its beginning to its end."""


@dataclass(frozen=True)
class Here:
    """A folder of this machine."""

    folder: Path
    readers: int = READERS_HERE

    @property
    def name(self) -> str:
        return self.folder.name

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def bytes(self, name: str) -> int:
        return (self.folder / name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        return open(self.folder / name, "rb", buffering=0)  # type: ignore[return-value]

    def stream(self, name: str) -> BinaryIO:
        return open(self.folder / name, "rb")


@dataclass(frozen=True)
class OnS3:
    """A folder on S3, as it was listed."""

    name: str
    bucket: Bucket
    files: Mapping[str, Object]
    readers: int = READERS_AFAR

    def names(self) -> list[str]:
        return sorted(self.files)

    def bytes(self, name: str) -> int:
        return self.files[name].bytes

    def open(self, name: str) -> BinaryIO:
        return Ranged(self, name)  # type: ignore[return-value]

    def stream(self, name: str) -> BinaryIO:
        return io.BytesIO(self.get(name, 0, self.bytes(name)))

    def get(self, name: str, first: int, end: int) -> bytes:
        """Return some bytes of a file; raise DataError if it is not what was listed."""
        if first >= end:
            return b""
        key = self.bucket.prefix + name
        asked = {"Bucket": self.bucket.name, "Key": key, "IfMatch": f'"{self.files[name].etag}"'}
        with buckets.told(self.bucket.name, key):
            try:
                return self._asked({**asked, "Range": f"bytes={first}-{end - 1}"})
            except ClientError as error:
                if buckets.status(error) not in (404, 412, 416):
                    raise
                message = f"s3://{self.bucket.name}/{key} is not what it was a moment ago ({buckets.said(error)})"
                raise DataError(f"{message}; run again when nobody changes the folder") from error

    def _asked(self, what: Mapping[str, Any]) -> bytes:
        """Return what a request brings; one that breaks off is made again, which boto3 does only before it begins."""
        for _ in range(TRIES - 1):
            with suppress(HTTPClientError, IncompleteReadError):
                return bytes(self.bucket.client.get_object(**what)["Body"].read())
        return bytes(self.bucket.client.get_object(**what)["Body"].read())


class Ranged(io.RawIOBase):
    """A file on S3: what is read of it comes in blocks, and stays."""

    def __init__(self, folder: OnS3, name: str) -> None:
        self.folder, self.file, self.size = folder, name, folder.bytes(name)
        self.at = 0
        self.blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence] + offset
        return self.at

    def readinto(self, room: Any) -> int:
        """Fill the room, unless the file ends before."""
        count = max(0, min(len(room), self.size - self.at))
        room[:count] = self._read(self.at, self.at + count)
        self.at += count
        return count

    def _read(self, first: int, end: int) -> bytes:
        for start, block in self.blocks.items():
            if start <= first and end <= start + len(block):
                return block[first - start : end - start]
        block = self.folder.get(self.file, first, min(max(end, first + BLOCK_BYTES), self.size))
        self.blocks[first] = block
        return block[: end - first]


def of(path: str) -> ImageFolder:
    """Return the folder at a path: one of this machine, or the one on S3 that a file describes."""
    place = Path(path)
    return Here(place) if place.is_dir() else _on_s3(place.name, Afar.read(place))


def _on_s3(called: str, afar: Afar) -> OnS3:
    name, _, prefix = afar.url[len("s3://") :].partition("/")
    how = (afar.endpoint_url, afar.region, afar.unsigned, READERS_AFAR, STALL_SECONDS)
    files = {path: each for path, each in afar.files.items() if "/" not in path}
    return OnS3(called, buckets.connect(name, prefix, *how), files)

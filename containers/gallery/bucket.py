"""The bucket that the gallery lies in: what is below a folder, and how a fault of the service is told."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Iterator, List, Optional, Tuple

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from stagekit.program import DataError, ServiceError

CONNECT_SECONDS = 10
REQUEST_TRIES = 4  # botocore's own, with backoff and jitter, before a byte of the body has come
NAME_BYTES = 255
NAMED = 8

# What a person can do about the service's answers.
REMEDIES = {
    "NoSuchBucket": "see [gallery] bucket and endpoint_url in luigi.cfg",
    "AccessDenied": "the bucket is not public: set [gallery] unsigned = false, and give credentials as for the AWS CLI",
    "403": "the bucket is not public: set [gallery] unsigned = false, and give credentials as for the AWS CLI",
    "NoCredentialsError": "give credentials as for the AWS CLI, or set [gallery] unsigned = true for a public bucket",
    "EndpointConnectionError": "see [gallery] endpoint_url in luigi.cfg, and this machine's network and proxy",
}


@dataclass(frozen=True)
class Remote:
    """An object of the bucket, as it was listed; `path` is its place below <project>/<source>."""

    key: str
    path: str
    bytes: int
    etag: str
    changed: str


@dataclass(frozen=True)
class Bucket:
    """A bucket, seen below a prefix (<project>/<source>/)."""

    client: Any
    name: str
    prefix: str

    def below(self, folder: str) -> List[Remote]:
        """Return every object below a folder (`a/b/`); refuse a key that could not be a file below the data root."""
        found = [self._remote(entry) for entry in self._listed(folder) if not _is_folder_marker(entry)]
        _refuse_file_as_folder(found)
        return found

    def walk(self, folder: str) -> Iterator[Tuple[str, int]]:
        """Yield path and bytes of the objects below a folder, in the order of their keys, as they are listed."""
        for entry in self._listed(folder):
            if not _is_folder_marker(entry):
                yield entry["Key"][len(self.prefix) :], int(entry["Size"])

    def entries(self, folder: str) -> List[str]:
        """Return the names of the files and folders (`a/`) of a folder."""
        start = len(self.prefix + folder)
        return sorted(key[start:] for key in self._keys(folder) if key[start:])

    def names(self, start: str, most: Optional[int] = None) -> List[str]:
        """Return the names of the files and folders whose paths begin with `start`, without what is below them."""
        return sorted(PurePosixPath(key).name for key in self._keys(start, most))

    def _keys(self, start: str, most: Optional[int] = None) -> Iterator[str]:
        """Yield the keys of files and folders that begin with `start`, without what is below them."""
        for entry in self._listed(start, Delimiter="/", PaginationConfig={"MaxItems": most}):
            yield entry.get("Prefix", entry.get("Key"))

    def _listed(self, start: str, **how: Any) -> Iterator[Any]:
        """Yield the service's entries below the prefix: folders where a delimiter is given, and objects."""
        with told(self.name, self.prefix + start):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=self.prefix + start, **how):
                yield from page.get("CommonPrefixes", [])
                yield from page.get("Contents", [])

    def one(self, path: str) -> Optional[Remote]:
        """Return a single object as it is now; None if there is none."""
        with told(self.name, self.prefix + path):
            try:
                head = self.client.head_object(Bucket=self.name, Key=self.prefix + path)
            except ClientError as error:
                if status(error) == 404:
                    return None
                raise
        entry = {**head, "Key": self.prefix + path, "Size": head["ContentLength"]}
        return self._remote(entry)

    def first_part_bytes(self, remote: Remote) -> Optional[int]:
        """Return how long the first part was in which an object was uploaded, if the service tells."""
        try:
            head = self.client.head_object(Bucket=self.name, Key=remote.key, PartNumber=1)
        except (BotoCoreError, ClientError):
            return None
        return int(head["ContentLength"])

    def _remote(self, entry: Any) -> Remote:
        path = safe_path(entry["Key"], self.prefix)
        changed = entry["LastModified"].isoformat(timespec="seconds")
        return Remote(entry["Key"], path, int(entry["Size"]), entry["ETag"].strip('"'), changed)


def connect(
    name: str, prefix: str, endpoint_url: str, region: str, unsigned: bool, connections: int, stall_seconds: float
) -> Bucket:
    """Return the bucket; nothing is asked of it yet."""
    signature = {"signature_version": UNSIGNED} if unsigned else {}
    config = Config(
        retries={"mode": "standard", "max_attempts": REQUEST_TRIES},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=stall_seconds,
        max_pool_connections=connections,
        response_checksum_validation="when_required",  # ETags are checked here, of ranges too
        s3={"addressing_style": "path"} if endpoint_url else {},
        **signature,
    )
    client = boto3.session.Session().client(
        "s3", endpoint_url=endpoint_url or None, region_name=region or None, config=config
    )
    return Bucket(client, name, prefix)


def safe_path(key: str, prefix: str) -> str:
    """Return a key's path below the prefix; raise DataError if it could leave the data root or be no file name."""
    path = key[len(prefix) :]
    parts = path.split("/")
    bad = [part for part in parts if part in ("", ".", "..") or "\0" in part or len(part.encode()) > NAME_BYTES]
    if bad or not key.startswith(prefix):
        message = f"the gallery's key {key!r} is refused: as a path it would not stay below the data root's folder"
        raise DataError(f"{message} (its part {bad[0] if bad else prefix!r}); nothing was fetched")
    return path


@contextmanager
def told(name: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into one line that names the bucket, the fault and the next step."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceError(f"s3://{name}/{key}: {said(error)}") from error


def said(error: Exception) -> str:
    """Return a service's fault in one line, with the remedy if there is a known one."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    text = " ".join(str(error).split())[:300]
    return text + (f"; {REMEDIES[code]}" if code in REMEDIES else "")


def status(error: ClientError) -> int:
    """Return the HTTP status of a service's answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_folder_marker(entry: Any) -> bool:
    """Say whether an object only makes a folder visible in S3's console."""
    return entry["Key"].endswith("/") and entry["Size"] == 0


def _refuse_file_as_folder(found: List[Remote]) -> None:
    paths = {remote.path for remote in found}
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    both = sorted(paths & parents)
    if both:
        message = f"the gallery holds a file {both[0]!r} and files below a folder of that name; a disk cannot"
        raise DataError(f"{message}: fetch single files with FetchFile")

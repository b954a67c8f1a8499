"""A bucket's objects by key: what a data root on S3 asks of it, with errors that name the object and the next step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tasks.errors import StoreError
from tasks.results.store.s3 import refusals
from tasks.runtime.aws import answers
from tasks.runtime.aws.answers import Kind

CONNECTIONS = 16
PUT_AT_ONCE_BYTES = 8 * 1024**2
DELETED_AT_ONCE = 1000
"""The most keys of one DeleteObjects (Amazon S3 API Reference)."""
COPIED_AT_ONCE_BYTES = 5 * 1000**3
"""Up to here one CopyObject copies an object; a larger one goes in parts (Amazon S3 API Reference: 5 GB)."""


@dataclass(frozen=True)
class Object:
    """What a listing says of an object."""

    key: str
    bytes: int
    etag: str


class Bucket:
    """One bucket; where there is no such object a FileNotFoundError, all else that S3 refuses a StoreError."""

    def __init__(self, name: str, region: str = "", endpoint_url: str = "") -> None:
        self.name = name
        self._how = {"region_name": region or None, "endpoint_url": endpoint_url or None}
        self._clients: dict[int, Any] = {}

    @property
    def client(self) -> Any:
        """Return this process's boto3 client: Luigi's workers are forks, which share no connection."""
        if os.getpid() not in self._clients:
            patient = Config(retries={"mode": "adaptive", "max_attempts": 8}, max_pool_connections=CONNECTIONS)
            self._clients = {os.getpid(): self.made(patient)}
        return self._clients[os.getpid()]

    def made(self, config: Config) -> Any:
        """Return a client of its own kind."""
        with self._explained("use", ""):
            return boto3.session.Session().client("s3", config=config, **self._how)

    def below(self, prefix: str) -> Iterator[Object]:
        """Yield all objects whose key begins with `prefix`, by their keys."""
        with self._explained("list", prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield _object(entry)

    def beside(self, prefix: str) -> tuple[list[Object], list[str]]:
        """Return what lies in a folder (`prefix` ends with /): its objects, and the names of its folders."""
        objects, folders = [], []
        with self._explained("list", prefix):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix, Delimiter="/"):
                objects += [_object(entry) for entry in page.get("Contents", ()) if entry["Key"] != prefix]
                folders += [each["Prefix"][len(prefix) : -1] for each in page.get("CommonPrefixes", ())]
        return objects, folders

    def find(self, key: str) -> Object | None:
        """Return an object, or None if there is none of this key."""
        try:
            with self._explained("read", key):
                head = self.client.head_object(Bucket=self.name, Key=key)
        except FileNotFoundError:
            return None
        return Object(key, head["ContentLength"], head["ETag"].strip('"'))

    def has_any(self, prefix: str) -> bool:
        """Say whether there is an object whose key begins with `prefix`."""
        with self._explained("list", prefix):
            return bool(self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1).get("KeyCount"))

    def fetch(self, key: str, path: Path) -> None:
        """Fetch an object into a file, which is written whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained("read", key):
            self.client.download_file(self.name, key, str(path))  # boto3 renames it into its place

    def text(self, key: str) -> str:
        """Return a small object's text."""
        with self._explained("read", key):
            return str(self.client.get_object(Bucket=self.name, Key=key)["Body"].read().decode())

    def put(self, key: str, path: Path) -> str:
        """Put a file; return its ETag."""
        with self._explained("write", key):
            if path.stat().st_size <= PUT_AT_ONCE_BYTES:
                return str(self.client.put_object(Bucket=self.name, Key=key, Body=path.read_bytes())["ETag"].strip('"'))
            self.client.upload_file(str(path), self.name, key)
            return str(self.client.head_object(Bucket=self.name, Key=key)["ETag"].strip('"'))

    def copy(self, pairs: Sequence[tuple[str, str, int]]) -> None:
        """Copy objects within the bucket, (from, to, bytes) each; no byte of them comes here."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda pair: self._copy(*pair), pairs))

    def _copy(self, source: str, target: str, size: int) -> None:
        place = {"Bucket": self.name, "Key": source}
        with self._explained("copy", source):
            if size < COPIED_AT_ONCE_BYTES:
                self.client.copy_object(CopySource=place, Bucket=self.name, Key=target)
            else:
                self.client.copy(place, self.name, target)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is no error."""
        todo = list(keys)
        for start in range(0, len(todo), DELETED_AT_ONCE):
            some = [{"Key": key} for key in todo[start : start + DELETED_AT_ONCE]]
            with self._explained("delete", some[0]["Key"]):
                done = self.client.delete_objects(Bucket=self.name, Delete={"Objects": some, "Quiet": True})
            for wrong in done.get("Errors", ())[:1]:
                raise StoreError(f"s3://{self.name}/{wrong['Key']}: it could not be deleted ({wrong['Message']})")

    @contextmanager
    def _explained(self, what: str, key: str) -> Iterator[None]:
        """Let what S3 refuses be an error that a person can act on."""
        try:
            yield
        except answers.ERRORS as error:
            answer = answers.of(error)
            if answer.kind is Kind.GONE:
                raise FileNotFoundError(f"s3://{self.name}/{key}") from error
            raise StoreError(refusals.told(self.name, key, what, answer)) from error


def _object(entry: dict[str, Any]) -> Object:
    return Object(entry["Key"], entry["Size"], entry["ETag"].strip('"'))

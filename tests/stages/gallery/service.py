"""A real S3 server on loopback, a bucket on it, and the fetch program as the process engine calls it."""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import logging
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import get_canned_acl, s3_backends
from moto.server import ThreadedMotoServer

CONTAINERS = Path(__file__).parents[3] / "containers"
BELOW = "cpg0000-jump-pilot/source_4"


@dataclass
class S3:
    """A bucket on the server."""

    port: int
    bucket: str

    @functools.cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def put(self, path: str, body: bytes, below: str = BELOW) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{below}/{path}", Body=body, ACL="public-read")

    def put_many(self, files: Mapping[str, bytes]) -> None:
        """Lay files straight into the server's memory: a thousand requests would take long."""
        store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for path, body in files.items():
            store.put_object(self.bucket, f"{BELOW}/{path}", body).set_acl(get_canned_acl("public-read"))

    def put_in_parts(self, path: str, body: bytes, part_bytes: int) -> None:
        key = {"Bucket": self.bucket, "Key": f"{BELOW}/{path}"}
        upload = self.client.create_multipart_upload(**key, ACL="public-read")["UploadId"]
        parts = []
        for number, first in enumerate(range(0, len(body), part_bytes), start=1):
            piece = body[first : first + part_bytes]
            done = self.client.upload_part(**key, UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        self.client.complete_multipart_upload(**key, UploadId=upload, MultipartUpload={"Parts": parts})

    def remove(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{BELOW}/{path}")

    def get(self, path: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=f"{BELOW}/{path}")["Body"].read()

    def keys(self, path: str) -> list[str]:
        """Return the paths below a folder, of at most a thousand."""
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{BELOW}/{path}/")["Contents"]
        return [entry["Key"][len(BELOW) + 1 :] for entry in listed]

    def etag(self, path: str) -> str:
        return self.client.head_object(Bucket=self.bucket, Key=f"{BELOW}/{path}")["ETag"].strip('"')


@dataclass
class Fetch:
    """The fetch program, its run's folder, and what is in it."""

    python: Path
    folder: Path
    bucket: str
    url: str
    checksums: Path = CONTAINERS / "gallery/no_checksums.csv"
    stall_seconds: float = 1
    absent: str = "refuse"
    content: str = "fetch"
    measurement: str = ""
    connections: int = 4
    patch: str = "import partial; partial.PART_BYTES = 2**20"  # large files need not be large
    """Python that is run before the program, for what no flag says."""

    def words(self, *wanted: str) -> list[str]:
        given = {
            "plate": "BR00117013",
            "bucket": self.bucket,
            "endpoint_url": self.url,
            "region": "us-east-1",
            "unsigned": "true",
            "below": BELOW,
            "wanted": json.dumps(wanted),
            "absent": self.absent,
            "content": self.content,
            "measurement": self.measurement,
            "connections": str(self.connections),
            "stall_seconds": str(self.stall_seconds),
            "checksums": str(self.checksums),
            "write_fetched": str(self.folder / "files/fetched.csv"),
            "write_gallery": str(self.gallery),
            "output": str(self.folder),
        }
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        return [str(self.python), str(CONTAINERS / "gallery/fetch.py"), *words]

    def run(self, *wanted: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*wanted), env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def start(self, *wanted: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.words(*wanted), env=self.environment, stderr=subprocess.PIPE, text=True)

    @property
    def environment(self) -> dict[str, str]:
        (self.folder / "files").mkdir(parents=True, exist_ok=True)
        site = self.folder.parent / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(
            f"import sys; sys.path.insert(0, {str(CONTAINERS / 'gallery')!r})\n{self.patch}\n"
        )
        return {"PYTHONPATH": f"{CONTAINERS}:{site}", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    @property
    def gallery(self) -> Path:
        return self.folder / "files/gallery"

    def came(self) -> dict[str, bytes]:
        """Return the files that have their final names: path -> bytes."""
        files = [path for path in self.gallery.rglob("*") if path.is_file()]
        return {path.relative_to(self.gallery).as_posix(): path.read_bytes() for path in files}

    def table(self) -> list[dict[str, str]]:
        with open(self.folder / "files/fetched.csv", newline="", encoding="utf-8") as table:
            return list(csv.DictReader(table))

    def units(self) -> dict[str, tuple[str, str]]:
        """Return how every file ended, as the ledger will have it: state and reason."""
        lines = (self.folder / "units.jsonl").read_text(encoding="utf-8").splitlines()
        return {each["unit"]: (each["state"], each["reason"]) for each in map(json.loads, lines)}

    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "result.json").read_text())


@contextlib.contextmanager
def served(address: str = "127.0.0.1") -> Iterator[int]:
    """Start a server; give its port."""
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


def new_bucket(port: int) -> S3:
    own = S3(port, f"gallery-{uuid.uuid4().hex[:12]}")
    own.client.create_bucket(Bucket=own.bucket)
    return own

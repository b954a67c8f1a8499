"""Fixtures: a server, a bucket of a test's own, the proxy before it, and the fetch program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import S3, Fetch, new_bucket, served


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """The port of a server."""
    with served() as port:
        yield port


@pytest.fixture
def s3(moto: int) -> S3:
    return new_bucket(moto)


@pytest.fixture
def proxy(moto: int) -> Iterator[FaultProxy]:
    own = FaultProxy(moto)
    yield own
    own.close()


@pytest.fixture
def fetch(gallery_python: Path, tmp_path: Path, s3: S3, proxy: FaultProxy) -> Fetch:
    return Fetch(gallery_python, tmp_path / "out", s3.bucket, proxy.url)

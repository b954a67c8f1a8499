"""The sums of a file are those that S3 gives it, in however many parts it was uploaded."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import pytest

from tests.stages.gallery.service import S3, Fetch

sys.path.insert(0, str(Path(__file__).parents[3] / "containers/gallery"))
import etags  # noqa: E402

MIB = 2**20


def slow_etag(body: bytes, part_bytes: int) -> str:
    """Return the ETag of an upload in parts, the obvious way."""
    parts = [body[first : first + part_bytes] for first in range(0, len(body), part_bytes)]
    return hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + f"-{len(parts)}"


@pytest.mark.parametrize("chunk", [1000, 2**18, 20 * MIB])
@pytest.mark.parametrize("part_mib", [5, 8, 16])
@pytest.mark.parametrize("size", [16 * MIB, 16 * MIB + 1, 17_000_000])
def test_an_etag_is_recomputed_from_bytes_in_any_chunks(size: int, part_mib: int, chunk: int) -> None:
    body = random.Random(size).randbytes(size)
    sums = etags.Sums(slow_etag(body, part_mib * MIB), size)
    for first in range(0, size, chunk):
        sums.update(body[first : first + chunk])

    assert sums.match()
    assert sums.sha256 == hashlib.sha256(body).hexdigest()


def test_one_wrong_byte_gives_another_etag() -> None:
    body = random.Random(1).randbytes(9 * MIB)
    for etag in (slow_etag(body, 8 * MIB), hashlib.md5(body).hexdigest()):
        sums = etags.Sums(etag, len(body))
        sums.update(body[:-1] + bytes([body[-1] ^ 1]))

        assert not sums.match()


@pytest.mark.parametrize("part_bytes", [5 * MIB, 8 * MIB, 6_000_000, 5_242_999])
def test_an_object_uploaded_in_parts_of_any_size_is_checked(part_bytes: int, s3: S3, fetch: Fetch) -> None:
    body = random.Random(part_bytes).randbytes(17 * MIB)
    s3.put_in_parts("a/b.bin", body, part_bytes)
    done = fetch.run("a/b.bin")

    assert s3.etag("a/b.bin") == slow_etag(body, part_bytes)
    assert done.returncode == 0, done.stderr
    assert fetch.came() == {"a/b.bin": body}
    assert fetch.table()[0]["etag"] == s3.etag("a/b.bin")


def test_the_candidates_are_the_part_sizes_that_give_as_many_parts() -> None:
    size = 100 * MIB
    found = etags.candidates("0" * 32 + "-7", size)

    assert found == sorted(part for part in etags.COMMON_PART_BYTES if len(range(0, size, part)) == 7)
    assert etags.candidates("0" * 32, size) == [0]

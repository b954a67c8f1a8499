"""The sums of a large file are taken while its parts come, in whatever order, and the bytes are read for it once."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "containers/gallery"))
import partial as partials  # noqa: E402
from bucket import Remote  # noqa: E402

PART = 10_000
BODY = random.Random(3).randbytes(7 * PART + 123)
REMOTE = Remote("p/a/b.bin", "a/b.bin", len(BODY), hashlib.md5(BODY).hexdigest(), "2020-11-04T00:00:00+00:00")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "PART_BYTES", PART)
    monkeypatch.setattr(partials, "CHUNK_BYTES", 3000)


class Read:
    """Counts the bytes that go into sums."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        update = partials.Sums.update

        def counted(sums: partials.Sums, chunk: bytes) -> None:
            self.bytes += len(chunk)
            update(sums, chunk)

        monkeypatch.setattr(partials.Sums, "update", counted)


def bring(partial: partials.Partial, *firsts: int) -> None:
    for first in firsts:
        partial.write(BODY[first : first + PART], first)
        partial.part_is_done(first)
        partial.sum_up()
        partial.part_ended()


@pytest.mark.parametrize("seed", range(5))
def test_parts_in_any_order_give_the_sums_of_the_file_and_each_byte_is_read_once(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial, read = partials.Partial(tmp_path, REMOTE), Read(monkeypatch)
    firsts = [first for first, _ in partial.open()]
    random.Random(seed).shuffle(firsts)
    bring(partial, *firsts)

    assert read.bytes == len(BODY)  # before it is asked for
    assert partial.read_sums().sha256 == hashlib.sha256(BODY).hexdigest()
    assert partial.read_sums().match()
    assert read.bytes == len(BODY)


def test_what_lies_there_in_order_is_summed_before_the_rest_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial, read = partials.Partial(tmp_path, REMOTE), Read(monkeypatch)
    partial.open()
    bring(partial, PART, 0, 3 * PART)

    assert read.bytes == 2 * PART


def test_parts_of_an_earlier_run_are_summed_with_those_that_come_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = partials.Partial(tmp_path, REMOTE)
    earlier.open()
    bring(earlier, 0, 2 * PART)
    earlier.close()
    partial, read = partials.Partial(tmp_path, REMOTE), Read(monkeypatch)
    todo = [first for first, _ in partial.open()]
    bring(partial, *todo)

    assert set(todo) == {n * PART for n in range(8)} - {0, 2 * PART}
    assert partial.read_sums().match()
    assert read.bytes == len(BODY)


def test_a_file_that_is_shorter_than_its_journal_says_has_other_sums(tmp_path: Path) -> None:
    earlier = partials.Partial(tmp_path, REMOTE)
    bring(earlier, *(first for first, _ in earlier.open()))
    earlier.data.write_bytes(BODY[: 2 * PART + 5])
    partial = partials.Partial(tmp_path, REMOTE)

    assert partial.open() == []
    partial.sum_up()
    partial.part_ended()
    assert not partial.read_sums().match()


def test_another_part_size_of_the_upload_is_tried_from_the_first_byte(tmp_path: Path) -> None:
    size = 9_999
    parts = [hashlib.md5(BODY[first : first + size]).digest() for first in range(0, len(BODY), size)]
    etag = f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
    partial = partials.Partial(tmp_path, Remote(REMOTE.key, REMOTE.path, len(BODY), etag, REMOTE.changed))
    bring(partial, *(first for first, _ in partial.open()))

    assert not partial.read_sums().match()
    assert partial.read_sums((size,)).match()
    assert partial.read_sums().sha256 == hashlib.sha256(BODY).hexdigest()

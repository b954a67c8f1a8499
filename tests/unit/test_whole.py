"""A file that is written whole is never seen by half, whoever else writes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stagekit import whole

TEXTS = [letter * 100_000 for letter in "abcdefgh"]


def test_of_writers_at_once_one_ones_text_stays_and_none_fails(tmp_path: Path) -> None:
    """Threads share their process's number, as the first processes of two containers do."""
    path = tmp_path / "graph.json"
    path.write_text(TEXTS[0])

    def work(text: str) -> set[str]:
        seen = set()
        for _ in range(20):
            whole.write(path, text)
            seen.add(path.read_text())
        return seen

    with ThreadPoolExecutor(len(TEXTS)) as pool:
        seen = set().union(*pool.map(work, TEXTS))

    assert seen <= set(TEXTS)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    whole.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        whole.write(path, "new \udcff")

    assert path.read_text() == "old"

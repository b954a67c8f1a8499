"""docs/troubleshooting.md shows the words that the code prints, not words that were mended since."""

from __future__ import annotations

import re

from tasks.dataset.layout import REPOSITORY

ROW = re.compile(r"^\| (.+?) \| .* \| .* \|$", re.MULTILINE)
JOINED = re.compile(r'"\s*\n\s*f?"')
"""Where a text goes on in the next line of the code."""


def test_what_is_seen_is_what_the_code_says() -> None:
    files = [
        REPOSITORY / "Makefile",
        *REPOSITORY.glob("tasks/**/*.py"),
        *REPOSITORY.glob("platewright/*.py"),
        *REPOSITORY.glob("containers/**/*.py"),
    ]
    code = JOINED.sub("", "\n".join(path.read_text(encoding="utf-8") for path in files))
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = {text for row in ROW.findall(page) for text in re.findall("`([^`]+)`", row)}

    assert len(quoted) > 40
    assert sorted(text for text in quoted if text not in code) == []

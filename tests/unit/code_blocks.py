"""The code blocks of a page: what a reader types, and what is only shown.

A block of `sh` is typed: a test runs it, unless the line above it says `<!-- not run: why -->`. A block of `text` is
what a reader sees, or a file's content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.dataset.layout import REPOSITORY

PAGES = ("README.md", "docs/first_plate.md", "docs/own_plate.md", "docs/cluster.md", "docs/aws_account.md")
"""The README and the tutorials: what a newcomer types."""
TYPED, SHOWN = "sh", "text"
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+) -->\n)?^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A code block: its page and line, its kind, what it holds, and why no test runs it, if none does."""

    page: str
    line: int
    kind: str
    text: str
    not_run: str

    @property
    def runs(self) -> bool:
        return self.kind == TYPED and not self.not_run

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def of(page: str, text: str = "") -> list[Block]:
    """Return the blocks of a page, in order."""
    text = text or (REPOSITORY / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start("kind")) + 1, found["kind"], found["text"], found["why"] or "")
        for found in BLOCK.finditer(text)
    ]

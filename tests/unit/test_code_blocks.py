"""Every code block of the README and the tutorials is run by a test, or says why not; and the README stays short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.dataset.layout import REPOSITORY
from tests.unit import code_blocks

BLOCKS = [block for page in code_blocks.PAGES for block in code_blocks.of(page)]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 900
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def test_every_block_is_typed_or_shown() -> None:
    assert [str(block) for block in BLOCKS if block.kind not in (code_blocks.TYPED, code_blocks.SHOWN)] == []
    assert {block.page for block in BLOCKS} == {*code_blocks.PAGES}


def test_a_block_that_is_not_run_says_why_and_names_tests_that_there_are(
    record_property: Callable[[str, object], None],
) -> None:
    kinds = Counter(
        "run" if block.runs else "not run" if block.kind == code_blocks.TYPED else "shown" for block in BLOCKS
    )
    record_property("code blocks of the README and the tutorials", dict(sorted(kinds.items())))
    named = {(str(block), name) for block in BLOCKS for name in re.findall(r"tests/[\w/]+\.py", block.not_run)}

    assert sorted(block for block, name in named if not (REPOSITORY / name).is_file()) == []
    assert [str(block) for block in BLOCKS if block.not_run and "AWS account" not in block.not_run
            and "tests/" not in block.not_run] == []  # fmt: skip


@pytest.mark.parametrize("kind", ["", "bash", "ini"])
def test_a_block_of_another_kind_is_found(kind: str) -> None:
    (typed, other) = code_blocks.of("page.md", f"<!-- not run: why -->\n```sh\nls\n```\n\n```{kind}\nx = 1\n```\n")

    assert (typed.kind, typed.text, typed.not_run, typed.line, typed.runs) == ("sh", "ls\n", "why", 2, False)
    assert (other.kind, other.text, other.not_run) == (kind, "x = 1\n", "")


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    links = LINK.findall(README)

    assert len(README.split()) < MOST_WORDS
    assert len(links) > 20
    assert [link for link in links if not Path(REPOSITORY / link).is_file()] == []

"""Every file of the code that a text names is there."""

from __future__ import annotations

import re
import subprocess

import pytest

from tasks.dataset.layout import REPOSITORY

LISTED = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
# A comment in a program is left as it is: each byte of containers/ counts into the hash of an image.
TEXTS = [name for name in LISTED.splitlines() if not name.startswith("containers/") and name != "CHANGELOG.md"]
NAMED = re.compile(r"(?<![\w./-])tasks/[a-z_/]+\.(?:py|sh)\b")
IN_THE_PAGE = re.compile(r"`([a-z_]+/(?:[a-z_]+/)*(?:[a-z_]+\.(?:py|toml))?)`")


def test_every_module_that_a_text_names_by_its_path_is_there() -> None:
    named = set()
    for name in TEXTS:
        path = REPOSITORY / name
        if path.is_file() and path.suffix in (".py", ".md", ".toml", ".cfg", ".yaml", ".sh"):
            named |= {(name, found) for found in NAMED.findall(path.read_text(encoding="utf-8"))}

    assert [(where, what) for where, what in sorted(named) if not (REPOSITORY / what).exists()] == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/lifecycle.md", "CONTRIBUTING.md"])
def test_every_path_on_the_pages_about_the_code_is_there(page: str) -> None:
    named = IN_THE_PAGE.findall((REPOSITORY / page).read_text(encoding="utf-8"))
    folders = [REPOSITORY, REPOSITORY / "tasks"]

    assert named
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []

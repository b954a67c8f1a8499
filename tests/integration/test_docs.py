"""The docs as a site, as `make docs` builds it: strict, complete, and nothing is fetched when a page is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.toolkit import REPOSITORY

MANUAL = REPOSITORY / "mkdocs.yml"
PRE = re.compile(r"<pre.*?</pre>", re.DOTALL)
FETCHED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>")
LEFT_OVER = re.compile(r"^\s*(?:<p>)?(?:- |\* |\d+\. |\||```).*", re.MULTILINE)
"""Markdown that the site shows as it is written: a list or a table that needs an empty line before it, for example."""


def build(manual: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does; --quiet would hide the faults from --strict, too."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(manual), "-d", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(MANUAL, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def articles(built: Path) -> dict[str, str]:
    """Return what stands on each page, without its code and what surrounds it."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in built.glob("*.html") if path.name != "404.html"}
    return {name: PRE.sub("", text.partition("<article")[2].partition("</article")[0]) for name, text in pages.items()}


def test_every_page_of_the_docs_is_on_the_site(built: Path) -> None:
    pages = {path.stem for path in (REPOSITORY / "docs").glob("*.md")}

    assert {Path(name).stem for name in articles(built)} == pages | {"contributing", "changelog", "notice"}


def test_nothing_is_fetched_when_a_page_is_read(built: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in built.rglob("*.html")}
    fetched = {name: found for name, text in pages.items() if (found := [*FETCHED.findall(text)])}

    assert {name: [each for each in found if 'rel="canonical"' not in each] for name, found in fetched.items()} == {}
    assert not any('class="mermaid"' in text for text in pages.values())  # whose script would come from elsewhere
    assert not any(re.search(r"@import|url\(.?https?:", path.read_text("utf-8")) for path in built.rglob("*.css"))


def test_no_markdown_is_left_over(built: Path) -> None:
    assert {name: found for name, text in articles(built).items() if (found := LEFT_OVER.findall(text))} == {}


def test_each_fault_fails_the_build_and_is_named(tmp_path: Path) -> None:
    (docs := tmp_path / "docs").mkdir()
    (docs / "index.md").write_text("[a](gone.md)\n[b](index.md#gone)\n[c](../gone.toml)\n[d](../luigi.cfg)\n")
    (docs / "alone.md").write_text("# Not in the nav\n")
    settings = yaml.safe_load(MANUAL.read_text(encoding="utf-8"))
    settings |= {"nav": ["index.md", "contributing.md", "changelog.md", "notice.md"], "theme": {"name": "mkdocs"}}
    settings["hooks"] = [str(REPOSITORY / "docs/links_outside.py")]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    printed, faults = done.stdout + done.stderr, ("'gone.md'", "'index.md#gone'", "'../gone.toml'", "alone.md")

    assert done.returncode != 0
    assert [fault for fault in faults if fault not in printed] == []
    assert "luigi.cfg" not in printed


def test_the_index_leads_to_every_page() -> None:
    index = (REPOSITORY / "docs/index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w.]+\.md)\)", index))

    assert {page.name for page in (REPOSITORY / "docs").glob("*.md")} - linked == {"index.md"}

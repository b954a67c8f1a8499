"""A hook of MkDocs: what pages link outside of docs/ comes into the site too. A link to nothing stays an error."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "NOTICE.md": "notice.md"}
FILES = "repository"
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")
FROM_ABOVE = re.compile(r"\]\((?!https?:|#)([^)]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the repository's own pages, and every file that a page links."""
    above = {page: _as_below_docs((REPOSITORY / name).read_text(encoding="utf-8")) for name, page in PAGES.items()}
    below = [path.read_text(encoding="utf-8") for path in Path(config.docs_dir).glob("*.md")]
    for page, text in above.items():
        files.append(File.generated(config, page, content=text))
    for name in sorted({name for text in [*above.values(), *below] for name in OUTSIDE.findall(text)} - {*PAGES}):
        if (REPOSITORY / name).is_file():
            files.append(File.generated(config, f"{FILES}/{name}", abs_src_path=str(REPOSITORY / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where these files lie in the site."""

    def there(match: re.Match[str]) -> str:
        place = PAGES.get(match[1], f"{FILES}/{match[1]}")
        return f"]({place}" if files.get_file_from_path(place) else match[0]

    return OUTSIDE.sub(there, markdown)


def _as_below_docs(text: str) -> str:
    """Return a text of the repository's top folder with the links that it would have in docs/."""
    return FROM_ABOVE.sub(
        lambda link: f"]({link[1].removeprefix('docs/')}" if link[1].startswith("docs/") else f"](../{link[1]}", text
    )

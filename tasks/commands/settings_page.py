"""Write docs/settings.md from the code and luigi.cfg: `python -m tasks.commands.settings_page > docs/settings.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.dataset.layout import REPOSITORY
from tasks.settings import checks, sections
from tasks.settings.settings import RESOURCE_KEYS
from tasks.workflow import pipeline

MANUAL = REPOSITORY / "luigi.cfg"
SETTING = re.compile(r"(?:; )?(\w+) =.*")
BAR = "\\|"
"""A bar in a cell of a table."""
HEAD = """# Settings

Every setting of `luigi.cfg`, with the form that is taken and its default; `luigi.cfg` itself is the manual. All of them
are checked before anything starts: a wrong one ends the command, with its section, name, value and the right form. A
comment is on a line of its own, and begins with `;` or `#`. Made by
`python -m tasks.commands.settings_page > docs/settings.md`.

A file that Luigi cannot read (no UTF-8, a byte order mark, a section or a setting that is there twice, a line in no
section) ends the command too, with the file, the line and what to do.
"""


def page() -> str:
    """Return the page."""
    known = checks.all_settings(pipeline.stage_settings())
    ours = {name: keys for name, keys in known.items() if keys and name not in sections.LUIGI_SECTIONS}
    says = meanings(MANUAL.read_text(encoding="utf-8"))
    parts = [HEAD, _table("Of every stage", RESOURCE_KEYS, {}, "the stage's own")]
    return "\n".join([*parts, *(_table(f"[{name}]", ours[name], says.get(name, {})) for name in _order(ours))])


def meanings(text: str) -> dict[str, dict[str, str]]:
    """Return what luigi.cfg says above each setting: section -> key -> the comment."""
    found: dict[str, dict[str, str]] = {}
    section, comment = "", ""
    for line in text.splitlines():
        setting = SETTING.fullmatch(line)
        if line.startswith("["):
            section, comment = line.strip("[]"), ""
        elif line.startswith("# "):
            comment = f"{comment} {line[2:].strip()}".strip()
        elif setting:
            found.setdefault(section, {})[setting[1]] = comment
            comment = ""
        else:
            comment = ""
    return found


def _order(ours: Mapping[str, object]) -> Iterator[str]:
    yield from (name for name in sections.SECTIONS if name in ours)
    yield from (name for name in ours if name not in sections.SECTIONS)


def _table(title: str, settings: Mapping[str, Any], says: Mapping[str, str], default: str | None = None) -> str:
    rows = [
        f"| `{key}` | {_cell(each.kind)} | {default or _default(each)} | {_cell(says.get(key) or each.description)} |"
        for key, each in settings.items()
    ]
    return "\n".join([f"## {title}\n", "| setting | form | default | what |", "|---|---|---|---|", *rows, ""])


def _default(parameter: Any) -> str:
    written = parameter.serialize(parameter._default)
    return f"`{written.replace('|', BAR)}`" if written else "empty"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", BAR).replace("<", "&lt;")


if __name__ == "__main__":
    print(page(), end="")

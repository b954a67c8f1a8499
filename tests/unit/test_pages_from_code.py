"""docs/commands.md, docs/science.md and docs/stages.md say what the code says."""

from __future__ import annotations

from types import ModuleType

import pytest

from tasks.commands import commands_page, science_page, stages_page, verbs
from tasks.commands.markdown import table
from tasks.dataset.layout import REPOSITORY
from tasks.definitions import stages


@pytest.mark.parametrize("module", [commands_page, science_page, stages_page])
def test_the_page_is_what_the_code_says(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    written = (REPOSITORY / "docs" / f"{name.removesuffix('_page')}.md").read_text(encoding="utf-8")

    assert written == module.page()  # else: python -m tasks.commands.<name> > docs/<page>.md


def test_every_command_and_every_stage_has_its_place() -> None:
    commands, all_stages = commands_page.page(), stages_page.page()

    assert [name for name in verbs.VERBS if f"\n### {name}\n" not in commands] == []
    assert [name for name in stages.load() if all_stages.count(f"\n| `{name}` |") != 2] == []
    assert "|  |  |" not in commands


def test_a_cell_neither_ends_early_nor_becomes_html() -> None:
    assert table(["a"], [["x | <b> `<c>`\n y"]]).splitlines()[-1] == "| x \\| &lt;b> `<c>` y |"

"""docs/settings.md lists every setting with its form, as the code has them."""

from __future__ import annotations

import re

from tasks.commands import settings_page
from tasks.dataset.layout import REPOSITORY
from tests.unit.test_luigi_cfg import ours


def test_the_page_is_what_the_code_and_luigi_cfg_say() -> None:
    written = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")

    assert written == settings_page.page()  # else: python -m tasks.commands.settings_page > docs/settings.md


def test_the_page_has_every_setting_with_what_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.*) \|$", settings_page.page(), re.MULTILINE)

    assert {key for _, key in ours()} <= {key for key, *_ in rows}
    assert [key for key, form, _, what in rows if not form.strip() or not what.strip()] == []

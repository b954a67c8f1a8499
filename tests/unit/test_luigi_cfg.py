"""luigi.cfg is the manual of every setting: it and the code agree."""

from __future__ import annotations

import re

import pytest

from tasks.dataset import layout
from tasks.settings import checks, sections
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings

MANUAL = (layout.REPOSITORY / "luigi.cfg").read_text()
SETTING = re.compile(r"(?:; )?(\w+) =(?: (.*))?")


def manual() -> dict[tuple[str, str], str]:
    """Return (section, key) -> value of every setting that the manual shows, switched on or not."""
    found, section = {}, ""
    for line in MANUAL.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif setting := SETTING.fullmatch(line):
            found[section, setting[1]] = (setting[2] or "").replace("%%", "%")
    return found


def ours() -> dict[tuple[str, str], str]:
    """Return (section, key) -> default of every setting that our own code reads."""
    known = {name: dict(section.get_params()) for name, section in sections.SECTIONS.items()}
    for section, own in pipeline.stage_settings().items():
        known[section] = {**known.get(section, {}), **own}
    return {
        (section, key): parameter.serialize(parameter._default)
        for section, parameters in known.items()
        for key, parameter in parameters.items()
    }


def test_the_manual_shows_every_setting_with_its_default() -> None:
    shown = manual()

    assert {place: shown.get(place) for place in ours()} == ours()


def test_every_setting_in_the_manual_is_known_and_has_a_good_value(luigi_cfg: LoadSettings) -> None:
    luigi_cfg(re.sub(r"(?m)^; (?=\w+ =)", "", MANUAL))

    checks.check(pipeline.stage_settings())


def test_the_shipped_luigi_cfg_needs_no_central_scheduler_and_fails_with_an_exit_code() -> None:
    shipped = manual()

    assert shipped["core", "local_scheduler"] == "true"
    assert all(int(value) > 0 for (section, _), value in shipped.items() if section == "retcode")


@pytest.mark.parametrize("line", [line for line in MANUAL.splitlines() if line.startswith(";")])
def test_a_commented_line_is_a_setting(line: str) -> None:
    assert SETTING.fullmatch(line)

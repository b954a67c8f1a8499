"""NOTICE.md names every package that ships; the forms for issues ask for what helps."""

from __future__ import annotations

import re

import pytest
import yaml

from tasks.commands import notice_page
from tasks.dataset.layout import REPOSITORY

FORMS = sorted((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml"))
NOTICE = (REPOSITORY / "NOTICE.md").read_text(encoding="utf-8")


def test_every_package_of_every_lock_has_a_line_with_its_licence() -> None:
    locks = [REPOSITORY / "requirements.lock", *REPOSITORY.glob("containers/*/requirements*.lock")]
    lines = [line for path in locks for line in path.read_text(encoding="utf-8").splitlines()]
    pins = {tuple(line.split()[0].split("==")) for line in lines if re.match(r"\w[\w.-]*==", line)}
    told = {(name, version): licence.strip() for name, version, licence in notice_page.ROW.findall(NOTICE)}

    assert pins | set(notice_page.bundled()) == set(told), (
        "python -m tasks.commands.notice_page > new && mv new NOTICE.md"
    )
    assert {name.partition("-")[0] for (name, _), licence in told.items() if licence == notice_page.UNKNOWN} <= {
        "cuda", "nvidia",
    }  # fmt: skip


def test_the_bundled_page_carries_the_licences_of_what_it_holds() -> None:
    script = (REPOSITORY / "containers/explorer/page/explorer.js").read_text(encoding="utf-8")
    texts = script.partition("*/")[0]

    assert {f"{name} {version}" for name, version in notice_page.bundled()} <= set(texts.splitlines())
    assert texts.count("MIT") > 8


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License-Expression": "MIT", "License": "long"}, "MIT"),
        ({"License": "BSD\nRedistribution and use"}, "BSD"),
        ({"License": "x" * 200}, ""),
        ({}, ""),
    ],
    ids=["expression", "first_line", "whole_text", "nothing"],
)
def test_a_licence_is_what_the_package_says_in_short(said: dict[str, str], licence: str) -> None:
    assert notice_page._licence(said, []) == licence


@pytest.mark.parametrize("name", ["fault.yml", "results.yml", "wish.yml"])
def test_a_form_for_issues_asks_for_doctor(name: str) -> None:
    form = yaml.safe_load((REPOSITORY / ".github/ISSUE_TEMPLATE" / name).read_text(encoding="utf-8"))
    asked = [field["attributes"]["label"] for field in form["body"] if field["type"] == "textarea"]

    assert {"name", "description", "body"} <= set(form)
    assert any("platewright doctor --json" in label for label in asked)

"""show, status and plan tell of the explorer; the demo prepares its image only if asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.commands import demo, show
from tasks.dataset.layout import Layout
from tasks.planning import cost_model
from tasks.results import manifest
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, make_manifest

Verb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    """Return a function that runs a verb as a person types it; it returns the exit code, and what was printed."""

    def act(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", *words])
        capsys.readouterr()
        code = command.main()
        return code, *capsys.readouterr()

    return act


@pytest.fixture
def made(luigi_cfg: LoadSettings) -> Layout:
    """A batch with an explorer, of a plate."""
    layout = luigi_cfg("")
    lay_plate(layout)
    for stage, subject, name in (("explore", BATCH, "index.html"), ("explore_plate", PLATE, f"{PLATE}_plate.js")):
        folder = layout.published("explorer" if stage == "explore" else "explorer_plates", BATCH, subject)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
        path = layout.manifest(stage, BATCH, subject)
        path.parent.mkdir(parents=True, exist_ok=True)
        output = {"index" if stage == "explore" else "page": folder / name}
        manifest.write(path, make_manifest(output, layout.root, stage, plate=subject))
    return layout


def test_show_prints_the_address_and_opens_it_where_there_is_a_screen(
    made: Layout, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(show.webbrowser, "open", opened.append)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    address = (made.published("explorer", BATCH, "any") / "index.html").resolve().as_uri()

    assert verb("show", "--batch-id", BATCH) == (0, f"{address}\n", "")
    assert opened == ([address] if sys.platform in ("darwin", "win32") else [])
    monkeypatch.setenv("DISPLAY", ":0")
    assert verb("show", "--plate", PLATE, "--well", "A01")[1] == f"{address}#view=plate&plate={PLATE}&well=A01\n"
    assert opened[-1] == f"{address}#view=plate&plate={PLATE}&well=A01"
    told = json.loads(verb("show", "--json")[1])
    assert told == {"batch": BATCH, "page": str(made.published("explorer", BATCH, "any") / "index.html")} | {
        "address": address
    }


def test_show_says_how_an_explorer_is_made_that_is_not_there(luigi_cfg: LoadSettings, verb: Verb) -> None:
    lay_plate(luigi_cfg(""))

    code, _, said = verb("show", "--batch-id", BATCH)
    assert code == 1
    assert f"luigi --module tasks Explorer --batch-id {BATCH}" in said
    assert "no batch has an explorer yet" in verb("show")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plate", "P9"), "P9"),
        (("--well", "A01"), "of which plate"),
        (("--batch-id", "other"), "other"),
    ],
)
def test_show_refuses_what_there_is_not(made: Layout, verb: Verb, words: tuple[str, ...], said: str) -> None:
    code, printed, error = verb("show", *words)

    assert (code, printed) == (1, "")
    assert said in error


def test_show_and_status_tell_the_explorers_of_other_sets_apart(made: Layout, verb: Verb) -> None:
    folder = made.published("explorer_sets", BATCH, "few")
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("x")
    given = make_manifest({"index": folder / "index.html"}, made.root, "explore", plate="few")
    manifest.write(made.manifest("explore", BATCH, "few"), given)

    assert "/sets/few/index.html" in verb("show", "--batch-id", BATCH, "--plate-set", "few")[1]
    assert "/sets/" not in verb("show", "--batch-id", BATCH)[1]
    assert "no plate set 'lost'" in verb("show", "--batch-id", BATCH, "--plate-set", "lost")[2]
    assert f"show --batch-id {BATCH} --plate-set few" in " ".join(verb("status")[1].split())


def test_status_says_where_the_explorer_is(made: Layout, verb: Verb) -> None:
    _, printed, _ = verb("status")

    assert f"python -m tasks show --batch-id {BATCH}" in printed.replace("\n", "")


def test_a_plan_tells_the_explorers_files_and_megabytes_a_plate(luigi_cfg: LoadSettings, verb: Verb) -> None:
    known = ("--batch-id", "2020_11_04_CPJUMP1", "--plates", "BR00117013")
    luigi_cfg("")
    _, without, _ = verb("plan", *known)
    _, printed, _ = verb("plan", *known, "--explorer")
    luigi_cfg("[explorer]\nwith_batch = true\nsites = 2\n")
    more = json.loads(verb("plan", *known, "--json")[1])["lines"]

    assert "explore" not in without
    assert f"the explorer has about {384 * 19:,} files and " in printed
    (line,) = [line for line in more if line["stage"] == "explore_plate"]
    assert line["cost"]["files"] == 384 * 29


def test_what_the_explorer_shows_decides_its_size() -> None:
    size = cost_model.PlateSize(27_648, 0, 3456, 384, 8, 1080, 1080, 145, True)
    one = cost_model.of_stage("explore_plate", size)
    shown = {
        "sites": cost_model.of_stage("explore_plate", cost_model.replace(size, shown_sites=9)),
        "cells": cost_model.of_stage("explore_plate", cost_model.replace(size, shown_cells=0)),
    }

    # A picture a site and channel, two outlines a site; a sheet a well and channel; a script a well.
    assert one.files == 384 * (8 + 2 + 8 + 1)
    assert shown["sites"].files == 384 * (9 * 10 + 8 + 1)
    assert shown["cells"].files == 384 * (10 + 1)
    assert shown["cells"].bytes < one.bytes < shown["sites"].bytes


def test_the_demo_makes_the_explorers_environment_only_if_it_is_to_be_made(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    assert demo._images("cellprofiler", PLATE) == ["benchmark", "cellprofiler", "gallery", "pycytominer"]
    assert "explorer" not in demo._images("cellprofiler", PLATE)
    luigi_cfg("[explorer]\nwith_batch = true\n")
    assert "explorer" in demo._images("cellprofiler", PLATE)


def test_a_screen_is_told_by_what_opens_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(show.sys, "platform", "linux")
    assert not show.has_screen()
    monkeypatch.setenv("BROWSER", "firefox")
    assert show.has_screen()
    monkeypatch.delenv("BROWSER")
    monkeypatch.setattr(show.sys, "platform", "darwin")
    assert show.has_screen()

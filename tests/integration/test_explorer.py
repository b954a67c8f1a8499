"""The explorer of a plate as a user makes it: from the plate's results to a folder that holds together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from data.demo.plan import BATCH, CHANNELS, FOUR_WELLS, PLATES
from tests.integration.toolkit import Toolkit

MADE = ("load_data", "illumination", "measure", "aggregate", "annotate", "normalize", "normalize_negcon")
NAMED = re.compile(r'"((?:images|outlines|cells)/[^"]+\.(?:jpg|png))"')


def value(path: Path) -> object:
    """Return the value that a script gives the page."""
    return json.loads(f"[{path.read_text().removeprefix('explorer.add(').removesuffix(');' + chr(10))}]")[1]


@pytest.fixture(scope="module")
def explored(cut, tmp_path_factory) -> Toolkit:
    toolkit = Toolkit(tmp_path_factory.mktemp("explored"), "process")
    toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
    toolkit.lay_results(cut[0], *MADE, "select_features_negcon")
    done = toolkit.luigi("Explorer", "--batch-id", BATCH, "--plates", f'["{PLATES[0]}"]')
    assert done.returncode == 0, done.stdout + done.stderr
    return toolkit


def test_every_file_that_the_pages_name_lies_there(explored: Toolkit) -> None:
    whole = explored.dataset / "workspace/explorer" / BATCH
    folder, plate = whole / "sets" / PLATES[0], whole / "plates" / PLATES[0]
    scripts = [plate / f"{PLATES[0]}_plate.js", *sorted((plate / "cells").glob("*.js"))]
    named = {name for path in scripts for name in NAMED.findall(path.read_text())}
    there = {path.relative_to(plate).as_posix() for path in plate.rglob("*.*") if path.suffix in (".jpg", ".png")}

    # A picture and a sheet a well and channel, two outlines a well.
    assert named == there
    assert len(named) == len(FOUR_WELLS) * (2 * len(CHANNELS) + 2)
    assert {path.name for path in folder.iterdir()} == {
        "index.html", "explorer.js", "explorer.css", "batch.js", "map.js", "features.js",
    }  # fmt: skip
    shown = value(folder / "batch.js")["plates"]  # type: ignore[index]
    assert [(folder / each["folder"]).resolve() for each in shown] == [plate.resolve()]
    assert sorted(value(folder / "map.js")["well"]) == sorted(FOUR_WELLS)  # type: ignore[index]


def test_show_names_the_page_and_nothing_is_made_again(explored: Toolkit) -> None:
    before = explored.published()
    again = explored.luigi("Explorer", "--batch-id", BATCH, "--plates", f'["{PLATES[0]}"]')
    told = json.loads(explored.tasks("show", "--plate", PLATES[0], "--well", FOUR_WELLS[0], "--json").stdout)

    assert again.returncode == 0
    assert explored.published() == before
    assert Path(told["page"]).is_file()
    assert told["address"].endswith(f"#view=plate&plate={PLATES[0]}&well={FOUR_WELLS[0]}")

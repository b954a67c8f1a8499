"""The bundle of the explorer's page that is committed is what its sources and its lock make."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.dataset.layout import CONTAINERS

SOURCES, BUNDLE = CONTAINERS / "explorer" / "web", CONTAINERS / "explorer" / "page"


@pytest.mark.engine("npm")
def test_the_sources_are_well_typed_and_make_the_bundle_that_is_committed(tmp_path: Path) -> None:
    web, made = tmp_path / "web", tmp_path / "page"
    shutil.copytree(SOURCES, web, ignore=shutil.ignore_patterns("node_modules"))
    for words in (
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
        ["npm", "run", "check"],
        ["node", "build.mjs", str(made)],
    ):
        done = subprocess.run(words, cwd=web, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"
    names = {path.name for path in BUNDLE.iterdir()}

    assert names == {path.name for path in made.iterdir()} == {"index.html", "explorer.js", "explorer.css"}
    for name in names:
        assert (made / name).read_bytes() == (BUNDLE / name).read_bytes(), (
            f"{name}: cd {SOURCES}; npm ci; npm run build"
        )

"""Where the toolkit's files lie: in a clone all beside each other, in a wheel nothing is written where it lies."""

from __future__ import annotations

import subprocess
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.commands import equivalent
from tasks.dataset import layout, toolkit
from tasks.errors import SettingsError
from tasks.runtime.images import images, wheels


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Lay what a wheel has; return the folder that Python finds its packages in."""
    (tmp_path / "site" / toolkit.INSIDE).mkdir(parents=True)
    return tmp_path / "site"


def test_a_clone_writes_where_it_lies(tmp_path: Path) -> None:
    found = toolkit.found(tmp_path, {"XDG_CACHE_HOME": "/elsewhere"})

    assert found == toolkit.Toolkit(tmp_path, tmp_path / ".environments", tmp_path / "containers/images.lock", None)
    assert not found.is_installed


def test_a_wheel_writes_to_the_users_cache_folder(installed: Path, tmp_path: Path) -> None:
    found = toolkit.found(installed, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    written = [found.environments, found.images_lock, found.fetched_wheels]

    assert found.is_installed
    assert found.files == installed / "platewright/toolkit"
    assert all(path is not None and path.is_relative_to(tmp_path / "cache/platewright") for path in written)


@pytest.mark.parametrize(
    "given", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "here"}], ids=["no", "empty", "relative"]
)
def test_without_an_absolute_folder_the_cache_lies_below_the_users_home(
    given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert toolkit.cache(given) == tmp_path / ".cache/platewright"


@pytest.fixture
def from_wheel(containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the toolkit be one from a wheel; return where it lays wheels that it fetched."""
    fetched = tmp_path / "cache/wheels"
    monkeypatch.setattr(layout, "TOOLKIT", replace(layout.TOOLKIT, fetched_wheels=fetched))
    return fetched


def test_an_image_is_built_from_a_copy_that_holds_its_fetched_wheels(from_wheel: Path, containers: Path) -> None:
    (from_wheel / "easel").mkdir(parents=True)
    (from_wheel / "easel/oil-1+cpu.whl").write_text("wheel")
    with wheels.context("easel") as context:
        recipe = (context / "easel/Dockerfile").read_text()
        names = [path.name for path in (context / "easel/wheels").iterdir()]

    assert (recipe, names) == ((containers / "easel/Dockerfile").read_text(), ["oil-1+cpu.whl"])
    assert not (containers / "easel/wheels").exists()
    assert not context.exists()


def test_an_image_without_fetched_wheels_is_built_from_its_own_folder(from_wheel: Path, containers: Path) -> None:
    with wheels.context("easel") as context:
        assert context == containers


def test_images_of_a_wheel_bear_no_revision_of_the_project_around_it(
    from_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess([], 0, "of another project", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    assert "REVISION=unknown" in images.build_options("easel", {})


def test_no_table_of_equivalent_programs_is_written_into_a_wheel(from_wheel: Path) -> None:
    with pytest.raises(SettingsError, match="in a clone"):
        equivalent.act(Namespace(stage="all", batch_id="B", plate="", check=False, json=False))

"""An image is run only if it was built from the recipe that is here; each refusal says what to type."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tasks.definitions import recipes
from tasks.errors import EngineError, RecipeError
from tasks.runtime.images import images
from tests.unit.conftest import forget

BUILD = "type: python -m tasks images build"
DIGEST = "sha256:0123456789abcdef"


def labels(reference: str) -> dict[str, str] | None:
    return {images.RECIPE_LABEL: recipes.recipe_hash("easel")} if reference == DIGEST else None


@pytest.fixture
def locked(containers: Path) -> Path:
    images.write_lock("easel", DIGEST)
    return containers


def test_an_image_that_was_built_here_is_run_by_its_digest(locked: Path) -> None:
    assert images.checked_reference("easel", labels) == DIGEST


def test_an_image_that_is_not_in_the_lock_is_refused(containers: Path) -> None:
    with pytest.raises(EngineError, match=f"{BUILD} easel"):
        images.checked_reference("easel", labels)


def test_an_image_of_another_recipe_is_refused(locked: Path) -> None:
    (locked / "easel/paint.py").write_text("changed = True\n")
    forget()

    with pytest.raises(RecipeError, match=f"another recipe than the one here.*{BUILD} easel"):
        images.checked_reference("easel", labels)


def test_an_image_that_the_engine_does_not_have_is_refused(locked: Path) -> None:
    with pytest.raises(RecipeError, match=f"{DIGEST[:19]} of images.lock is not in the engine.*{BUILD} easel"):
        images.checked_reference("easel", lambda reference: None)


@pytest.mark.parametrize("found", [{}, {images.RECIPE_LABEL: "another"}], ids=["none", "another"])
def test_an_image_without_this_recipes_label_is_refused(locked: Path, found: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=f"{DIGEST[:19]} does not bear this recipe's label.*{BUILD} easel"):
        images.checked_reference("easel", lambda reference: found)


def test_locking_an_image_keeps_the_others(locked: Path) -> None:
    lock = json.loads((locked / "images.lock").read_text())
    (locked / "images.lock").write_text(json.dumps({"other": {"recipe": "r", "digest": "d"}, **lock}))
    images.write_lock("easel", "sha256:new")

    assert images.read_lock() == {
        "other": {"recipe": "r", "digest": "d"},
        "easel": {"recipe": recipes.recipe_hash("easel"), "digest": "sha256:new"},
    }


def test_what_is_no_image_of_this_recipe_is_not_pushed(locked: Path) -> None:
    with pytest.raises(RecipeError, match=f"of the variant without a name; {BUILD} easel --variant cuda"):
        images.push("easel", "ghcr.io/lab", "cuda")
    (locked / "easel/paint.py").write_text("changed = True\n")
    forget()

    with pytest.raises(RecipeError, match=f"of another recipe; {BUILD} easel"):
        images.push("easel", "ghcr.io/lab")


def arguments(words: list[str]) -> dict[str, str]:
    pairs = [word for option, word in zip(words, words[1:], strict=False) if option == "--build-arg"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_a_build_starts_from_the_pinned_base_and_bears_its_recipe(containers: Path) -> None:
    words = images.build_options("easel", {})

    assert arguments(words)["BASE"] == recipes.bases()["python-3.11"]
    assert "@sha256:" in arguments(words)["BASE"]
    assert f"{images.RECIPE_LABEL}={recipes.recipe_hash('easel')}" in words
    assert words[words.index("--tag") + 1] == "platewright/easel:local"
    assert words[words.index("--file") + 1] == str(containers / "easel/Dockerfile")


def test_a_base_that_was_given_takes_the_place_of_the_public_one(containers: Path) -> None:
    words = images.build_options("easel", {"python-3.11": "mine:1", "python-3.9": "other:1"})

    assert arguments(words)["BASE"] == "mine:1"


BUILDER = """#!/bin/sh
# A docker whose builds end only when two of them have begun; that of the palette fails.
while [ $# -gt 0 ]; do
    case "$1" in --iidfile) identity="$2" ;; --tag) name="$2" ;; esac
    shift
done
touch "$BEGUN/$$"
for tenth in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$(ls "$BEGUN" | wc -l)" -ge 2 ] && break
    sleep 0.1
done
[ "$(ls "$BEGUN" | wc -l)" -ge 2 ] || { echo "built alone"; exit 3; }
echo "layers of $name"
case "$name" in *palette*) exit 1 ;; esac
printf 'sha256:built' >"$identity"
"""


def test_images_are_built_side_by_side_and_only_a_build_that_fails_is_shown(
    containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(containers / "easel", containers / "palette")
    forget()
    begun, tools = tmp_path / "begun", tmp_path / "bin"
    begun.mkdir()
    tools.mkdir()
    (tools / "docker").write_text(BUILDER)
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("BEGUN", str(begun))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    with pytest.raises(EngineError, match="'palette' could not be built"):
        images.build_all(["palette", "easel"], {}, jobs=2)

    said = capfd.readouterr()
    assert images.read_lock()["easel"]["digest"] == "sha256:built"
    assert "palette" not in images.read_lock()
    assert "layers of platewright/palette:local" in said.err
    assert "layers of platewright/easel:local" not in said.err + said.out

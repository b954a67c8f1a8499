"""What an image is made of and what a stage runs: the hash of each changes with its own files only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tests.unit.conftest import forget


def hashes() -> dict[str, str]:
    forget()
    return {
        "environment": recipes.environment_hash("easel"),
        "recipe": recipes.recipe_hash("easel"),
        "paint": recipes.program_hash(stages.load()["paint"]),
        "frame": recipes.program_hash(stages.load()["frame"]),
    }


CHANGES = {
    "easel/paint.py": {"recipe", "paint"},
    "easel/frame.py": {"recipe", "frame"},
    "easel/colours.py": {"recipe", "paint"},
    "easel/pigments.py": {"recipe", "paint"},
    "easel/native/brush.c": {"environment", "recipe"},
    "easel/plugins/varnish.py": {"recipe", "frame"},
    "easel/plugins/inner/gloss.py": {"recipe", "frame"},
    "easel/templates/label.html": {"recipe", "frame"},
    "easel/Dockerfile": {"environment", "recipe"},
    "easel/requirements.lock": {"environment", "recipe"},
    "easel/image.toml": {"environment", "recipe"},
    "stagekit/program.py": {"recipe", "paint", "frame"},
    "stagekit/contracts.py": {"recipe"},
    "stagekit/requirements.lock": {"recipe"},
    "stagekit/requirements.in": set(),
    "batch_agent/element.py": {"recipe"},
    "toolbox/brushes.py": {"recipe", "paint"},
    "toolbox/rags.py": set(),
    "easel/notes.md": set(),
    "bases.toml": set(),
}


@pytest.mark.parametrize(("name", "stale"), CHANGES.items(), ids=CHANGES)
def test_a_changed_file_changes_the_hashes_of_what_it_is_part_of(containers: Path, name: str, stale: set[str]) -> None:
    before = hashes()
    with open(containers / name, "a") as file:
        file.write("\n# changed\n")
    after = hashes()

    assert {kind for kind in before if before[kind] != after[kind]} == stale


def test_another_base_is_another_environment(containers: Path) -> None:
    before = hashes()
    table = containers / "bases.toml"
    table.write_text(table.read_text().replace("@sha256:", "@sha256:0"))
    after = hashes()

    assert {kind for kind in before if before[kind] != after[kind]} == {"environment", "recipe"}


def test_a_pipeline_that_an_image_holds_is_part_of_its_recipe(containers: Path) -> None:
    before = hashes()
    (containers / "easel/pipelines").mkdir()
    (containers / "easel/pipelines/own.cppipe").touch()

    assert hashes() == {**before, "recipe": hashes()["recipe"]}
    assert hashes()["recipe"] != before["recipe"]


def test_modules_that_import_each_other_are_hashed(containers: Path) -> None:
    (containers / "easel/pigments.py").write_text("import colours\n")
    before = hashes()
    (containers / "easel/pigments.py").write_text("import colours  # again\n")

    assert hashes()["paint"] != before["paint"]


def test_the_line_that_brings_the_agent_is_no_part_of_the_environment(containers: Path) -> None:
    dockerfile = containers / "easel/Dockerfile"
    before, lines = hashes(), dockerfile.read_text().splitlines(keepends=True)
    dockerfile.write_text("".join(line for line in lines if not line.startswith("COPY batch_agent/")))
    without = hashes()
    dockerfile.write_text("".join(lines[:-1]))

    assert {kind for kind in before if before[kind] != without[kind]} == {"recipe"}
    assert hashes()["environment"] != before["environment"]


def test_every_image_of_stages_holds_the_agent_and_no_program_imports_it() -> None:
    forget()
    lines = {name: (layout.CONTAINERS / name / "Dockerfile").read_bytes() for name in stages.stage_images()}
    counted = {name: recipes.program_files(stage) for name, stage in stages.load().items()}

    assert [name for name, text in lines.items() if not recipes.AGENT_LINE.search(text)] == []
    assert [name for name, files in counted.items() if any(file.parent.name == "batch_agent" for file in files)] == []


def test_touching_a_file_changes_no_hash(containers: Path) -> None:
    before = hashes()
    (containers / "easel/paint.py").touch()

    assert hashes() == before

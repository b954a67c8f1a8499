"""What to cite is told for the stages that were used: what their programs import, and Platewright first."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tasks.commands import verbs
from tasks.dataset.layout import REPOSITORY, Layout
from tasks.definitions import citations, stages
from tests.unit.fakes import BATCH

TABLE = tomllib.loads((REPOSITORY / "data/citations.toml").read_text(encoding="utf-8"))["work"]
SCIENCE = ("cellprofiler_core", "pycytominer", "copairs", "umap", "deepprofiler", "efficientnet", "torch", "tensorflow")
"""Modules whose authors ask to be cited: a program that imports one has a work."""


def imports(path: Path) -> set[str]:
    """Return what a program imports itself, by its lines."""
    return set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("stage", stages.load().values(), ids=lambda stage: stage.name)
def test_a_program_that_imports_a_library_of_the_field_has_something_to_cite(stage: stages.Stage) -> None:
    needed = imports(stage.program_path) & {*SCIENCE}

    assert bool(needed) <= (len(citations.of([stage.name])) > 1)


def test_every_stage_that_the_table_names_is_there_and_every_text_ends_with_an_address() -> None:
    named = {name for work in TABLE for name in work.get("stages", ())}

    assert named <= set(stages.load())
    assert [
        work["name"] for work in TABLE if not re.search(r" https://(doi\.org/10\.|arxiv\.org/abs/)\S+$", work["text"])
    ] == []


def test_every_work_is_cited_for_some_stage() -> None:
    assert [work.name for work in citations.of(list(stages.load()))][1:] == [work["name"] for work in TABLE]


def test_the_profiles_of_a_plate_are_not_cited_for_deep_features() -> None:
    names = [work.name for work in citations.of(["measure", "normalize", "a_stage_that_is_no_more"])]

    assert names[:3] == ["Platewright", "CellProfiler 4", "pycytominer"]
    assert not any("Deep" in name or "PyTorch" in name for name in names)


@pytest.fixture
def cited(load_data_made: Layout, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Ask what to cite for a batch of which load_data was made."""
    args = verbs.parser().parse_args(["provenance", "--batch-id", BATCH, "--cite", "--json"])

    assert verbs.VERBS["provenance"].act(args) == 0
    assert list(load_data_made.provenances()) == []
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_names_the_stages_of_a_batch_and_writes_nothing(cited: list[dict[str, object]]) -> None:
    assert [(work["name"], work["stages"]) for work in cited] == [("Platewright", ["load_data"])]


def test_the_citation_file_has_this_version_and_what_it_needs() -> None:
    cff = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"cff-version", "message", "title", "authors"} <= set(cff)
    assert (cff["version"], cff["license"], cff["title"]) == (project["version"], "BSD-3-Clause", "Platewright")

"""The stage tables, the graph, compose.yaml and the programs agree with each other; a bad table is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import luigi
import pytest
import yaml
from luigi.task import flatten

from tasks.dataset import layout as layouts
from tasks.dataset.plate_groups import Group
from tasks.definitions import recipes, stages
from tasks.errors import DefinitionError
from tasks.stage_tasks.plate import ProvidedTask
from tasks.stage_tasks.stage import Staged
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, make_run, make_task

STAGES = sorted(stages.load())
TASKS = pipeline.stage_tasks()
JOINING = {"gene_compound_matching", "tabulate", "figures", "compare_features"}
SEVERAL = {**dict.fromkeys(JOINING, 2), "explore_plate": 3, "anndata": 3}
"""How many files of a name a stage is offered: one of each of two groups, or of each step of a plate's profiles."""

OPTIONAL = {"blocklist", "planes", "labels", "masks"}
"""Offered only if luigi.cfg names one, or the plate was added with one; so are the single cells of AnnData."""

COLUMNS = {
    "import_wells": ("plate", "well", "perturbation", "dose", "control"),
    "import_cells": ("plate", "well", "site"),
}
"""For what a program has a flag --<role>_column, which it names by a loop."""


def classes() -> list[type[Staged]]:
    found = [value for value in vars(pipeline).values() if isinstance(value, type) and issubclass(value, Staged)]
    return [task for task in found if hasattr(task, "stage")]


def make(name: str) -> Staged:
    """Return a stage's task; of a stage that joins groups of plates, with two of them."""
    if name not in JOINING:
        return make_task(TASKS[name])
    two = [Group("c", (PLATE,), {"Description": "c", "Modality": "compound"})]
    two += [Group("g", ("P2",), {"Description": "g", "Modality": "orf"})]
    return TASKS[name](batch_id=BATCH, plate=PLATE, groups=[group.value() for group in two])


def offered(task: luigi.Task) -> list[str]:
    return [task.name] if isinstance(task, ProvidedTask) else list(task.definition.outputs)


def test_every_stage_has_one_task_and_one_compose_service() -> None:
    services = yaml.safe_load((layouts.REPOSITORY / "compose.yaml").read_text())["services"]

    assert sorted(task.stage for task in classes()) == STAGES
    assert sorted(services.keys() - {"luigid"}) == [name.replace("_", "-") for name in STAGES]


@pytest.mark.parametrize("name", STAGES)
def test_the_image_of_every_stage_has_a_recipe(name: str) -> None:
    image = stages.images()[stages.load()[name].image]

    assert (image.folder / "Dockerfile").is_file()
    assert image.locks
    assert image.base in recipes.bases()


def test_every_public_base_is_pinned_by_digest() -> None:
    pinned = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")

    assert [base for base in recipes.bases().values() if not pinned.fullmatch(base)] == []


def offers_of(task: Staged) -> Counter[str]:
    """Return how often each name is offered to a task."""
    offers = Counter(output for required in flatten(task.requires()) for output in offered(required))
    offers.update(task.spec().files.keys())
    return offers


@pytest.mark.parametrize("name", sorted({*STAGES} - {"aggregate", "locate_cells", "report"}))
def test_every_input_of_a_stage_is_offered_once(name: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    task = make(name)
    offers = offers_of(task)
    most = SEVERAL.get(name, 1)

    asked = {*task.definition.inputs} - OPTIONAL - ({"cells"} if name == "anndata" else set())
    assert [name for name in asked if not 1 <= offers[name] <= most] == []


@pytest.mark.parametrize("source", ["analysis", "backend", "cells"])
def test_the_cells_to_aggregate_are_offered_once_wherever_they_are_to_come_from(source: str) -> None:
    task = pipeline.Aggregate(batch_id=BATCH, plate=PLATE, source=source)

    assert offers_of(task)[source] == 1
    assert {*task.definition.inputs} == {"analysis", "backend", "cells"}


@pytest.mark.parametrize("name", STAGES)
def test_a_task_requires_only_what_its_stage_reads(name: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    task = make(name)
    useless = [
        required for required in flatten(task.requires()) if not {*offered(required)} & {*task.definition.inputs}
    ]

    assert useless == []
    assert set(task.spec().files) <= set(task.definition.inputs)


@pytest.mark.parametrize("name", STAGES)
def test_a_job_says_the_flags_that_its_program_requires(name: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    task = make_task(TASKS[name])
    inputs = {name: [] for name in task.definition.inputs}
    given = {**task.spec().parameters, **task.job_spec().flags}
    flags = tuple(word for name, value in given.items() for word in (f"--{name}", value))
    run = make_run(Path("/runs"), task.definition, **inputs)
    said = {word for word in (*run.jobs()[0].words, *flags) if word.startswith("--")} - {"--method"}
    said |= {"--method"} & {*flags}
    program = task.definition.program_path
    sources = [path.read_text() for path in recipes._imported(program, {program})]
    known = {flag for text in sources for flag in re.findall(r"add_argument\(\s*\"(--\w+)\"", text)}
    known |= {f"--{role}_column" for role in COLUMNS.get(name, ())}
    if not task.definition.sharded:
        known -= {"--shard"}  # of a module that sharded stages share

    assert said == known


@pytest.mark.parametrize("name", [name for name, stage in stages.load().items() if stage.afar])
def test_a_program_that_reads_from_afar_opens_folders_wherever_they_are(name: str) -> None:
    program = stages.stage(name).program_path

    assert layouts.CONTAINERS / "stagekit/afar.py" in recipes._imported(program, {program})


def test_no_two_stages_publish_the_same_path() -> None:
    paths = [(stage.folder, path) for stage in stages.load().values() for path in stage.outputs.values()]

    assert [path for path, count in Counter(paths).items() if count > 1] == []


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DefinitionError, match=r"there is no stage 'measures'; known: aggregate, "):
        stages.stage("measures")


def drop(key: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"(?m)^{key} = .*\n", "", text, count=1)


def put(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


BAD_TABLES = {
    "unknown key": (put("network = false", "network = false\ncolour = 1"), r"stages.toml \[paint\].*unknown.*'colour'"),
    "missing key": (drop("folder"), r"stages.toml \[paint\]: missing keys \['folder'\]"),
    "missing resource": (put(", gpus = 0 }", " }"), r"\[paint resources\]: missing keys \['gpus'\]"),
    "unknown resource": (put("gpus = 0", "gpus = 0, disk = 1"), r"\[paint resources\].*'disk'"),
    "unknown unit": (put('unit = "plate"', 'unit = "cell"'), r"\[paint\]: there is no unit 'cell'; known: .*plate"),
    "unknown folder": (put('= "profiles"\n', '= "x"\n'), r"\[paint\]: there is no folder 'x'; known: analysis"),
    "missing program": (put("paint.py", "brush.py"), r"\[paint\]: there is no program 'brush.py' beside it"),
    "contract of no output": (put('{ picture = "prof', '{ x = "prof'), r"\[paint\]: there is no output 'x'"),
    "unknown contract": (put('= "profiles" }', '= "x" }'), r"\[paint\]: there is no contract 'x'; known: .*load_data"),
    "from afar what is no input": (put("network", 'afar = ["x"]\nnetwork'), r"\[paint\]: there is no input 'x'"),
    "no TOML": (put("[paint]", "[paint"), r"stages.toml: .*line"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_bad_stage_table_is_refused_by_name(containers: Path, spoil: Callable[[str], str], said: str) -> None:
    table = containers / "easel/stages.toml"
    table.write_text(spoil(table.read_text()))

    with pytest.raises(DefinitionError, match=said):
        stages.load()


def test_the_tables_that_the_bad_ones_are_made_from_are_good(containers: Path) -> None:
    assert list(stages.load()) == ["paint", "frame"]


def test_a_stage_that_two_images_define_is_refused(containers: Path) -> None:
    (containers / "studio").mkdir()
    (containers / "studio/stages.toml").write_text((containers / "easel/stages.toml").read_text())
    for program in ("paint.py", "frame.py"):
        (containers / "studio" / program).touch()

    with pytest.raises(DefinitionError, match=r"studio/stages.toml: the stage 'paint' is defined in easel too"):
        stages.load()


def test_a_bad_image_table_is_refused_by_name(containers: Path) -> None:
    (containers / "easel/image.toml").write_text('summary = "x"\nbase = "y"\npythn = "3"\n')

    with pytest.raises(
        DefinitionError, match=r"image.toml \[easel\]: missing keys \['python'\], unknown keys \['pythn'\]"
    ):
        stages.images()

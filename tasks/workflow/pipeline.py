"""The whole graph: every task, so that `luigi --module tasks` finds it, and what luigi.cfg may say of each.

The edges are in `inputs` (what a person provides, or what is fetched), `import_images` (other forms to plain images),
`import_tables` (other programs' wells and cells to ours), `anndata` (profiles to h5ad),
`image_analysis` (images to single cells), `profiles` (single cells to profiles), `deep_profiles` (single cells to deep
profiles), `benchmark` (profiles to figures), `explorer`, `report`, and `run_plate_and_batch` (what a person asks for).
"""

from __future__ import annotations

import luigi
from luigi.task import flatten

from tasks.stage_tasks import start
from tasks.stage_tasks.fetch import FetchTask
from tasks.stage_tasks.stage import Staged, StageTask
from tasks.workflow.anndata import *  # noqa: F403
from tasks.workflow.benchmark import *  # noqa: F403
from tasks.workflow.deep_profiles import *  # noqa: F403
from tasks.workflow.explorer import *  # noqa: F403
from tasks.workflow.image_analysis import *  # noqa: F403
from tasks.workflow.import_images import *  # noqa: F403
from tasks.workflow.import_tables import *  # noqa: F403
from tasks.workflow.inputs import *  # noqa: F403
from tasks.workflow.profiles import *  # noqa: F403
from tasks.workflow.report import *  # noqa: F403
from tasks.workflow.run_benchmark import *  # noqa: F403
from tasks.workflow.run_plate_and_batch import *  # noqa: F403
from tasks.workflow.tuning import *  # noqa: F403


def _classes() -> list[type[luigi.Task]]:
    return [value for value in globals().values() if isinstance(value, type) and issubclass(value, luigi.Task)]


def stage_tasks() -> dict[str, type[Staged]]:
    """Return the class of every stage."""
    return {task.stage: task for task in _classes() if issubclass(task, Staged) and hasattr(task, "stage")}


def stages_of_plate(batch: str, plate: str, start_from: str) -> list[str]:
    """Return the stages that make all of a plate, in an order in which they can run; what only fetches is left out."""
    found: dict[str, None] = {}

    def visit(task: object) -> None:
        for required in flatten(task.requires()):  # type: ignore[attr-defined]
            visit(required)
        if isinstance(task, StageTask) and not isinstance(task, FetchTask):
            found[task.stage] = None

    visit(RunPlate(batch_id=batch, plate=plate, start_from=start_from))  # noqa: F405
    return list(found)


def stage_settings() -> dict[str, dict[str, luigi.Parameter]]:
    """Return the settings that luigi.cfg may hold for every stage: section -> name -> parameter."""
    return start.stage_settings(_classes())

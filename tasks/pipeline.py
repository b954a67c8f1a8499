"""The whole graph: every task, so that `luigi --module tasks` finds it, and what luigi.cfg may say of each.

The edges stand in `sources` (what lies there or is fetched), `measuring` (images to single cells), `profiling` (single
cells to profiles), `deep` (single cells to deep profiles), `benchmark` (profiles to figures), `report`, and `runs`
(what a person asks for).
"""

from __future__ import annotations

import luigi

from tasks.benchmark import *  # noqa: F403
from tasks.deep import *  # noqa: F403
from tasks.measuring import *  # noqa: F403
from tasks.profiling import *  # noqa: F403
from tasks.report import *  # noqa: F403
from tasks.run_benchmark import *  # noqa: F403
from tasks.runs import *  # noqa: F403
from tasks.sources import *  # noqa: F403
from tasks.stage_task import Staged


def _classes() -> list[type[luigi.Task]]:
    return [value for value in globals().values() if isinstance(value, type) and issubclass(value, luigi.Task)]


def stage_tasks() -> dict[str, type[Staged]]:
    """Return the class of every stage."""
    return {task.stage: task for task in _classes() if issubclass(task, Staged) and hasattr(task, "stage")}


def stage_settings() -> dict[str, dict[str, luigi.Parameter]]:
    """Return the settings that luigi.cfg may hold for every stage: section -> name -> parameter."""
    sections: dict[str, dict[str, luigi.Parameter]] = {stage: {} for stage in stage_tasks()}
    for task in _classes():
        for _, parameter in task.get_params():
            place = getattr(parameter, "_config_path", None)
            if place:
                sections.setdefault(place["section"], {})[place["name"]] = parameter
    return sections

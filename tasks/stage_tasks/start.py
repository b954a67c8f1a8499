"""The start of a run: what is done before the first task is made, and not when `tasks` is imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import luigi
from luigi import configuration
from luigi.cmdline_parser import CmdlineParser

from tasks.errors import StageError
from tasks.settings import checks, luigi_sections, settings
from tasks.stage_tasks import console

EXIT_SETTINGS = 2


class Started(luigi.Task):
    """A task that starts the run when it is the first one to be made."""

    @classmethod
    def get_param_values(cls, params: Collection[Any], args: Collection[Any], kwargs: dict[str, Any]) -> Any:
        """Start the run before a parameter is read from luigi.cfg; then return the parameters' values."""
        try:
            begin()
        except StageError as error:
            if CmdlineParser.get_instance() is None:
                raise
            print(f"ERROR: {error}", file=sys.stderr)  # Luigi's command line would print its traceback
            sys.exit(EXIT_SETTINGS)
        return super().get_param_values(params, args, kwargs)


@functools.cache
def begin() -> None:
    """Set up how a run speaks to a person, and check luigi.cfg: once a process; raise SettingsError if it is bad."""
    console.set_up()
    luigi_sections.complete()
    checks.check(stage_settings(_below(Started)))
    configuration.get_config().set("core", "workers", str(settings.workers()))  # where Luigi looks for it


def stage_settings(tasks: Iterable[type[luigi.Task]]) -> dict[str, dict[str, luigi.Parameter]]:
    """Return the settings that luigi.cfg may hold for stages: section -> name -> parameter."""
    sections: dict[str, dict[str, luigi.Parameter]] = {}
    for task in tasks:
        if isinstance(stage := getattr(task, "stage", None), str):
            sections.setdefault(stage, {})
        for _, parameter in task.get_params():
            place = getattr(parameter, "_config_path", None)
            if place:
                sections.setdefault(place["section"], {})[place["name"]] = parameter
    return sections


def _below(kind: type[luigi.Task]) -> Iterator[type[luigi.Task]]:
    """Yield every class of ours."""
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)

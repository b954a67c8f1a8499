"""Write docs/commands.md from the code: `python -m tasks.commands.commands_page > docs/commands.md`."""

from __future__ import annotations

import argparse
import configparser
import inspect
from collections.abc import Iterator

import luigi

from tasks import errors
from tasks.commands import verbs
from tasks.commands.markdown import table
from tasks.dataset.layout import REPOSITORY
from tasks.stage_tasks import start
from tasks.workflow import pipeline

RUNS = (pipeline.RunPlate, pipeline.RunBatch, pipeline.RunBenchmark, pipeline.Report)
HEAD = """# Commands and exit codes

There are two commands. `luigi --module tasks <Task>` runs plates, batches and stages. `python -m tasks <command>` does
everything else. Both lie in `.venv/bin/`. `platewright <command>` is the same as `python -m tasks <command>`
([install.md](install.md)). Made from the code by
`python -m tasks.commands.commands_page > docs/commands.md`.
"""
LUIGI = """## luigi

`luigi --module tasks <Task> --<parameter> <value>` runs a task and all that it needs. Completed stages are skipped.
`--workers N` runs N stages at a time. Every stage is a task too: [stages.md](stages.md). Its parameters are the
settings of its section in luigi.cfg, [settings.md](settings.md), as `--<setting> <value>`.
"""
LUIGI_EXITS = {
    "already_running": "Another run of the same command is at work.",
    "missing_data": "A file that a task reads from outside is not there.",
    "not_run": "The scheduler did not let a task run.",
    "task_failed": "A stage failed. The error names the program's own words, the log and a command that repeats it.",
    "scheduling_error": "What you provide is missing or breaks a rule, so nothing is run. The error names the file.",
    "unhandled_exception": "A parameter on the command line cannot be used; else a bug of Luigi or of a task's "
    "definition.",
}
EXITS = """## Exit codes of programs

A stage's program ends with one of these; the error, the ledger and `python -m tasks logs` show it.
[faults.md](faults.md) says what is tried again.
"""
FAILURES = """## Failures

Every failure that is not a bug is one of these classes of `tasks/errors.py`. It is printed as `ERROR: ...` without a
traceback. Anything else is a bug, and keeps its traceback.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD, LUIGI, *(_run(each) for each in RUNS), "### Exit codes of luigi\n", _luigi_exits()]
    parts += ["## python -m tasks\n", *_commands(), "### Exit codes of python -m tasks\n"]
    parts += [table(["exit code", "meaning"], ([f"{code}", says] for code, says in verbs.EXITS.items()))]
    parts += [EXITS, _program_exits(), FAILURES, table(["class", "what happened"], _failures())]
    return "\n".join(parts)


def _run(task: type[luigi.Task]) -> str:
    says = inspect.cleandoc(task.__doc__ or "")
    rows = [
        [f"`--{name.replace('_', '-')}`", _says(parameter, name)]
        for name, parameter in task.get_params()
        if name != "kept"
    ]
    return f"### {task.__name__}\n\n{says}\n\n{table(['parameter', 'what'], rows)}"


def _says(parameter: luigi.Parameter, name: str) -> str:
    place = getattr(parameter, "_config_path", None)
    return parameter.description or (f"[{place['section']}] {place['name']} of luigi.cfg" if place else name)


def _luigi_exits() -> str:
    given = configparser.ConfigParser(interpolation=None)
    given.read(REPOSITORY / "luigi.cfg", encoding="utf-8")
    rows = [["0", "All that was asked for is there."], [f"{start.EXIT_SETTINGS}", verbs.EXITS[start.EXIT_SETTINGS]]]
    rows += [[code, LUIGI_EXITS[name]] for name, code in given["retcode"].items()]
    return table(["exit code", "meaning"], rows)


def _commands() -> Iterator[str]:
    for name, each in _below(verbs.parser()).items():
        yield f"### {name}\n\n{inspect.cleandoc(each.description or '')}\n"
        below = _below(each)
        if not below:
            yield _flags(each)
        for action, flags in below.items():
            yield f"`{name} {action}`\n\n{_flags(flags)}"


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    kinds = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return {name: each for kind in kinds for name, each in kind.choices.items()}


def _flags(parser: argparse.ArgumentParser) -> str:
    rows = [[_flag(each), each.help or ""] for each in parser._actions if each.dest != "help"]
    return table(["argument", "what"], rows)


def _flag(action: argparse.Action) -> str:
    given = "|".join(map(str, action.choices or ())) or f"{action.metavar or action.dest.upper()}"
    if not action.option_strings:
        return f"`[{given.upper()}]`" if action.nargs in ("?", "*") else f"`{given.upper()}`"
    return f"`{action.option_strings[-1]}`" if action.nargs == 0 else f"`{action.option_strings[-1]} {given}`"


def _program_exits() -> str:
    rows = [["0", "It succeeded, and `result.json` is there."]]
    return table(["exit code", "meaning"], rows + [[f"{code}", says] for code, says in errors.EXIT_MEANINGS.items()])


def _failures() -> Iterator[list[str]]:
    for name, each in vars(errors).items():
        if inspect.isclass(each) and issubclass(each, errors.StageError):
            yield [f"`{name}`", (each.__doc__ or "").splitlines()[0]]


if __name__ == "__main__":
    print(page(), end="")

"""The commands of `python -m tasks`, their command line, and what their exit codes mean."""

from __future__ import annotations

import argparse
from typing import Any

from tasks.commands import (
    add_plate,
    browse,
    clean,
    demo,
    doctor,
    equivalent,
    explain,
    images,
    init,
    logs,
    plan,
    provenance,
    retry,
    show,
    status,
    tune,
    verify,
)

MODULES = (
    add_plate, browse, clean, demo, doctor, equivalent, explain, images, init, logs, plan, provenance, retry,
    show, status, tune, verify,
)  # fmt: skip
SHELLS = ("bash", "zsh", "tcsh")
ELSEWHERE = (browse, doctor, images, init)
"""What does not look at the data root: it works, and tells what is wrong, also where there is none."""
PROGRAM = "python -m tasks"
"""What a command line begins with; where a wheel is installed, `platewright` does the same."""
VERBS = {module.__name__.rpartition(".")[2].replace("_", "-"): module for module in MODULES}
EXITS = {
    0: "All is well.",
    1: "Something is wrong, and the output says what; for a command that checks or compares: it found a fault or a "
    "difference.",
    2: "A flag or a setting cannot be used. Nothing was started.",
    demo.FAILED: "`demo`, `retry`, `tune`: a stage failed.",
    130: "Ctrl-C.",
}


class Completion(argparse.Action):
    """Prints the script by which a shell completes the command line of `platewright`."""

    def __call__(self, whole: argparse.ArgumentParser, _: object, values: Any, __: str | None = None) -> None:
        import shtab  # no other command needs it

        print(shtab.complete(parser(called="platewright"), shell=values))
        whole.exit()


def parser(about: str | None = None, called: str = PROGRAM) -> argparse.ArgumentParser:
    """Return the command line of all commands."""
    whole = argparse.ArgumentParser(prog=called, description=about)
    whole.add_argument(
        "--print-completion", action=Completion, choices=SHELLS, help="print a shell's completion script"
    )
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="verb")
    for name, module in VERBS.items():
        first = (module.__doc__ or "").splitlines()[0]
        module.add(verbs.add_parser(name, help=first, description=module.__doc__))
    return whole

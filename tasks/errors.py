"""Every failure that is not our bug: what happened, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class StageError(Exception):
    """A failure that prints without a traceback; its text names the thing, the rule, the value and the next step."""


class SettingsError(StageError):
    """luigi.cfg or a command-line parameter holds something that cannot be used."""


class BadNameError(StageError):
    """A batch, plate or path from outside has a form that could escape the data root or reach a shell."""


class DefinitionError(StageError):
    """A stages.toml or image.toml breaks the form that docs/add_a_stage.md describes."""


class MissingInputError(StageError):
    """What a person should have laid under the data root is not there, or not only once."""


class TableError(MissingInputError):
    """A table that comes from outside breaks a rule; its text names the file, the line, the column and the value."""


class ExportError(MissingInputError):
    """What an instrument exported cannot become a plate; its text says which file, which rule and what to do."""


class EngineError(StageError):
    """No engine can run an image, or the engine itself failed."""


class RecipeError(EngineError):
    """The image that is here was not built from the recipe that is here."""


class ProgramError(StageError):
    """A stage's program ended badly."""


class FalseSuccessError(StageError):
    """A program said that all is well, and it is not."""


class NoCellsError(StageError):
    """A whole plate was measured, and no cell was found on it."""


class StoreError(StageError):
    """The data root's bucket is not there, does not answer, or does not let us."""


class PublishError(StageError):
    """Results are ready and cannot be put in their place."""


class LostClaimError(PublishError):
    """Another run took over what this one was making: it held its claim on S3 no longer."""


EXIT_MEANINGS = {
    1: "a bug in the program or its library",
    2: "its flags are not those that it was given",
    65: "its input breaks the contract",
    69: "the network, a service or the disk fails",
    70: "a program that it ran crashed",
    76: "its output failed validation",
    137: "killed",
    143: "terminated",
}

HINTS = {
    "No space left on device": "the disk is full; free space under the data root and run again",
    "Disk quota exceeded": "your disk quota is used up; free space under the data root and run again",
    "Read-only file system": "the data root's disk is read-only on that machine; see to it and run again",
}


TO_SET = re.compile(r"\[\w+\] \w+ = ")
"""How an error names a setting that has to be made first: [images] z = ..."""


def unknown(kind: str, name: str, known: Iterable[str], where: str) -> str:
    """Return 'unknown plate X in Y; known: ...', with at most ten of the known names."""
    names = sorted(known)
    listed = ", ".join(names[:10]) + (f", ... ({len(names)} in all)" if len(names) > 10 else "") or "none"
    return f"{where}: there is no {kind} {name!r}; known: {listed}"


def no_cells(title: str, sites: int, folder: Path) -> str:
    """Return what to look at where no cell was found on a whole plate."""
    return (
        f"{title} found no cell on any of the plate's {sites} sites. Look at the images: is the channel that nuclei "
        "are found in the right one ([cells] nuclei_channel), and do its images use the range of their 8 or 16 bits "
        "([cells] camera_bits)? Then look at a sample (RunPlate --sample 12), with a pixel_um, nucleus_diameter and "
        "nuclei_bounds of [cells] that fit your images (docs/segmentation.md). Nothing is published; the outlines are "
        f"in {folder}"
    )


def exit_meaning(code: int, *, out_of_memory: bool = False, timed_out: bool = False) -> str:
    """Say what an exit code of a stage program means."""
    if out_of_memory:
        return f"exit code {code} (out of memory)"
    if timed_out:
        return f"exit code {code} (stopped: it took longer than its limit)"
    meaning = EXIT_MEANINGS.get(code)
    return f"exit code {code}" + (f" ({meaning})" if meaning else "")


def program_failed(title: str, what: str, words: Sequence[str], log: Path, command: str, hint: str = "") -> str:
    """Return the block that a person reads at 3 a.m.: what failed, its own words, the log, how to repeat it.

    Where the words ask for a setting, the same command with the same flags would fail again: it is not offered.
    """
    said = "".join(f"\n    {line}" for line in words)
    remedy = f"\n  hint   {hint}" if hint else ""
    again = f"again  {command}"
    if any(TO_SET.search(line) for line in words):
        again = "then   set it in luigi.cfg, and repeat the command that you typed"
    return f"{title} failed: {what}{said}{remedy}\n  log    {log}\n  {again}"


def no_engine(image: str, reasons: Mapping[str, str]) -> str:
    """Return why no engine can run an image, an engine a line."""
    lines = "".join(f"\n  {engine:<10} {reason}" for engine, reason in reasons.items())
    return f"no engine can run the image {image!r}:{lines}"


def hint_for(stage: str, words: Iterable[str], *, out_of_memory: bool, timed_out: bool) -> str:
    """Return the next step for a known cause of failure, or nothing."""
    if out_of_memory:
        return f"give the stage more memory: [{stage}] memory_gb in luigi.cfg"
    if timed_out:
        return f"give the stage more time: [{stage}] minutes in luigi.cfg"
    text = "\n".join(words)
    return next((hint.format(stage=stage) for sign, hint in HINTS.items() if sign in text), "")


def hint_to_leave_out(stage: str, failed: int, total: int, unit: str, allowed: float) -> str:
    """Return how to go on without the units that failed, where that is allowed at all."""
    succeeded = total - failed
    kept = {0: "", 1: f"1 other {unit} succeeded and is kept; "}
    again = (
        f"{kept.get(succeeded, f'{succeeded} other {unit}s succeeded and are kept; ')}remove the cause and run again"
    )
    if unit != "site":
        return again
    return (
        f"{again}, or continue without the failed sites: [runtime] max_failed_fraction = "
        f"{-(-failed * 1000 // total) / 1000:g} in luigi.cfg (now {allowed:g})"
    )

"""Whether the plates of a set have several doses of a perturbation, by their platemaps."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from stagekit import doses, outside
from stagekit.program import DataError

from tasks.dataset.plate_layouts.cells import is_nothing
from tasks.dataset.plate_layouts.conversion import DOSE, KEY, UNIT
from tasks.errors import MissingInputError
from tasks.results import manifest
from tasks.settings import forms, settings
from tasks.settings.parameters import AUTO
from tasks.workflow import plate_layouts

PERTURBATION = f"{forms.METADATA}{KEY}"


def column(batch: str, plates: Sequence[str]) -> str:
    """Return the metadata column of doses, if a perturbation has several of them on these plates; else nothing.

    Plates whose platemaps are not there, or without the column, count as having no doses, in whichever order they come.
    """
    name, found = "", dict[str, set[float]]()
    for plate in plates:
        own, held = _of_plate(batch, plate)
        if name and own and own != name:
            return ""  # other plates call it otherwise
        name = own or name
        for perturbation, dose in held:
            found.setdefault(perturbation, set()).add(dose)
    return f"{forms.METADATA}{name}" if name and any(len(each) > 1 for each in found.values()) else ""


def replicates(given: str, batch: str, plates: Sequence[str]) -> str:
    """Return the columns that replicates share; auto: the perturbation, and its dose where any has several."""
    if given != AUTO:
        return given
    dose = column(batch, plates)
    return f"{PERTURBATION},{dose}" if dose else PERTURBATION


def _of_plate(batch: str, plate: str) -> tuple[str, frozenset[tuple[str, float]]]:
    try:
        path = plate_layouts.tables(batch, plate).platemap
        return _of_platemap(path, path.stat().st_mtime_ns)
    except (MissingInputError, DataError):
        return _of_own_table(batch, plate)


def _of_own_table(batch: str, plate: str) -> tuple[str, frozenset[tuple[str, float]]]:
    """Return the doses that were found in another laboratory's table of profiles, which needs no platemap."""
    found = manifest.read(settings.load().layout.manifest("import_wells", batch, plate))
    told = found.facts.get("doses", []) if found else []
    return DOSE if told else "", frozenset((held, float(f"{float(dose):.6g}")) for held, dose in told)


@functools.lru_cache(maxsize=1024)
def _of_platemap(path: Path, changed: int) -> tuple[str, frozenset[tuple[str, float]]]:
    header, rows = outside.split(path, "\t")
    if KEY not in header:
        return "", frozenset()
    named = [DOSE] if DOSE in header else doses.columns([name for name in header if name not in (KEY, UNIT)])
    for name in named:
        at, key = header.index(name), header.index(KEY)
        cells = [(row[key], row[at]) for _, row in rows if len(row) == len(header) and row[key]]
        known = [(perturbation, dose) for perturbation, dose in cells if not is_nothing(dose)]
        try:
            return name, frozenset((perturbation, float(f"{float(dose):.6g}")) for perturbation, dose in known)
        except ValueError:
            continue  # words
    return "", frozenset()

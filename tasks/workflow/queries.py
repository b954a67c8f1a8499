"""Hold the queries and columns that luigi.cfg names against those that a plate will have, before it is measured."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path

from stagekit import tables
from stagekit.program import DataError

from tasks.errors import MissingInputError, SettingsError
from tasks.settings import forms, settings, well_queries
from tasks.settings.parameters import AUTO
from tasks.stage_tasks.plate import OWN_TABLES
from tasks.stage_tasks.plate_set import BatchTask
from tasks.workflow import plate_layouts

ALWAYS = ("Plate", "Well")
"""What profiles have of metadata beside the columns of the platemap and of the external metadata ..."""
COUNTS = ("Site_Count", "Object_Count")
"""... what they have of them but where the published workflow's defects are repeated ..."""
COMPARTMENTS = ("Count_Cells", "Count_Cytoplasm", "Count_Nuclei")
"""... and what they have if [aggregate] compartment_counts asks for it."""
QUERIES = ("samples", "negatives")
"""The settings that hold a pandas query; others of those that are checked hold columns by commas."""


def check(batch: str, plate: str, named: Mapping[tuple[str, str], str]) -> None:
    """Raise SettingsError if a setting (by its section and name) names a column that the plate will not have."""
    known = columns(batch, plate)
    for (section, key), text in named.items():
        for name in sorted(_asked(key, text) - known if known else ()):
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
            message = f"luigi.cfg [{section}] {key} = {text}: plate {plate} will have no column {name}"
            raise SettingsError(f"{message}, by its platemap and external metadata; {meant}")


def check_set(of: BatchTask, key: str) -> None:
    """Raise SettingsError if a setting of a stage names a column that a plate of its set will not have."""
    for plate in (
        of.members if of.start_from not in ("profiles", *OWN_TABLES) else ()
    ):  # a person's well averages may have their own
        check(str(of.batch_id), plate, {(of.stage, key): getattr(of, key)})


def columns(batch: str, plate: str) -> set[str]:
    """Return the metadata columns that a plate's profiles will have; none if its tables are not there yet."""
    try:
        paths = (plate_layouts.tables(batch, plate).platemap, plate_layouts.external_metadata(batch, plate))
        named = [name for path in paths for name in _header(path, path.stat().st_mtime_ns)]
    except (MissingInputError, DataError):
        return set()  # the task that reads them says so
    corrected = settings.of_stage("profiles", "behaviour", "corrected") == "corrected"
    counted = corrected and settings.of_stage("aggregate", "compartment_counts", "false") == "true"
    own = (*ALWAYS, *(COUNTS if corrected else ()), *(COMPARTMENTS if counted else ()))
    return {f"{forms.METADATA}{name}" for name in (*own, *named) if name != "well_position"}  # profiles call it Well


def _asked(key: str, text: str) -> set[str]:
    if key in QUERIES:
        return set() if text == "all" else well_queries.columns_of(text)
    return {name for name in forms.parts(text) if name} - {AUTO}


@functools.lru_cache(maxsize=256)
def _header(path: Path, changed: int) -> tuple[str, ...]:
    return tuple((tables.lines(path, "," if path.suffix == ".csv" else "\t") or [[]])[0])

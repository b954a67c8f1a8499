"""Tables of another laboratory or program become the contract's: well profiles, and single cells of any form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import luigi
from stagekit import features

from tasks.dataset import lookup, own_tables
from tasks.errors import MissingInputError, SettingsError
from tasks.execution.specs import JobSpec, StageSpec
from tasks.settings import forms, sections, settings
from tasks.settings.parameters import Choice, Switch, Text
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import FROM_CELLS, FROM_WELLS, OWN_TABLES, PlateTask, ProvidedTask
from tasks.stage_tasks.stage import StageTask
from tasks.workflow import plate_layouts

FILE: Mapping[str, Any] = {"kind": Text, "default": "", "form": "a path, with {plate} unless it is of all plates"}
FEATURE_PREFIXES: Mapping[str, Any] = {
    "kind": Text,
    "default": "",
    "form": "prefixes by commas",
    "check": features.prefixes,
    "description": f"what features begin with; empty: {', '.join(features.KNOWN)}",
}


def _column(section: str, role: str, what: str) -> Any:
    return setting(section, role, Text, default="", form="a column", description=what)


class OwnTable(ProvidedTask):
    """A table that a person laid, or that luigi.cfg names."""

    name = "table"
    remembered = True
    kind: ClassVar[str]
    file: Any

    def folders(self) -> Iterator[Path]:
        if not self.file:
            yield settings.load().layout.own_tables(self.kind, self.batch_id)

    def path(self) -> Path:
        given = settings.resolved(str(self.file).replace("{plate}", self.plate)) if self.file else None
        return own_tables.find(settings.load().layout, self.kind, self.batch_id, self.plate, given)

    def bears_plate(self) -> str:
        """Say whether the table's name says the plate, or the batch lists no other: no column of it need do so."""
        layout, file = settings.load().layout, str(self.file)
        named = "{plate}" in file if file else bool(own_tables.named(layout, self.kind, self.batch_id, self.plate))
        return "true" if named or lookup.plates(layout, self.batch_id) == [self.plate] else "false"


class OwnWells(OwnTable):
    kind = FROM_WELLS
    file = setting("import_wells", "file", check=forms.with_plate, description="the well profiles", **FILE)


class OwnCells(OwnTable):
    kind = FROM_CELLS
    file = setting("import_cells", "file", check=forms.with_plate, description="the single cells", **FILE)


class ImportWells(StageTask):
    """Of a run that starts from another laboratory's well profiles."""

    stage = "import_wells"
    plate_column = _column("import_wells", "plate", "the plate; empty: found by its name")
    well_column = _column("import_wells", "well", "the well; empty: found by its name")
    perturbation_column = _column("import_wells", "perturbation", "what a well holds, where there is no platemap")
    dose_column = _column("import_wells", "dose", "the dose, where there is no platemap")
    control_column = _column("import_wells", "control", "which wells are controls, where there is no platemap")
    features = setting("import_wells", "features", **FEATURE_PREFIXES)
    parquet = setting("profiles", "parquet", Switch, default=False, description="write Parquet too")

    def requires(self) -> luigi.Task:
        refuse_other_start(self, FROM_WELLS)
        return self.clone(OwnWells)

    def spec(self) -> StageSpec:
        controls = sections.controls()
        known = {"negative": str(controls.negative), "positive": str(controls.positive)}
        known["metadata"] = "table" if tells_itself(self) else "platemap"
        left_out = frozenset() if self.parquet else frozenset({"parquet"})
        return super().spec().adding(parameters=known, disabled_outputs=left_out)

    def job_spec(self) -> JobSpec:
        return super().job_spec().adding(flags={"bears_plate": bears_plate(self, OwnWells)})


class ImportCells(StageTask):
    """Of a run that starts from another laboratory's single cells, or another program's."""

    stage = "import_cells"
    plate_column = _column("import_cells", "plate", "the plate; empty: found by its name")
    well_column = _column("import_cells", "well", "the well; empty: found by its name")
    site_column = _column("import_cells", "site", "the site; empty: found by its name")
    objects = setting(
        "import_cells",
        "objects",
        Text,
        default="",
        form="Cells=cellbody,Nuclei=nucleus",
        check=forms.object_names,
        description="what the table calls each object; empty: all objects, by their own names",
    )
    method = setting("aggregate", "method", Choice, choices=["mean", "median"], default="mean")
    cells = setting("import_cells", "parquet", Switch, default=True, description="the single cells as Parquet, too")

    def requires(self) -> luigi.Task:
        refuse_other_start(self, FROM_CELLS)
        return self.clone(OwnCells)

    def spec(self) -> StageSpec:
        return super().spec().adding(disabled_outputs=frozenset() if self.cells else frozenset({"cells"}))

    def job_spec(self) -> JobSpec:
        allowed = settings.max_failed_fraction(self.definition)
        own = {"max_failed_fraction": f"{allowed:g}", "bears_plate": bears_plate(self, OwnCells)}
        return super().job_spec().adding(flags=own)


def bears_plate(task: PlateTask, kind: type[OwnTable]) -> str:
    """Say whether a plate's own table needs no column of plates."""
    own: Any = task.clone(kind)
    return str(own.bears_plate())


def refuse_other_start(task: PlateTask, start: str) -> None:
    """Raise SettingsError if a plate does not begin with the tables that a stage imports."""
    if task.start_from in OWN_TABLES and task.start_from != start:
        message = f"--start-from {task.start_from}: this stage imports {start}"
        raise SettingsError(f"{message}; start from {start}, or ask for a later stage")


def tells_itself(task: PlateTask) -> bool:
    """Say whether a plate's own table says what each well holds: where it begins with wells, and has no platemap."""
    return task.start_from == FROM_WELLS and not has_platemap(str(task.batch_id), str(task.plate))


def has_platemap(batch: str, plate: str) -> bool:
    """Say whether a plate's platemap, or a layout in its place, lies there."""
    try:
        lookup.platemap(settings.load().layout, batch, plate)
    except MissingInputError:
        return False
    plate_layouts.tables(batch, plate)  # one that is not good is refused, and not passed over
    return True

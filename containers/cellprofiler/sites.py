"""Measure sites in one CellProfiler process, with either engine, into a folder a site."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import load_data
import replacements
import run_cellprofiler
import site_folders
import site_objects
import site_tables
from pipelines import Pipeline


@dataclass(frozen=True)
class Form:
    """In which form the values are published."""

    tables: str
    """csv (a folder of csv files a site), parquet (well_files.py) or both."""
    cell_values: str
    """The type of the values of cells in Parquet: float64 or float32."""


CSV = Form("csv", "float64")


@dataclass(frozen=True)
class Made:
    """What came out: what is looked at of each site, pictures of no site, and which modules were replaced."""

    tables: Mapping[str, site_objects.Tables]
    stray: Sequence[str]
    witness: replacements.Witness


@dataclass(frozen=True)
class Sites:
    """Sites of a plate, with their paths of this machine, and the pipeline that measures them."""

    plate: str
    table: load_data.LoadData
    pipeline: Pipeline
    numbers: Mapping[str, int]
    """The place of each site in the whole plate."""
    form: Form = CSV

    @classmethod
    def of(
        cls, whole: load_data.LoadData, table: load_data.LoadData, pipeline: Pipeline, plate: str, form: Form
    ) -> Sites:
        """Return the sites of a table, which is a part of the whole plate's."""
        numbers = {load_data.site_name(row): number for number, row in enumerate(whole.rows, start=1)}
        return cls(plate, table, pipeline, numbers, form)

    @property
    def names(self) -> list[str]:
        return [load_data.site_name(row) for row in self.table.rows]

    def only(self, name: str) -> Sites:
        """Return one of the sites."""
        rows = tuple(row for row in self.table.rows if load_data.site_name(row) == name)
        return replace(self, table=replace(self.table, rows=rows))

    def measure(self, engine: str, target: Path, progress: run_cellprofiler.Progress) -> Made:
        """Measure the sites, and publish them below `target`; raise Failure if CellProfiler falls short."""
        rows = [site_folders.Site(row, self.numbers[load_data.site_name(row)]) for row in self.table.rows]
        plugins = replacements.FOLDER if engine == "fast" else None
        with tempfile.TemporaryDirectory(prefix="measure-") as scratch:
            produced = Path(scratch) / "out"
            listed = self.table.write(Path(scratch) / "load_data.csv")
            run = run_cellprofiler.Run(
                self.pipeline, listed, self.names, produced, Path(scratch) / "cellprofiler", plugins, self.form.tables
            )
            witness = run_cellprofiler.run(run, progress)
            tables = self._publish(produced, rows, target)
            stray = site_folders.move_outlines(produced, self.plate, rows, target)
            stray += site_folders.move_labels(produced, self.plate, rows, target)
        return Made(tables, stray, witness)

    def _publish(
        self, produced: Path, rows: Sequence[site_folders.Site], target: Path
    ) -> Mapping[str, site_objects.Tables]:
        told: Mapping[str, site_objects.Tables] = {}
        if self.form.tables != "parquet":
            names = site_folders.publish(produced, self.plate, rows, target)
            told = {name: site_objects.read(target / f"{self.plate}-{name}") for name in names}
        if self.form.tables != "csv":
            whole = list(self.numbers)
            told = site_tables.publish(produced, self.plate, rows, whole, self.form.cell_values, target)
        return told

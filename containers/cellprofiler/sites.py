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
from pipelines import Pipeline


@dataclass(frozen=True)
class Made:
    """What came out: cells a site, pictures that belong to no site, and which modules were replaced."""

    cells: Mapping[str, int]
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

    @classmethod
    def of(cls, whole: load_data.LoadData, table: load_data.LoadData, pipeline: Pipeline, plate: str) -> Sites:
        """Return the sites of a table, which is a part of the whole plate's."""
        numbers = {load_data.site_name(row): number for number, row in enumerate(whole.rows, start=1)}
        return cls(plate, table, pipeline, numbers)

    @property
    def names(self) -> list[str]:
        return [load_data.site_name(row) for row in self.table.rows]

    def only(self, name: str) -> Sites:
        """Return one of the sites."""
        rows = tuple(row for row in self.table.rows if load_data.site_name(row) == name)
        return replace(self, table=replace(self.table, rows=rows))

    def measure(self, engine: str, target: Path, progress: run_cellprofiler.Progress) -> Made:
        """Measure the sites, and publish a folder of each below `target`; raise Failure if CellProfiler falls short."""
        rows = [site_folders.Site(row, self.numbers[load_data.site_name(row)]) for row in self.table.rows]
        plugins = replacements.FOLDER if engine == "fast" else None
        with tempfile.TemporaryDirectory(prefix="measure-") as scratch:
            produced = Path(scratch) / "out"
            listed = self.table.write(Path(scratch) / "load_data.csv")
            run = run_cellprofiler.Run(
                self.pipeline, listed, self.names, produced, Path(scratch) / "cellprofiler", plugins
            )
            witness = run_cellprofiler.run(run, progress)
            cells = site_folders.publish(produced, self.plate, rows, target)
            stray = site_folders.move_outlines(produced, self.plate, rows, target)
            stray += site_folders.move_labels(produced, self.plate, rows, target)
        return Made(cells, stray, witness)

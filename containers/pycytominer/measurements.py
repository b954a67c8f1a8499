"""What was measured of a plate, a well at a time; a site whose csv cannot be used is named, and the rest goes on."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple, Union

import columns
import numpy as np
import sites
import well_tables
from single_cells import LINKS, Well
from stagekit import program
from stagekit.contracts import COMPARTMENTS


class Entry(NamedTuple):
    """A site with its number on the plate, from 1: the TableNumber and ImageNumber of the backend."""

    number: int
    site: sites.Site
    measured: sites.Measured


class Measurements:
    """The sites of a plate, from their csv files."""

    def __init__(self, analysis: Path, plate: str) -> None:
        """Find the sites and see which columns they have."""
        self.found = sites.find(analysis, plate)
        self.layout, self.lacking, self.quarantined = columns.survey(self.found)

    @property
    def sites(self) -> List[str]:
        """Return the names of all sites, the quarantined ones too."""
        return [site.name for site in self.found]

    def by_well(self) -> Iterator[Tuple[str, List[Entry]]]:
        """Yield every well with its good sites, which may be none; the others join `quarantined`."""
        for well, group in groupby(enumerate(self.found, start=1), key=lambda numbered: numbered[1].well):
            entries = []
            for number, site in group:
                if site.name in self.quarantined:
                    continue
                try:
                    entries.append(Entry(number, site, sites.read(site, self.layout)))
                except columns.UNREADABLE as error:
                    self.quarantined[site.name] = str(error)
            yield well, entries

    def tell_columns(self, report: program.Report) -> None:
        """Report the columns that some sites lack."""
        lacking = {f"{table}_{name}": count for table, names in self.lacking.items() for name, count in names.items()}
        report.fact("columns_not_of_every_site", lacking)
        if lacking:
            shown = ", ".join(f"{name} ({count} sites)" for name, count in list(lacking.items())[:5])
            report.warn(f"{len(lacking)} columns are lacking in some sites, and have no value there: {shown}")


class Reader(Measurements):
    """Reads the cells of a plate from its site folders, a well at a time."""

    def __init__(self, analysis: Path, plate: str) -> None:
        super().__init__(analysis, plate)
        names = {table: sites.features(table, self.layout) for table in COMPARTMENTS}
        self.features = {table: [name for name in names[table] if name not in LINKS] for table in COMPARTMENTS}
        self.kept = {
            table: [at for at, name in enumerate(names[table], start=1) if name not in LINKS] for table in COMPARTMENTS
        }

    def wells(self) -> Iterator[Well]:
        """Yield the wells in the order of their names."""
        for well, entries in self.by_well():
            tables = {table: [entry.measured.tables[table] for entry in entries] for table in COMPARTMENTS}
            yield Well(well, len(entries), {table: self._join(table, found) for table, found in tables.items()})

    def _join(self, table: str, found: List[np.ndarray]) -> np.ndarray:
        kept = self.kept[table]
        return np.concatenate(found)[:, kept] if found else np.empty((0, len(kept)))


class Tables(well_tables.Measured):
    """The sites of a plate, from its Parquet files."""

    def by_well(self) -> Iterator[Tuple[str, List[Entry]]]:
        """Yield every well with its sites; all are good."""
        yield from ((well, [Entry(*each) for each in found]) for well, found in self.entries())


def of(analysis: Path, plate: str) -> Union[Measurements, Tables]:
    """Return the sites of a plate, in whichever form they were measured."""
    return (Tables if well_tables.lie_in(analysis) else Measurements)(analysis, plate)


def reader(analysis: Path, plate: str) -> Union[Reader, well_tables.Reader]:
    """Return what reads a plate's wells, in whichever form they were measured."""
    return (well_tables.Reader if well_tables.lie_in(analysis) else Reader)(analysis, plate)

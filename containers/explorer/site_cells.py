"""The cells of a site as measure's tables have them: where each lies, its features, and how far it is from controls."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import well_cells
from profile_tables import numeric
from site_images import TABLES, Site
from stagekit import program

CENTRES = (("Location_Center_X", "Location_Center_Y"), ("AreaShape_Center_X", "AreaShape_Center_Y"))
FAR = 10.0
"""A single feature counts as no further from the controls than this."""
NORMAL = 1.4826
"""What a median absolute deviation is multiplied by, to be the standard deviation of what is distributed normally."""
DISTANCE = (
    "Root mean square, over the features, of how many robust standard deviations (1.4826 MAD) a cell is from the "
    "median cell of the plate's negative controls; a feature counts as 10 at most. A typical control is at about 1."
)

Table = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Cells:
    """The cells of a site in their table's order: ObjectNumber, centre (pixels; x, y), values (cells x features)."""

    objects: np.ndarray
    centres: np.ndarray
    values: np.ndarray


def read(site: Site, features: Sequence[str]) -> Cells:
    """Return the cells of a site; of a nucleus or a cytoplasm the values are with the cell that it belongs to."""
    analysis = site.measured.parent
    if well_cells.lie_in(analysis):
        return _located(*well_cells.read(analysis, site.well, site.number, features, CENTRES))
    cells = _table(site, "Cells")
    x, y = _centre(site, cells)
    own = [*cells.values()]
    tables: dict[str, list[dict[str, str]]] = {"Cells": own}
    nuclei, cytoplasm = (_table(site, name) for name in ("Nuclei", "Cytoplasm"))
    tables["Nuclei"] = [nuclei.get(row.get("Parent_Nuclei", number), {}) for number, row in cells.items()]
    parents = {row.get("Parent_Cells", number): row for number, row in cytoplasm.items()}
    tables["Cytoplasm"] = [parents.get(number, {}) for number in cells]
    values = np.full((len(own), len(features)), math.nan)
    for at, feature in enumerate(features):
        compartment, _, name = feature.partition("_")
        values[:, at] = [numeric(row.get(name, "")) for row in tables.get(compartment, [{}] * len(own))]
    centres = np.array([[numeric(row[x]), numeric(row[y])] for row in own], float).reshape(-1, 2)
    return _located(np.array([int(numeric(number)) for number in cells], int), centres, values)


def _located(numbers: np.ndarray, centres: np.ndarray, values: np.ndarray) -> Cells:
    known = np.isfinite(centres).all(axis=1)
    return Cells(numbers[known], centres[known], values[known])


def _table(site: Site, name: str) -> Table:
    """Return a table's rows by ObjectNumber, as it is written; DataError if it is none."""
    path = site.measured / f"{name}.csv"
    if not path.exists() and name != TABLES[0]:
        return {}
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            return {_whole(row["ObjectNumber"]): {**row, **_links(row)} for row in csv.DictReader(lines)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        said = f"{path.parent.name}/{path.name}: no table of objects ({type(error).__name__}: {error})"
        raise program.DataError(f"{said}; measure the site again") from error


def _links(row: dict[str, str]) -> dict[str, str]:
    return {name: _whole(row[name]) for name in ("Parent_Nuclei", "Parent_Cells") if row.get(name)}


def _whole(text: str) -> str:
    """Return a number of an object as it is compared: CellProfiler writes 3 or 3.0."""
    return str(int(float(text)))


def _centre(site: Site, cells: Table) -> tuple[str, str]:
    first: dict[str, str] = next(iter(cells.values()), {})
    for pair in CENTRES:
        if not cells or {*pair} <= {*first}:
            return pair
    raise program.DataError(
        f"{site.measured.name}/Cells.csv: has no {CENTRES[0][0]}: let the pipeline measure AreaShape"
    )


@dataclass(frozen=True)
class Controls:
    """The cells of the negative controls: the median and the spread of every feature; NaN where there is no spread."""

    centre: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Controls:
        """Return what the controls' values (cells x features) say; there may be none."""
        if not len(values):
            return cls(np.full(values.shape[1], math.nan), np.full(values.shape[1], math.nan))
        kept = np.isfinite(values).any(axis=0)
        centre, spread = np.full(values.shape[1], math.nan), np.full(values.shape[1], math.nan)
        centre[kept] = np.nanmedian(values[:, kept], axis=0)
        spread[kept] = NORMAL * np.nanmedian(np.abs(values[:, kept] - centre[kept]), axis=0)
        spread[~(spread > 0)] = math.nan
        return cls(centre, spread)

    def distance(self, values: np.ndarray) -> np.ndarray:
        """Return how far each cell is from the controls (see DISTANCE), NaN where no feature says it."""
        apart = np.clip((values - self.centre) / self.spread, -FAR, FAR) ** 2
        known = np.isfinite(apart)
        count = known.sum(axis=1)
        total = np.where(known, apart, 0).sum(axis=1)
        return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), math.nan)

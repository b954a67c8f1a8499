"""Describe the nuclei and cells of a measured site in a few numbers, from its tables: no image is read again."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional

Row = Mapping[str, str]
Tables = Mapping[str, Sequence[Row]]
"""What is looked at of a site: the rows of Nuclei, Cells and Image."""
TOUCHING = "Neighbors_NumberOfNeighbors_"
LOOKED_AT = ("AreaShape_Area", "AreaShape_Solidity", "AreaShape_FormFactor", "AreaShape_Eccentricity")
OF_IMAGE = ("Threshold_FinalThreshold_Nuclei", "Threshold_FinalThreshold_Cells")
DIGITS = 4


def is_looked_at(column: str) -> bool:
    """Say whether a column of a table is looked at."""
    return column in (*LOOKED_AT, *OF_IMAGE) or column.startswith(TOUCHING)


def looked_at(row: Row) -> Row:
    """Return what is looked at of a row."""
    return {column: text for column, text in row.items() if is_looked_at(column)}


def read(folder: Path) -> Tables:
    """Return what is looked at of a site's csv files."""
    return {name: _rows(folder / f"{name}.csv") for name in ("Nuclei", "Cells", "Image")}


def describe(tables: Tables, pixels: int) -> dict[str, Optional[float]]:
    """Return what is looked at of a site whose images have so many pixels; None where a table does not tell.

    Diameters (pixels) are those of circles of the same area. Shares are of the nuclei, covered_* of the image.
    """
    nuclei, cells, image = (tables[name] for name in ("Nuclei", "Cells", "Image"))
    widths = sorted(map(_diameter, _column(nuclei, "AreaShape_Area")))
    areas = {kind: sum(_column(rows, "AreaShape_Area")) for kind, rows in (("nuclei", nuclei), ("cells", cells))}
    told = image[0] if image else {}
    return {
        "nuclei": len(nuclei),
        "cells": len(cells),
        "least": _part(widths, 0.05),
        "low": _part(widths, 0.25),
        "median": _part(widths, 0.5),
        "high": _part(widths, 0.75),
        "most": _part(widths, 0.95),
        "touching": _share(nuclei),
        "solidity": _middle(_column(nuclei, "AreaShape_Solidity")),
        "form": _middle(_column(nuclei, "AreaShape_FormFactor")),
        "eccentricity": _middle(_column(nuclei, "AreaShape_Eccentricity")),
        "covered_nuclei": _short(areas["nuclei"] / pixels),
        "covered_cells": _short(areas["cells"] / pixels),
        "threshold_nuclei": _number(told.get("Threshold_FinalThreshold_Nuclei", "")),
        "threshold_cells": _number(told.get("Threshold_FinalThreshold_Cells", "")),
    }


def _rows(path: Path) -> list[Row]:
    with open(path, encoding="utf-8", newline="") as source:
        return [looked_at(row) for row in csv.DictReader(source)]


def _column(rows: Sequence[Row], name: str) -> list[float]:
    found = (_number(row.get(name, "")) for row in rows)
    return [value for value in found if value is not None]


def _share(nuclei: Sequence[Row]) -> Optional[float]:
    """Return the share of nuclei with another one close to them, by the name that holds how close."""
    names = list(_neighbours(nuclei[0])) if nuclei else []
    found = _column(nuclei, names[0]) if names else []
    return _short(sum(value > 0 for value in found) / len(found)) if found else None


def _neighbours(row: Row) -> Iterator[str]:
    yield from (name for name in row if name.startswith(TOUCHING))


def _diameter(area: float) -> float:
    return 2 * math.sqrt(area / math.pi)


def _part(values: Sequence[float], part: float) -> Optional[float]:
    """Return the value below which this part of sorted values lies."""
    return _short(values[round(part * (len(values) - 1))]) if values else None


def _middle(values: Sequence[float]) -> Optional[float]:
    return _short(statistics.median(values)) if values else None


def _number(text: str) -> Optional[float]:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")

"""What is wrong with a plate, in words: wells that are missing, columns that are dead, an edge that differs."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pandas as pd
from stagekit import program, wells


def place(well: str) -> Tuple[int, int]:
    """Return the row and column of a well, from 0: B03 is (1, 2)."""
    try:
        return wells.place(well)
    except ValueError as error:
        raise program.DataError(str(error)) from error


def standardized(values: np.ndarray) -> np.ndarray:
    """Return rows with mean 0 and length 1, so that their products are correlations; 0 for a row without spread."""
    centred = values - values.mean(axis=1, keepdims=True) if values.shape[1] else values
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)


def neighbours(features: pd.DataFrame) -> pd.Series:
    """Return the mean correlation of each well with the wells beside, above and below it; NaN without any."""
    whole = features.loc[:, features.notna().all()]
    unit = dict(zip(map(place, whole.index), standardized(whole.to_numpy(dtype="float64")), strict=True))
    found = []
    for row, column in map(place, whole.index):
        beside = [(row, column - 1), (row, column + 1), (row - 1, column), (row + 1, column)]
        r = [float(unit[row, column] @ unit[other]) for other in beside if other in unit]
        found.append(np.mean(r) if r and whole.shape[1] else np.nan)
    return pd.Series(found, index=features.index)


def find(cells: pd.Series, imaged: List[str], low_count: float, edge_effect: float) -> List[str]:
    """Return the faults of a plate of which `imaged` wells have images, and `cells` says how many each profile has."""
    missing = sorted(set(imaged) - set(cells.index), key=place)
    faults = [f"missing wells: {len(missing)} were imaged and have no profile ({_few(missing)})"] if missing else []
    counted = cells.reindex(sorted({*imaged, *cells.index}))
    if cells.isna().all():
        return [*faults, "cells were not counted"]
    counted = counted.fillna(0)  # a well without a cell has no profile
    usual = float(cells.median())
    dead = [_line(axis, at) for axis, at in _lines(counted) if _of_line(counted, axis, at).median() < low_count * usual]
    faults += [f"dead {line}: its wells have less than {low_count:.0%} of the median count" for line in dead]
    low = [well for well in cells.index[cells < low_count * usual] if not _in_lines(well, dead)]
    if low:
        faults.append(f"low count: {len(low)} wells have less than {low_count:.0%} of the median count ({_few(low)})")
    return faults + _edge(counted, edge_effect)


def _edge(counted: pd.Series, edge_effect: float) -> List[str]:
    """Return a fault if wells at the edge have other counts than those inside."""
    places = np.array([place(well) for well in counted.index])
    outer = ((places == places.min(axis=0)) | (places == places.max(axis=0))).any(axis=1)
    if outer.all():
        return []
    inside, edge = float(counted[~outer].median()), float(counted[outer].median())
    if inside <= 0 or abs(edge / inside - 1) < edge_effect:
        return []
    more = "more" if edge > inside else "fewer"
    return [f"edge effect: wells at the edge have {abs(edge / inside - 1):.0%} {more} cells than those inside"]


def _lines(counted: pd.Series) -> List[Tuple[int, int]]:
    """Return the rows (0, row) and columns (1, column) that hold more than one well."""
    places = [place(well) for well in counted.index]
    found = [(axis, each[axis]) for axis in (0, 1) for each in places]
    return sorted({line for line in found if found.count(line) > 1})


def _of_line(counted: pd.Series, axis: int, at: int) -> pd.Series:
    return counted[[place(well)[axis] == at for well in counted.index]]


def _line(axis: int, at: int) -> str:
    return f"column {at + 1:02d}" if axis else f"row {wells.row_letters(at)}"


def _in_lines(well: str, lines: List[str]) -> bool:
    row, column = place(well)
    return _line(0, row) in lines or _line(1, column) in lines


def _few(named: List[str]) -> str:
    return ", ".join(named[:6]) + (", ..." if len(named) > 6 else "")

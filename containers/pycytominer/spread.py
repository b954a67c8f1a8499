"""How much each feature varies in the wells to scale against: what every method divides by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MAD_TO_SIGMA = 1.4826  # of normal values the MAD times this is the standard deviation
NAMES = {
    "mad_robustize": "MAD",
    "robustize": "interquartile range",
    "standardize": "standard deviation",
    "spherize": "standard deviation",
}


class Spread(NamedTuple):
    """The centre and the width of every feature, a missing value left out; NaN where no well has a value."""

    center: np.ndarray
    width: np.ndarray

    def varies(self) -> np.ndarray:
        """Say of each feature whether it can be divided by its width."""
        return self.width > np.finfo(float).tiny

    def raised(self, least: float) -> np.ndarray:
        """Return by what each width must be multiplied to be at least this fraction of the centre's size; mostly 1."""
        return np.maximum(self.width, least * np.abs(self.center)) / self.width


def of(wells: np.ndarray, method: str) -> Spread:
    """Return how much the features of wells (a row each) vary, as a method measures it."""
    center, width = (np.full(wells.shape[1], np.nan) for _ in range(2))
    there = np.isfinite(wells).any(axis=0)
    known = np.where(np.isfinite(wells), wells, np.nan)[:, there]
    if method == "mad_robustize":
        center[there] = np.nanmedian(known, axis=0)
        width[there] = MAD_TO_SIGMA * np.nanmedian(np.abs(known - center[there]), axis=0)
    elif method == "robustize":
        center[there] = np.nanmedian(known, axis=0)
        width[there] = np.nanpercentile(known, 75, axis=0) - np.nanpercentile(known, 25, axis=0)
    else:
        center[there] = np.nanmean(known, axis=0)
        # Of equal values the mean may be off by rounding, and their deviation then is not quite 0.
        flat = np.nanmax(known, axis=0) <= np.nanmin(known, axis=0)
        width[there] = np.where(flat, 0, np.nanstd(known, axis=0))
    return Spread(center, width)

"""Whiten wells against some of them as CPJUMP1 did: ZCA of the correlation matrix, bounded at its elbow.

It is not pycytominer's transform: the eigenvalues are bounded from below by a tenth of that at their elbow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from stagekit import program

LEAST_VARIANCE = 1e-3
LEAST_WELLS = 3
NOTHING = 1e-9  # of the largest eigenvalue


class Transform(NamedTuple):
    """(x - mean) * scale, then each of the `axes` (columns) stretched, and all that is across them by `rest`."""

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    stretch: np.ndarray
    rest: float
    elbow: int


def fit(wells: np.ndarray, plate_set: str) -> Transform:
    """Return the transform that whitens these wells.

    With fewer wells than features most eigenvalues of the correlation matrix are 0; the others and their axes come from
    the wells' own singular values, in seconds where the matrix of 5,800 features would take minutes.
    """
    if len(wells) < LEAST_WELLS:
        message = f"{plate_set}: {len(wells)} wells to fit on are too few"
        raise program.DataError(f"{message}; choose others by the samples setting of the stage")
    from kneed import KneeLocator  # takes a second, which a wrong flag need not wait for

    mean, variance = wells.mean(axis=0), wells.var(axis=0, ddof=1)
    spread = np.where(variance > 0, np.sqrt(variance), np.inf)  # a feature without spread correlates with none
    _, singular, axes = np.linalg.svd((wells - mean) / spread, full_matrices=False)
    eigenvalues = np.zeros(wells.shape[1])
    eigenvalues[: len(singular)] = singular**2 / (len(wells) - 1)
    places = range(len(eigenvalues))
    elbow = KneeLocator(places, eigenvalues, S=1.0, curve="convex", direction="decreasing").elbow
    # Wells vary in fewer directions than they are: an elbow beyond would stretch what rounding leaves of nothing.
    if elbow is None or eigenvalues[elbow] <= NOTHING * eigenvalues[0]:
        message = f"{plate_set}: the eigenvalues of the {len(wells)} wells to fit on have no elbow"
        raise program.DataError(f"{message}; choose other wells (the samples setting of the stage) or more plates")
    least = eigenvalues[elbow] / 10
    stretch = 1 / np.sqrt(np.maximum(eigenvalues[: len(singular)], least))
    scale = 1 / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return Transform(mean, scale, axes.T, stretch, 1 / float(np.sqrt(least)), int(elbow))


def apply(transform: Transform, values: np.ndarray) -> np.ndarray:
    """Return wells whitened: along each axis stretched by its own factor, across all of them by `rest`."""
    scaled = (values - transform.mean) * transform.scale
    along = scaled @ transform.axes
    return scaled * transform.rest + (along * (transform.stretch - transform.rest)) @ transform.axes.T

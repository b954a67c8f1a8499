"""Whiten wells against some of them as CPJUMP1 did: ZCA of the correlation matrix, bounded at its elbow.

It is not pycytominer's transform: the eigenvalues are bounded from below by a tenth of that at their elbow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from stagekit import program

LEAST_VARIANCE = 1e-3
LEAST_WELLS = 3


class Transform(NamedTuple):
    """(x - mean) * scale, then each of the `axes` (columns) stretched, and all that is across them by `rest`."""

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    stretch: np.ndarray
    rest: float
    elbow: int
    beyond: bool
    """Whether the elbow was looked for in vain among what the wells span, and the last of that stands for it."""


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
    # Beyond what the wells span there is rounding only, another one on each machine; a tenth of it would bound nothing.
    spanned = int(np.sum(singular > singular[0] * max(wells.shape) * np.finfo(float).eps))
    if elbow is None or not spanned:
        message = f"{plate_set}: the eigenvalues of the {len(wells)} wells to fit on have no elbow"
        raise program.DataError(f"{message}; choose other wells (the samples setting of the stage) or more plates")
    beyond = elbow >= spanned
    elbow = min(elbow, spanned - 1)
    least = eigenvalues[elbow] / 10
    stretch = 1 / np.sqrt(np.maximum(eigenvalues[: len(singular)], least))
    scale = 1 / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return Transform(mean, scale, axes.T, stretch, 1 / float(np.sqrt(least)), int(elbow), beyond)


def warning(transform: Transform, wells: int) -> str:
    """Say what it means that the elbow lies beyond what the wells span."""
    told = f"{wells} wells to fit on span {transform.elbow + 1} directions and their eigenvalues bend after"
    return f"{told} the last: a tenth of that one bounds them; more wells make the whitening surer"


def apply(transform: Transform, values: np.ndarray) -> np.ndarray:
    """Return wells whitened: along each axis stretched by its own factor, across all of them by `rest`."""
    scaled = (values - transform.mean) * transform.scale
    along = scaled @ transform.axes
    return scaled * transform.rest + (along * (transform.stretch - transform.rest)) @ transform.axes.T

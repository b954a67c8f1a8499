"""How well each well agrees with its replicates on all plates, from sums over the wells of a perturbation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from stored_plates import Features


def agreements(features: Features, samples: np.ndarray) -> np.ndarray:
    """Return each well's mean correlation with the other wells of its sample; NaN without any.

    With z(w) the features of a well, mean 0 and length 1, and S the sum of z over the n wells of its sample, this is
    (z(w) S - z(w) z(w)) / (n - 1). It is added up over the features, some at a time, so memory does not grow with them.
    """
    codes, _ = pd.factorize(samples)
    count = np.bincount(codes)[codes]
    mean, length = _shape(features)
    along, own = np.zeros(len(codes)), np.zeros(len(codes))  # own: 1; 0 for a well without spread
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for _, values in features.blocks():
        unit = np.divide(values - mean, length, out=np.zeros(values.shape), where=length > 0)
        sums = np.add.reduceat(unit[order], starts, axis=0)
        along += np.einsum("ij,ij->i", unit, sums[codes])
        own += np.einsum("ij,ij->i", unit, unit)
    known = (count > 1) & bool(features.names)
    return np.divide(along - own, count - 1, out=np.full(len(codes), np.nan), where=known)


def _shape(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each well's features, and the length of what is left without it, as columns."""
    found = [(own.mean(axis=1), own.std(axis=1) * np.sqrt(own.shape[1])) for own in features.rows() if own.shape[1]]
    mean, length = (np.concatenate([part[at] for part in found] or [np.zeros(features.wells)]) for at in (0, 1))
    return mean[:, None], length[:, None]

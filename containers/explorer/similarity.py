"""Where profiles lie beside each other: a map of two axes, and the nearest of each by cosine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BLOCK = 512
"""Rows that are compared with all at once."""
NONE = 2**32 - 1
"""In the place of a neighbour that there is not."""


class Nearest(NamedTuple):
    """The nearest of every row, the most similar first: their numbers (NONE: there is none), and their cosines."""

    rows: np.ndarray
    cosine: np.ndarray


def directions(values: np.ndarray) -> np.ndarray:
    """Return rows of length 1; a row of zeros stays one."""
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)


def nearest(unit: np.ndarray, most: int) -> Nearest:
    """Return the `most` nearest of every row by cosine, itself left out; of equals the first. Rows have length 1."""
    count = len(unit)
    index = np.full((count, most), NONE, np.int64)
    cosine = np.zeros((count, most), np.float32)
    kept = min(most, count - 1)
    for start in range(0, count if kept > 0 else 0, BLOCK):
        found = unit[start : start + BLOCK] @ unit.T
        rows = np.arange(len(found))
        found[rows, start + rows] = -np.inf
        # Stable, so that the order of equals does not depend on the block.
        order = np.argsort(-found, axis=1, kind="stable")[:, :kept]
        index[start + rows, :kept] = order
        cosine[start + rows, :kept] = np.take_along_axis(found, order, axis=1)
    return Nearest(index, np.clip(cosine, -1, 1))


def plane(unit: np.ndarray) -> np.ndarray:
    """Return each row's place on the first two principal axes (rows x 2); 0 on an axis that there is not.

    An axis points to where its largest part is positive: the sign is no accident of the machine.
    """
    found = np.zeros((len(unit), 2))
    if not unit.size:
        return found
    centred = unit - unit.mean(axis=0)
    # The smaller of the two products: its eigenvectors give the axes of either.
    wide = centred.shape[1] > len(centred)
    product = centred @ centred.T if wide else centred.T @ centred
    strengths, vectors = np.linalg.eigh(product)
    for axis in range(min(2, len(strengths))):
        vector = vectors[:, -1 - axis]
        strength = max(float(strengths[-1 - axis]), 0.0)
        place = vector * np.sqrt(strength) if wide else centred @ vector
        loading = centred.T @ place if wide else vector
        sign = 1.0 if not loading.size or loading[np.argmax(np.abs(loading))] >= 0 else -1.0
        found[:, axis] = sign * place
    return found

"""Zernike moments of objects' shapes, as centrosome.zernike.zernike gives them, on the objects' pixels only.

centrosome spreads each of its 30 complex polynomials over the whole image before it adds them up.
"""

from __future__ import annotations

import numpy as np
from centrosome.cpmorphology import minimum_enclosing_circle
from centrosome.zernike import construct_zernike_polynomials


def zernike(zernike_indexes: np.ndarray, labels: np.ndarray, indexes: np.ndarray) -> np.ndarray:
    """Return the scores of every polynomial (columns) for every object of `indexes` (rows)."""
    indexes = np.array(indexes, dtype=np.int32)
    row_of = np.full(max(int(indexes.max()), int(labels.max())) + 1, -1)
    row_of[indexes] = np.arange(len(indexes))
    y, x = np.nonzero(row_of[labels] != -1)
    rows = row_of[labels[y, x]]
    centres, radii = minimum_enclosing_circle(labels, indexes)
    radii = np.asarray(radii, dtype=float)
    across, down = (x - centres[rows, 1]) / radii[rows], (y - centres[rows, 0]) / radii[rows]
    scores = np.empty((len(indexes), len(zernike_indexes)))
    for order in np.unique(zernike_indexes[:, 1]):  # polynomials of one order share the costly power of that order
        columns = np.flatnonzero(zernike_indexes[:, 1] == order)
        polynomials = construct_zernike_polynomials(across, down, zernike_indexes[columns])
        for column, polynomial in zip(columns, polynomials.T):
            real, imaginary = (
                np.bincount(rows, weights=part, minlength=len(indexes)) for part in (polynomial.real, polynomial.imag)
            )
            scores[:, column] = np.sqrt(real**2 + imaginary**2) / (radii**2 * np.pi)
    return scores

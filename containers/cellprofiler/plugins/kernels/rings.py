"""Rings and wedges of objects, as MeasureObjectIntensityDistribution defines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import scipy.sparse

from kernels.library import DOUBLES, INT, INTS, SIGNS, function

WEDGES = 8
_spread = function("spread", [SIGNS, INT, INT, INTS, INT, INTS, INTS, DOUBLES])


def distance_to_edge(labels: np.ndarray) -> np.ndarray:
    """Return how far each pixel of an object is from the next pixel that is not of it, found object by object.

    centrosome transforms the whole image once for each group of objects that do not touch. The way from a pixel to the
    nearest one beyond its object leaves the object at a pixel beside it; so a frame of one pixel is all that matters.
    """
    distances = np.zeros(labels.shape)
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        framed = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        inside = labels[framed] == number
        distances[framed][inside] = scipy.ndimage.distance_transform_edt(inside)[inside]
    return distances


def spread(image: np.ndarray, labels: np.ndarray, mask: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Return whose centre each pixel is reached from and how far that is, as centrosome.propagate.propagate does.

    For a flat image, a weight of 1, and objects that do not touch within the mask: none can take another's pixels.
    """
    seeds = np.flatnonzero((labels != 0) & mask).astype(np.int32)
    distances = np.where(labels > 0, 0.0, -1.0)
    reached = labels.astype(np.int32)
    buckets = np.empty(3 * labels.size, np.int32)
    _spread(mask.astype(np.int8), *labels.shape, seeds, len(seeds), buckets, reached, distances)
    return reached, distances


@dataclass(frozen=True)
class Distribution:
    """What rings and wedges hold of the light of one image."""

    fraction: np.ndarray  # of the object's light: (object, ring)
    mean_fraction: np.ndarray  # that, to the ring's share of the object's pixels
    values: np.ndarray  # light: (object, ring * WEDGES + wedge)


class Rings:
    """The pixels of a set of objects, each with its object, ring and wedge; one ring more lies beyond the last."""

    def __init__(self, labels: np.ndarray, geometry: list[np.ndarray], rings: int) -> None:
        distance, centre_y, centre_x, good = geometry
        self.rings, self.objects = rings, int(labels.max())
        self.inside = np.flatnonzero(good)
        self.rows = labels.ravel()[self.inside] - 1
        self.ring = np.minimum((distance.ravel()[self.inside] * rings).astype(int), rings)
        y, x = np.divmod(self.inside, labels.shape[1])
        up, left = (centre.ravel()[self.inside] for centre in (centre_y, centre_x))
        wedge = (y > up) + 2 * (x > left) + 4 * (abs(y - up) > abs(x - left))
        self.places = self.ring * WEDGES + wedge
        ones = np.ones(len(self.inside))
        self.counts = self._sums(ones, self.places, (rings + 1) * WEDGES)
        in_rings = self._sums(ones, self.ring, rings + 1)
        self.share = in_rings / in_rings.sum(axis=1)[:, np.newaxis]

    def _sums(self, values: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
        # As stock adds: pixel by pixel, in the type of the values.
        return scipy.sparse.coo_matrix((values, (self.rows, columns)), (self.objects, width)).toarray()

    def of(self, pixels: np.ndarray) -> Distribution:
        """Return what an image holds."""
        values = pixels.ravel()[self.inside]
        in_rings = self._sums(values, self.ring, self.rings + 1)
        fraction = in_rings / in_rings.sum(axis=1)[:, np.newaxis]
        mean_fraction = fraction / (self.share + np.finfo(float).eps)
        return Distribution(fraction, mean_fraction, self._sums(values, self.places, (self.rings + 1) * WEDGES))

    def variation(self, found: Distribution, ring: int) -> np.ndarray:
        """Return the coefficient of variation of a ring's wedges; 0 for an object that has no pixel there."""
        wedges = slice(ring * WEDGES, (ring + 1) * WEDGES)
        counts = self.counts[:, wedges]
        means = np.ma.masked_array(found.values[:, wedges] / counts, counts == 0)
        variation = np.std(means, 1) / np.mean(means, 1)
        variation[(counts == 0).all(axis=1)] = 0
        return np.array(variation)

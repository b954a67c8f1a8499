"""Haralick's texture features of objects and of whole images, as mahotas.features.haralick gives them."""

from __future__ import annotations

import mahotas.features
import numpy as np
import scipy.ndimage

from kernels.assumptions import Unsuited
from kernels.library import BYTES, DOUBLES, INT, INTS, function

DIRECTIONS, FEATURES, LEVELS = 4, 13, 256
COUNTERS = 4  # as in haralick.c
FRAGILE, EMPTY = 1, 2  # states of an object, as haralick.c names them
_haralick = function(
    "haralick_objects", [BYTES, INTS, INT, INTS, INT, INT, BYTES, INTS, INTS, DOUBLES, INTS]
)  # fmt: skip
_haralick_image = function("haralick_image", [BYTES, INT, INT, INT, INTS, INTS, INTS, DOUBLES], INT)


class Objects:
    """A label image with the box of each object; a number that no object bears has an empty box."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = np.ascontiguousarray(labels, np.int32)
        self.slices = scipy.ndimage.find_objects(self.labels)
        self.boxes = np.array([_box(found) for found in self.slices], np.int32).reshape(-1, 4)
        self.present = np.array([found is not None for found in self.slices], bool)
        self.largest = max([(box[2] - box[0]) * (box[3] - box[1]) for box in self.boxes.astype(int)], default=0)


def _box(found: tuple[slice, slice] | None) -> tuple[int, int, int, int]:
    if found is None:
        return 0, 0, 0, 0
    rows, columns = found
    return rows.start, columns.start, rows.stop, columns.stop


def haralick(grey: np.ndarray, objects: Objects, distance: int) -> np.ndarray:
    """Return (direction, feature, object) for the objects that are there; NaN for one without neighbours.

    Where a feature hangs on the last bits of mahotas's own sums, the object is given to mahotas.
    """
    count = len(objects.boxes)
    features, state = np.empty((count, DIRECTIONS, FEATURES)), np.empty(count, np.int32)
    crop = np.empty(objects.largest, np.uint8)
    pairs, seen = np.zeros(LEVELS * LEVELS, np.int32), np.empty(LEVELS * LEVELS, np.int32)
    grey = np.ascontiguousarray(grey)
    width = grey.shape[1]
    _haralick(grey, objects.labels, width, objects.boxes, count, distance, crop, pairs, seen, features, state)
    features[state == EMPTY] = np.nan
    for index in np.flatnonzero((state == FRAGILE) & objects.present):
        where = objects.slices[index]
        own = grey[where] * (objects.labels[where] == index + 1)
        features[index] = mahotas.features.haralick(own, distance=distance, ignore_zeros=True)
    return np.ascontiguousarray(features[objects.present].transpose(1, 2, 0))


def haralick_of_image(grey: np.ndarray, distance: int) -> np.ndarray:
    """Return (direction, feature) of a whole image; raise Unsuited if it has no neighbours at this distance."""
    features = np.empty((DIRECTIONS, FEATURES))
    pairs, seen = np.zeros(LEVELS * LEVELS, np.int32), np.empty(LEVELS * LEVELS, np.int32)
    grey = np.ascontiguousarray(grey)
    counts = np.zeros(COUNTERS * LEVELS * LEVELS, np.int32)
    state = _haralick_image(grey, *grey.shape, distance, counts, pairs, seen, features)
    if state == EMPTY:
        raise Unsuited(f"it has no pixels that lie {distance} apart")
    return mahotas.features.haralick(grey, distance=distance) if state == FRAGILE else features

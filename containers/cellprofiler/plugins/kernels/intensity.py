"""Intensities of objects and of their edges, as MeasureObjectIntensity defines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage

from kernels.grouped_pixels import Objects
from kernels.library import DOUBLES, FLOATS, INTS, LONG, LONGS, WORDS, function

SUMS = 6  # as intensity.c orders them
_intensity = function("intensity", [LONGS, LONG, FLOATS, LONGS, LONGS, DOUBLES, LONGS, INTS])
_sort_objects = function("sort_objects", [LONGS, LONG, FLOATS, WORDS, INTS, FLOATS])
_middle_distances = function("middle_distances", [LONGS, LONG, FLOATS, DOUBLES, DOUBLES, DOUBLES])


class EdgedObjects:
    """Objects with their edges, and where each pixel lies."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self.whole, self.edge = Objects(labels), Objects(np.where(edges(labels), labels, 0))
        self.count = self.whole.count
        self.edge.starts = _padded(self.edge.starts, self.count)
        self.areas = np.diff(self.whole.starts)
        self.there = np.flatnonzero(self.areas)
        self.y, self.x = np.divmod(self.whole.pixels, labels.shape[1])
        self.edge_y, self.edge_x = np.divmod(self.edge.pixels, labels.shape[1])
        with np.errstate(invalid="ignore"):
            self.centre_x, self.centre_y = (self._sums(along) / self.areas for along in (self.x, self.y))

    def _sums(self, along: np.ndarray) -> np.ndarray:
        return np.diff(np.concatenate([[0], np.cumsum(along)])[self.whole.starts]).astype(float)


def _padded(starts: np.ndarray, count: int) -> np.ndarray:
    """Return the starts for `count` objects: the last ones may have no edge."""
    return np.concatenate([starts, np.full(count + 1 - len(starts), starts[-1])])


def edges(labels: np.ndarray) -> np.ndarray:
    """Return the pixels of objects beside another label: skimage.segmentation.find_boundaries(mode="inner")."""
    differ = np.zeros(labels.shape, bool)
    for near, far in (((slice(1, None),), (slice(None, -1),)), ((..., slice(1, None)), (..., slice(None, -1)))):
        other = labels[near] != labels[far]
        differ[near] |= other
        differ[far] |= other
    return differ & (labels != 0)


@dataclass(frozen=True)
class Sums:
    """What the pixels of each object add up to; `place` is that of the brightest."""

    integrated: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    least: np.ndarray
    most: np.ndarray
    moment_x: np.ndarray
    moment_y: np.ndarray
    place: np.ndarray
    tied: np.ndarray


def sums(values: np.ndarray, objects: Objects, x: np.ndarray, y: np.ndarray, count: int) -> Sums:
    """Add up the pixels of each object."""
    found, place, tied = np.empty((count, SUMS)), np.empty(count, np.int64), np.empty(count, np.int32)
    _intensity(objects.starts, count, values, x, y, found, place, tied)
    integrated, squares, least, most, moment_x, moment_y = found.T
    areas = np.diff(objects.starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, deviation = integrated / areas, np.sqrt(squares / areas)
    return Sums(integrated, mean, deviation, least, most, moment_x, moment_y, place, tied.astype(bool))


def measure(pixels: np.ndarray, objects: EdgedObjects) -> dict[str, np.ndarray]:
    """Return MeasureObjectIntensity's features by its own names; 0 for a number that no object bears."""
    count, there = objects.count, objects.there
    values = pixels.ravel()[objects.whole.pixels]
    own = sums(values, objects.whole, objects.x, objects.y, count)
    most_x, most_y = _brightest(pixels, values, objects, own)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre_x, centre_y = own.moment_x / own.integrated, own.moment_y / own.integrated
        centre_z = 0.0 / own.integrated  # stock's third axis: no number where there is no light
    off_x, off_y, off_z = objects.centre_x - centre_x, objects.centre_y - centre_y, 0.0 - centre_z
    found = {
        "IntegratedIntensity": own.integrated,
        "MeanIntensity": own.mean,
        "StdIntensity": own.deviation,
        "MinIntensity": own.least,
        "MaxIntensity": own.most,
        "MassDisplacement": np.sqrt(off_x * off_x + off_y * off_y + off_z * off_z),
        "CenterMassIntensity_X": centre_x,
        "CenterMassIntensity_Y": centre_y,
        "CenterMassIntensity_Z": centre_z,
        "MaxIntensity_X": most_x,
        "MaxIntensity_Y": most_y,
        "MaxIntensity_Z": np.zeros(count),
        **_order_statistics(values, objects),
        **_edge(pixels, objects),
    }
    whole = {}
    for name, array in found.items():
        whole[name] = np.zeros(count)
        whole[name][there] = array[there]
    return whole


def _brightest(pixels: np.ndarray, values: np.ndarray, objects: EdgedObjects, own: Sums) -> tuple[np.ndarray, ...]:
    """Return where each object is brightest; scipy chooses among equals, by the way in which numpy sorts."""
    place = np.minimum(own.place, max(len(values) - 1, 0))
    if not own.tied.any():
        return (objects.x[place], objects.y[place]) if len(values) else (place, place)
    inside = objects.whole.inside
    labels = objects.labels.ravel()[inside]
    found = scipy.ndimage.maximum_position(pixels.ravel()[inside], labels, np.arange(1, objects.count + 1))
    y, x = np.divmod(inside[np.array(found, int).ravel()], objects.labels.shape[1])
    return x, y


def _order_statistics(values: np.ndarray, objects: EdgedObjects) -> dict[str, np.ndarray]:
    count, there = objects.count, objects.there
    ordered = np.empty_like(values)
    scratch, order = np.empty(2 * len(values), np.uint64), np.empty(len(values), np.int32)
    _sort_objects(objects.whole.starts, count, values, scratch, order, ordered)
    found = {}
    for name, fraction in (("LowerQuartile", 0.25), ("Median", 0.5), ("UpperQuartile", 0.75)):
        first, area = objects.whole.starts[:-1][there], objects.areas[there]
        index = first.astype(float) + area * fraction
        part, index = index - np.floor(index), index.astype(int)
        within = index < first + area - 1
        following = np.where(within, index + 1, index)
        quantile = np.where(within, ordered[index] * (1 - part) + ordered[following] * part, ordered[index])
        found[f"{name}Intensity"] = np.zeros(count)
        found[f"{name}Intensity"][there] = quantile
    low, high = np.empty(count), np.empty(count)
    _middle_distances(objects.whole.starts, count, ordered, found["MedianIntensity"], low, high)
    within, part = objects.areas // 2 < objects.areas - 1, objects.areas / 2 - objects.areas // 2
    found["MADIntensity"] = np.where(within, low * (1 - part) + high * part, low)
    return found


def _edge(pixels: np.ndarray, objects: EdgedObjects) -> dict[str, np.ndarray]:
    names = ("IntegratedIntensityEdge", "MeanIntensityEdge", "StdIntensityEdge", "MinIntensityEdge", "MaxIntensityEdge")
    if not len(objects.edge.pixels):  # one object that fills the image
        return {name: np.zeros(objects.count) for name in names}
    values = pixels.ravel()[objects.edge.pixels]
    own = sums(values, objects.edge, objects.edge_x, objects.edge_y, objects.count)
    return dict(zip(names, (own.integrated, own.mean, own.deviation, own.least, own.most)))

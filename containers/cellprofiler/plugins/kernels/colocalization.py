"""How channels agree within objects, as MeasureColocalization defines it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from kernels.grouped_pixels import Objects
from kernels.library import DOUBLES, FLOATS, INT, INTS, LONG, LONGS, WORDS, function

CHANNEL = [FLOATS, INTS, DOUBLES, DOUBLES, FLOATS]
SUMS = 8  # as colocalization.c orders them
_dense_ranks = function("dense_ranks", [FLOATS, INT, WORDS, INTS, INTS], INT)
_describe = function("describe", [LONGS, LONG, FLOATS, ctypes.c_float, DOUBLES, DOUBLES, FLOATS, DOUBLES])
_colocalize = function("colocalize", [LONGS, LONG, INT, *CHANNEL, *CHANNEL, DOUBLES], LONG)


class RankedImage:
    """An image with the dense rank of every pixel: equal values have equal ranks, without gaps."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels.ravel()
        self.ranks = np.empty(pixels.size, np.int32)
        scratch, order = np.empty(2 * pixels.size, np.uint64), np.empty(pixels.size, np.int32)
        self.levels = _dense_ranks(self.pixels, pixels.size, scratch, order, self.ranks)


@dataclass(frozen=True)
class Channel:
    """A channel under a set of objects: values and ranks of the pixels, and sums of the objects."""

    values: np.ndarray
    ranks: np.ndarray
    levels: int
    mean: np.ndarray
    deviation: np.ndarray
    threshold: np.ndarray
    total: np.ndarray

    @property
    def words(self) -> tuple[np.ndarray, ...]:
        return self.values, self.ranks, self.mean, self.deviation, self.threshold


def channel(image: RankedImage, objects: Objects, percent: float) -> Channel:
    """Describe an image under objects; `percent` of an object's brightest pixel is its threshold."""
    values, ranks = image.pixels[objects.pixels], image.ranks[objects.pixels]
    there = np.zeros(image.levels, np.int32)
    there[ranks] = 1
    among = np.cumsum(there, dtype=np.int32)  # ranks among the objects' pixels only
    mean, deviation, total = (np.empty(objects.count) for _ in range(3))
    threshold = np.empty(objects.count, np.float32)
    _describe(objects.starts, objects.count, values, percent / 100, mean, deviation, threshold, total)
    levels = int(among[-1]) if len(among) else 0
    return Channel(values, among[ranks] - np.int32(1), levels, mean, deviation, threshold, total)


@dataclass(frozen=True)
class Agreement:
    """What a pair of channels has in common, object by object; `k` and the like hold one array for each channel."""

    correlation: np.ndarray
    manders: tuple[np.ndarray, np.ndarray]
    rank_weighted: tuple[np.ndarray, np.ndarray]
    overlap: np.ndarray
    k: tuple[np.ndarray, np.ndarray]


def agreement(first: Channel, second: Channel, objects: Objects) -> Agreement:
    """Return how two channels agree within each object."""
    found = np.zeros((objects.count, SUMS))
    levels = max(first.levels, second.levels)
    bright = _colocalize(objects.starts, objects.count, levels, *first.words, *second.words, found)
    correlation, own, other, own_ranked, other_ranked, own_squared, other_squared, product = found.T.copy()
    correlation[objects.empty] = np.nan
    if not bright:
        zero = np.zeros(objects.count)
        return Agreement(correlation, (zero, zero), (zero, zero), zero, (zero, zero))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Agreement(
            correlation,
            (own / first.total, other / second.total),
            (own_ranked / first.total, other_ranked / second.total),
            product / np.sqrt(own_squared * other_squared),
            (product / own_squared, product / other_squared),
        )

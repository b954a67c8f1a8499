"""Pearson's r of every two features over the wells of many plates, added up plate by plate.

Memory grows with the square of the features, not with the plates. r is what one product over all wells gives, but for
rounding (some 1e-14): where that could decide whether r is above a threshold, all wells are multiplied at once.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple

import numpy as np
from stored_plates import VALUES_AT_ONCE, WELLS_AT_ONCE, Features

ROUNDING = 1e-10
"""By more than this no two orders of adding a million products of standardized values differ."""


class Scale(NamedTuple):
    """By what each feature is standardized over all wells."""

    mean: np.ndarray
    spread: np.ndarray
    """The standard deviation; 1 where a feature is flat."""
    flat: np.ndarray
    """Whether a feature has no two different values."""
    known: np.ndarray
    """How many wells have a finite value."""


def correlate(features: Features, threshold: float) -> np.ndarray:
    """Return r of every two features over the wells where both have a finite value; 0 where it is not defined.

    Whether an r is above the threshold is decided as by one product over all wells.
    """
    sums = _Sums(_scale(features), features.wells)
    parts = 0
    for values in features.rows():
        sums.add(values)
        parts += 1
    r = sums.correlations()
    if parts > 1:
        _decide(r, features, threshold)
    return r


def _decide(r: np.ndarray, features: Features, threshold: float) -> None:
    """Replace what lies so near the threshold that rounding decides."""
    near = [np.abs(row - threshold) < ROUNDING for row in r]
    for at, row in enumerate(near):
        row[at] = False  # a feature and itself
    doubtful = np.flatnonzero([row.any() for row in near])
    blocks = list(_blocks(doubtful, max(features.features_at_once() // 2, 1)))
    for number, some in enumerate(blocks):
        for others in blocks[number:]:
            if any(near[at][others].any() for at in some):
                places = np.union1d(some, others)
                r[np.ix_(places, places)] = _at_once(features.of([features.names[at] for at in places]))


def _at_once(features: Features) -> np.ndarray:
    sums = _Sums(_scale(features), features.wells)
    sums.add(np.ascontiguousarray(features.columns()))
    return sums.correlations()


def _scale(features: Features) -> Scale:
    count = len(features.names)
    mean, spread, flat, known = np.zeros(count), np.ones(count), np.zeros(count, dtype=bool), np.zeros(count)
    columns = (column for _, values in features.blocks() for column in values.T)
    for at, column in enumerate(columns):
        own = column[np.isfinite(column)]
        known[at] = len(own)
        flat[at] = len(own) == 0 or own.max() <= own.min()
        if not flat[at]:
            mean[at], spread[at] = own.mean(), own.std()
    return Scale(mean, spread, flat, known)


def _blocks(places: np.ndarray, width: int) -> Iterator[np.ndarray]:
    for start in range(0, len(places), width):
        yield places[start : start + width]


class _Sums:
    """Sums over wells of the products of standardized values z, a missing value 0.

    Of the features y that some well lacks: sums of z(x) and z(x)^2 over the wells where y is there, and in how many
    wells two of them are.
    """

    def __init__(self, scale: Scale, wells: int) -> None:
        self.scale, self.wells = scale, wells
        self.holey = np.flatnonzero(scale.known < wells)
        features, holey = len(scale.mean), len(self.holey)
        self.products = np.zeros((features, features))
        self.sum_x, self.square_x = np.zeros((features, holey)), np.zeros((features, holey))
        self.shared = np.zeros((holey, holey))
        self.sum_y, self.square_y = np.zeros(holey), np.zeros(holey)

    def add(self, values: np.ndarray) -> None:
        """Add wells, a row each; the array is changed."""
        there = np.isfinite(values)
        values -= self.scale.mean
        values /= self.scale.spread
        values[~there] = 0
        values[:, self.scale.flat] = 0
        self.products += values.T @ values
        if not len(self.holey):
            return
        other = values[:, self.holey]
        self.sum_y += other.sum(axis=0)
        self.square_y += (other * other).sum(axis=0)
        for start in range(0, len(values), WELLS_AT_ONCE):
            part = values[start : start + WELLS_AT_ONCE]
            mask = there[start : start + WELLS_AT_ONCE, self.holey].astype("float64")
            self.sum_x += part.T @ mask
            self.square_x += (part * part).T @ mask
            self.shared += mask.T @ mask

    def correlations(self) -> np.ndarray:
        """Return r; the products become it, so that the two are not in memory together."""
        r, width = self.products, max(VALUES_AT_ONCE // max(len(self.products), 1) // 4, 1)
        blocks = list(_blocks(np.arange(len(self.holey)), width))
        for block in blocks:
            r[:, self.holey[block]] = self._pairwise(block)
        whole = self.scale.known == self.wells
        np.divide(r, self.wells, out=r, where=whole[None, :])
        for block in blocks:
            r[self.holey[block]] = r[:, self.holey[block]].T
        r[self.scale.flat] = r[:, self.scale.flat] = 0
        return r

    def _pairwise(self, block: np.ndarray) -> np.ndarray:
        """Return r of every feature x with some of the holey ones, y, over the wells that both have.

        Where x has all values, the sums of y are those of all its values; else those of x, seen from y.
        """
        own = self.holey[block]

        def seen_from_y(of_all: np.ndarray, of_holey: np.ndarray) -> np.ndarray:
            seen = np.tile(of_all, (len(self.products), 1))
            seen[self.holey] = of_holey
            return seen

        count = seen_from_y(self.scale.known[own], self.shared[:, block])
        sum_x, sum_y = self.sum_x[:, block], seen_from_y(self.sum_y[block], self.sum_x[own].T)
        square_y = seen_from_y(self.square_y[block], self.square_x[own].T)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread_x, spread_y = self.square_x[:, block] - sum_x**2 / count, square_y - sum_y**2 / count
            r = (self.products[:, own] - sum_x * sum_y / count) / np.sqrt(spread_x * spread_y)
        tiny = 1e-12 * np.maximum(count, 1)  # what rounding leaves of a spread of nothing
        return np.where((spread_x > tiny) & (spread_y > tiny), r, 0)

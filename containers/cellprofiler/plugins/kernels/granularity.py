"""A granular spectrum, as MeasureGranularity defines it (scipy's resampling, scikit-image's morphology)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.assumptions import Unsuited
from kernels.library import DOUBLES, FLOATS, INT, INTS, WORDS, function

AXES = [INTS, INTS, DOUBLES, DOUBLES] * 2
_erode = function("erode_disk", [FLOATS, INT, INT, INT, FLOATS, FLOATS])
_build = function("build_tree", [FLOATS, INT, INT, WORDS, INTS, INTS, INTS, INTS, FLOATS, INTS], INT)
_reconstruct = function("reconstruct", [FLOATS, INT, INTS, INT, FLOATS, INTS, FLOATS, FLOATS, DOUBLES])
_resample = function("resample", [DOUBLES, INT, *AXES, INT, INT, DOUBLES, DOUBLES])
_sum_resampled = function("sum_resampled", [DOUBLES, INT, *AXES, INTS, INT, DOUBLES, DOUBLES])


class Axis:
    """Positions along an axis of `length` pixels, as scipy.ndimage.map_coordinates(order=1) takes them."""

    def __init__(self, positions: np.ndarray, length: int) -> None:
        self.inside = (positions >= 0) & (positions <= length - 1)
        below = np.floor(np.where(self.inside, positions, 0))
        weight = 1.0 - (positions - below)
        self.first = below.astype(np.int32)
        self.second = np.minimum(self.first + 1, length - 1).astype(np.int32)
        self.first_weight = np.where(self.inside, weight, 0.0)  # what lies outside is 0
        self.second_weight = np.where(self.inside, 1.0 - weight, 0.0)

    def __len__(self) -> int:
        return len(self.first)

    @property
    def words(self) -> tuple[np.ndarray, ...]:
        return self.first, self.second, self.first_weight, self.second_weight


Grid = tuple[Axis, Axis]


def grid(positions: Sequence[np.ndarray], shape: tuple[int, ...]) -> Grid:
    """Return where an image of this shape is sampled."""
    rows, columns = (Axis(along, length) for along, length in zip(positions, shape))
    return rows, columns


def reduced(shape: np.ndarray, factor: float) -> list[np.ndarray]:
    """Return the positions at which stock subsamples an image to this shape (which need not be whole)."""
    return [np.arange(np.ceil(side)) / factor for side in shape]


def stretched(source: np.ndarray, target: np.ndarray) -> list[np.ndarray]:
    """Return the positions at which stock brings an image of the shape `source` back to `target`."""
    return [np.arange(np.ceil(after)) * (float(before - 1) / float(after - 1)) for before, after in zip(source, target)]


def resample(image: np.ndarray, where: Grid) -> np.ndarray:
    """Return an image sampled on a grid, in its own type."""
    rows, columns = where
    out = np.empty((len(rows), len(columns)))
    source = np.ascontiguousarray(image, np.float64)
    width = image.shape[1]
    _resample(source, width, *rows.words, *columns.words, *out.shape, np.empty(2 * width), out)
    return out.astype(image.dtype)


def erode(image: np.ndarray, radius: int) -> np.ndarray:
    """Return the erosion by a disk, as skimage.morphology.erosion gives it."""
    out = np.empty_like(image)
    _erode(image, *image.shape, radius, np.empty_like(image), out)
    return out


def dilate(image: np.ndarray, radius: int) -> np.ndarray:
    """Return the dilation by a disk."""
    return -erode(-image, radius)


class Tree:
    """The max-tree of an image, for reconstructions under it (as skimage.morphology.reconstruction, by a cross)."""

    def __init__(self, image: np.ndarray) -> None:
        count = image.size
        order, parent, above, self.node, node_parent = (np.empty(count, np.int32) for _ in range(5))
        level = np.empty(count, np.float32)
        scratch = np.empty(2 * count, np.uint64)
        nodes = _build(image, *image.shape, scratch, order, parent, above, self.node, level, node_parent)
        self.level, self.node_parent = level[:nodes].copy(), node_parent[:nodes].copy()
        self.scratch = np.empty(nodes, np.float32), np.empty(nodes, np.float32)

    def reconstruct(self, marker: np.ndarray) -> np.ndarray:
        """Return the reconstruction by dilation of a marker that is nowhere above the image."""
        out = np.empty(marker.shape)
        _reconstruct(marker, marker.size, self.node, len(self.level), self.level, self.node_parent, *self.scratch, out)
        return out


class Objects:
    """Sets of objects of one image as runs of pixels, so that one pass adds up all of them."""

    def __init__(self, sets: Sequence[np.ndarray]) -> None:
        self.sizes = [int(labels.max()) for labels in sets]
        first = np.cumsum([0, *self.sizes])
        runs = [_runs(labels, offset) for labels, offset in zip(sets, first)]
        together = np.concatenate([np.empty((0, 4), np.int32), *runs])
        self.runs = np.ascontiguousarray(together[np.argsort(together[:, 0], kind="stable")])
        lengths = self.runs[:, 2] - self.runs[:, 1]
        self.counts = np.bincount(self.runs[:, 3], weights=lengths, minlength=first[-1]).astype(np.int64)

    def means(self, image: np.ndarray, where: Grid) -> list[np.ndarray]:
        """Return for each set the mean of every object over an image sampled on a grid."""
        rows, columns = where
        sums, width = np.zeros(len(self.counts)), image.shape[1]
        source, scratch = np.ascontiguousarray(image, np.float64), np.empty(2 * width + len(columns))
        _sum_resampled(source, width, *rows.words, *columns.words, self.runs, len(self.runs), scratch, sums)
        with np.errstate(invalid="ignore"):  # a number that no object bears
            return np.split(sums / self.counts, np.cumsum(self.sizes)[:-1]) if self.sizes else []


def _runs(labels: np.ndarray, offset: int) -> np.ndarray:
    """Return (row, first column, one past the last, index) of every run of equal labels other than 0."""
    width = labels.shape[1]
    flat = labels.ravel()
    begins = np.concatenate([[True], flat[1:] != flat[:-1]])
    begins[::width] = True
    start = np.flatnonzero(begins)
    end = np.append(start[1:], flat.size)
    kept = flat[start] > 0
    start, end = start[kept], end[kept]
    column = start % width
    runs = np.stack([start // width, column, column + end - start, flat[start].astype(np.int64) - 1 + offset], axis=1)
    return runs.astype(np.int32)


@dataclass(frozen=True)
class Settings:
    """The module's settings: two subsampling factors (of 1 at most), a radius and a number of steps (pixels)."""

    subsample: float
    background_subsample: float
    radius: int
    steps: int


@dataclass(frozen=True)
class Prepared:
    """An image without its background, and the grid that brings it back to the original's size."""

    pixels: np.ndarray
    back: Grid


def prepare(image: np.ndarray, settings: Settings) -> Prepared:
    """Return the subsampled image less its opening by a large disk; raise Unsuited if the sampling leaves the image."""
    shape = np.array(image.shape)
    pixels = image.copy()
    if settings.subsample < 1:
        shape = shape * settings.subsample
        pixels = _reduce(image, shape, settings.subsample)
    back_shape, background = shape, pixels
    if settings.background_subsample < 1:
        back_shape = shape * settings.background_subsample
        background = _reduce(pixels, back_shape, settings.background_subsample)
    background = dilate(erode(background, settings.radius), settings.radius)
    if settings.background_subsample < 1:
        background = resample(background, grid(stretched(back_shape, shape), background.shape))
    if background.shape != pixels.shape:
        raise Unsuited(f"the background is {background.shape}, the image {pixels.shape}")
    pixels -= background
    pixels[pixels < 0] = 0
    return Prepared(pixels, grid(stretched(shape, np.array(image.shape)), pixels.shape))


def _reduce(image: np.ndarray, shape: np.ndarray, factor: float) -> np.ndarray:
    if min(image.shape) < 2 or min(shape) <= 1:
        raise Unsuited(f"it is too small to be subsampled by {factor}")
    where = grid(reduced(shape, factor), image.shape)
    if not all(axis.inside.all() for axis in where):  # stock masks what it samples beyond the edge
        raise Unsuited(f"subsampling by {factor} leaves the image")
    return resample(image, where)


def openings(pixels: np.ndarray, steps: int) -> Iterator[np.ndarray]:
    """Yield the reconstruction under an image of each of its successive erosions by a cross."""
    tree, eroded = Tree(pixels), pixels
    for _ in range(steps):
        eroded = erode(eroded, 1)
        yield tree.reconstruct(eroded)

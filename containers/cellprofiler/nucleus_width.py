"""Find what looks like a nucleus at any magnification, to learn how wide and how bright nuclei are.

It is no segmentation to measure by: what touches another nucleus, or the border, is passed over, not told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np
from scipy import ndimage
from skimage import filters, measure

LEAST_SOLID = 0.9
"""Of its convex hull a nucleus fills more, and two that touch less."""
LEAST_PIXELS = 20
MOST_OBJECTS = 2000
"""A site with more bright specks is noise; the largest are looked at."""
ROUNDS = 3
SMOOTHING = 0.07
"""How much is smoothed before the threshold: this part of a nucleus's width."""
NOISE_TIMES = 4.0
"""A nucleus is so many times the noise brighter than the background."""


class Found(NamedTuple):
    """Objects that are shaped as nuclei: their widths (of circles of the same area, in pixels) and areas."""

    widths: np.ndarray
    areas: np.ndarray


def joined(each: Sequence[Found]) -> Found:
    """Return the objects of several sites."""
    return Found(np.concatenate([one.widths for one in each]), np.concatenate([one.areas for one in each]))


def usual(found: Found) -> float:
    """Return the width that half of all nuclear area is below: specks of dust are many, but cover little."""
    order = np.argsort(found.widths)
    covered = np.cumsum(found.areas[order])
    return float(found.widths[order][np.searchsorted(covered, covered[-1] / 2)])


def find(image: np.ndarray) -> Found:
    """Return what has the shape of nuclei in an image from 0 to 1; the smoothing follows the width that it finds."""
    sigma, found = 1.0, Found(np.empty(0), np.empty(0))
    for _ in range(ROUNDS):
        mask = _mask(image, sigma)
        more = _solid(mask)
        if not more.widths.size:
            return found
        found = more
        sigma = max(1.0, SMOOTHING * usual(found))
    return found


def _mask(image: np.ndarray, sigma: float) -> np.ndarray:
    smooth = ndimage.gaussian_filter(image - np.percentile(image, 5), sigma)
    threshold = _threshold(smooth)
    noise = 1.4826 * float(np.median(np.abs(image - ndimage.gaussian_filter(image, 1.0))))
    if threshold < NOISE_TIMES * noise / max(1.0, 2 * np.sqrt(np.pi) * sigma):  # what a blur of sigma leaves of noise
        return np.zeros(image.shape, bool)
    # On a sparse site the threshold is low, and takes the halo of nuclei in: they end where they are half as bright.
    bright = smooth[smooth > threshold]
    half = 0.5 * float(np.median(bright)) if bright.size else threshold
    return ndimage.binary_fill_holes(smooth > max(threshold, half))


def _threshold(image: np.ndarray) -> float:
    """Return the threshold of least cross-entropy, as CellProfiler's default."""
    least, most = float(image.min()), float(image.max())
    return float(filters.threshold_li(image)) if most > least else most


def _solid(mask: np.ndarray) -> Found:
    """Return the objects of a mask that are round enough, whole, and not of a few pixels."""
    labels, count = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    large = np.flatnonzero(areas >= LEAST_PIXELS) + 1
    kept = [number for number in large if number not in set(border.tolist())]
    kept = sorted(kept, key=lambda number: -areas[number - 1])[:MOST_OBJECTS]
    boxes = ndimage.find_objects(labels)
    good = [n for n in kept if measure.regionprops((labels[boxes[n - 1]] == n).astype(int))[0].solidity > LEAST_SOLID]
    found = areas[np.array(good, int) - 1].astype(float) if good else np.empty(0)
    return Found(2 * np.sqrt(found / np.pi), found)


def levels(nuclei: np.ndarray, cells: Optional[np.ndarray], width: float) -> dict[str, float]:
    """Return how bright nuclei are above their background (0 to 1), the threshold between, the noise, and the count.

    Of cells: the background, what surrounds nuclei, and the threshold that their image has by itself.
    """
    smooth = ndimage.gaussian_filter(nuclei - np.percentile(nuclei, 5), max(1.0, width / 24))
    threshold = _threshold(smooth)
    mask = ndimage.binary_opening(smooth > threshold, iterations=max(1, round(width / 12)))
    count = int(ndimage.label(mask)[1])
    outside = nuclei[~mask]
    found = {
        "nuclei": float(count),
        "nuclei_level": float(np.median(smooth[mask])) if count else 0.0,
        "nuclei_threshold": threshold,
        "nuclei_noise": 1.4826 * float(np.median(np.abs(outside - np.median(outside)))) if outside.size else 0.0,
    }
    return found if cells is None else {**found, **_cells(cells, mask, width)}


def _cells(cells: np.ndarray, nuclei: np.ndarray, width: float) -> dict[str, float]:
    smooth = ndimage.gaussian_filter(cells, 1.0)
    away = ndimage.distance_transform_edt(~nuclei) if nuclei.any() else np.full(cells.shape, np.inf)
    ring = (away > 0) & (away <= 0.2 * width)
    far = away > width
    background = float(np.percentile(smooth[far] if far.any() else smooth, 10))
    return {
        "cells_background": background,
        "cells_level": float(np.median(smooth[ring])) if ring.any() else float(smooth.max()),
        "cells_threshold": _threshold(smooth),
    }

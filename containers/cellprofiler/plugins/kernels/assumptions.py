"""What the fast measurements take for granted, and how a module says that it did not hold."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

WHOLE_IMAGES = "whole images have no replacement"
MOST_PIXELS = 2**28  # positions are 32-bit integers


class Unsuited(Exception):
    """The fast way would not give stock's numbers here; the text says why."""


def pixels_of(image: Any) -> np.ndarray:
    """Return a CellProfiler image's pixels; raise Unsuited unless they are a plain picture."""
    pixels = image.pixel_data
    if pixels.ndim != 2:
        raise Unsuited(f"it has {pixels.ndim} dimensions")
    if pixels.dtype != np.float32:
        raise Unsuited(f"its pixels are {pixels.dtype}, not float32")
    if not 0 < pixels.size <= MOST_PIXELS:
        raise Unsuited(f"it has {pixels.size} pixels")
    if image.has_mask and not image.mask.all():
        raise Unsuited("it is masked")
    if not np.isfinite(pixels).all():
        raise Unsuited("it holds values that are not finite")
    return np.ascontiguousarray(pixels)


def labels_of(objects: Any, pixels: np.ndarray) -> np.ndarray:
    """Return the label image of a set of objects; raise Unsuited unless it lies pixel on pixel."""
    labels = objects.segmented
    if labels.shape != pixels.shape:
        raise Unsuited(f"the objects' image is {labels.shape}, the image {pixels.shape}")
    if labels.size and labels.min() < 0:
        raise Unsuited("an object's number is negative")
    return labels


def say_stock(module: str, what: str, reason: Unsuited | str) -> None:
    """Log that a module measures something with CellProfiler's own code; the runner reads this line."""
    logger.warning("%s measures %s with its stock code: %s", module, what, reason)

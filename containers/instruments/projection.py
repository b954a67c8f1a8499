"""Make one image of a stack of planes, and stretch it to what is black and white."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]
MEASURED = ("uint8", "uint16")
"""Types of pixels that are measured as they are."""
WHITE = 65535


@dataclass(frozen=True)
class Scale:
    """Which values of an image become 0 and 65535."""

    black: float
    white: float


def scale(text: str) -> Scale | None:
    """Read `0 to 4095`; None for no text."""
    if not text:
        return None
    black, _, white = text.partition(" to ")
    return Scale(float(black), float(white))


def project(planes: Iterable[Pixels], how: str) -> Pixels:
    """Return one image of planes of one shape and type: their max, their mean, the sharpest, or the only one.

    Planes are taken one by one, so that a stack never lies in memory as a whole. The mean of whole numbers is rounded,
    halves to the even one. Raises ValueError for planes that differ.
    """
    best: Pixels | None = None
    total: Pixels = np.zeros((), np.float64)
    count, sharpest = 0, -1.0
    for plane in planes:
        if best is not None and (plane.shape, plane.dtype) != (best.shape, best.dtype):
            raise ValueError(f"its planes differ: {_kind(best)} and {_kind(plane)}")
        count += 1
        if how == "mean":
            total, best = total + plane, plane
        elif how == "max":
            best = plane if best is None else np.maximum(best, plane)
        elif (own := sharpness(plane)) > sharpest:
            best, sharpest = plane, own
    if best is None:
        raise ValueError("it has no plane")
    return _rounded(total / count, best.dtype) if how == "mean" else best


def sharpness(plane: Pixels) -> float:
    """Return how sharp a plane is: the variance of its Laplacian, over the square of its mean.

    Without the mean a plane would win by being bright. Of a plane of less than 3 pixels a side it is 0.
    """
    values = plane.astype(np.float64)
    inner = values[1:-1, 1:-1]
    if inner.size == 0 or not values.mean():
        return 0.0
    around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
    return float((around - 4 * inner).var() / values.mean() ** 2)


def stretch(image: Pixels, to: Scale | None) -> tuple[Pixels, int]:
    """Return an image of 8 or 16 bits without sign, and how many of its pixels were beyond black or white.

    Raises ValueError if its type has no black and white of its own, and none are given.
    """
    if to is None:
        if image.dtype.name not in MEASURED:
            raise ValueError(
                f"its pixels are {image.dtype}: say which values are black and white, [images] scale = 0:4095"
            )
        return image.astype(image.dtype.newbyteorder("=")), 0
    if not np.isfinite(image).all():
        raise ValueError("it has pixels that are no finite number")
    beyond = int(((image < to.black) | (image > to.white)).sum())
    values = (image.astype(np.float64) - to.black) * (WHITE / (to.white - to.black))
    return np.rint(values.clip(0, WHITE)).astype(np.uint16), beyond


def _rounded(values: Pixels, kind: np.dtype[Any]) -> Pixels:
    return np.rint(values).astype(kind) if np.issubdtype(kind, np.integer) else values.astype(kind)


def _kind(plane: Pixels) -> str:
    return f"{' x '.join(map(str, plane.shape))} pixels of {plane.dtype}"

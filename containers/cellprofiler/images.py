"""Decode every image before CellProfiler sees it: a TIFF cut in half passes through Bio-Formats in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import tifffile

import load_data

Shape = tuple[int, ...]
Look = Callable[[str, np.ndarray], None]
"""What is done with the pixels of each image, which are decoded anyhow: it gets the channel and the pixels."""
TYPES = ("uint8", "uint16")  # in either order of bytes
FULL_SCALES = {1023: 10, 4095: 12, 16383: 14}
"""The greatest value of cameras that write fewer bits than the file has -> how many bits those are."""
MOST_PIXELS = 2**27  # the kernels take 2**28; a file of a few bytes can claim any number of them


@dataclass
class Span:
    """The least and the greatest value among the pixels of a channel."""

    channel: str
    least: float = math.inf
    greatest: float = -math.inf
    wide: bool = False
    """Whether there are pixels of 16 bits."""

    def look(self, channel: str, pixels: np.ndarray) -> None:
        """Take in an image, if it is one of the channel."""
        if channel != self.channel:
            return
        self.least = min(self.least, int(pixels.min()))
        self.greatest = max(self.greatest, int(pixels.max()))
        self.wide = self.wide or pixels.dtype.itemsize > 1

    def bits(self) -> int:
        """Return how many bits the camera seems to have had, if they are fewer than the file's, else 0."""
        return FULL_SCALES.get(int(self.greatest), 0) if self.wide and math.isfinite(self.greatest) else 0


def ignore(channel: str, pixels: np.ndarray) -> None:
    """Do nothing with an image's pixels."""


def inspect(table: load_data.LoadData, folder: Path, look: Look = ignore) -> tuple[dict[str, Shape], dict[str, str]]:
    """Return the image size of every good site, and what is wrong with every bad one."""
    shapes: dict[str, Shape] = {}
    faults: dict[str, str] = {}
    for row in table.rows:
        site = load_data.site_name(row)
        try:
            paths = {channel: folder / row[load_data.ORIGINAL + channel] for channel in table.channels()}
            shapes[site] = site_shape(paths, look)
        except ValueError as error:
            faults[site] = str(error)
    return shapes, faults


def site_shape(paths: Mapping[str, Path], look: Look) -> Shape:
    """Return the one size that a site's images (channel: file) have; ValueError if one cannot be read or differs."""
    shapes: dict[Path, Shape] = {}
    for channel, path in paths.items():
        pixels = read(path)
        shapes[path] = pixels.shape
        look(channel, pixels)
    first = next(iter(shapes))
    for path, shape in shapes.items():
        if shape != shapes[first]:
            raise ValueError(f"{path.name} is {_size(shape)}, but {first.name} is {_size(shapes[first])}")
    return shapes[first]


def read(path: Path) -> np.ndarray:
    """Return the pixels of a grey, single-plane TIFF; ValueError says why there are none."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    try:
        with tifffile.TiffFile(path) as tiff:
            plane = tiff.series[0]
            if plane.size > MOST_PIXELS:
                raise ValueError(f"it claims {_size(plane.shape)} pixels; an image may have {MOST_PIXELS:,}")
            pixels = plane.asarray()
    except Exception as error:  # tifffile and its codecs raise many kinds
        raise ValueError(f"{path.name} does not decode ({type(error).__name__}: {error})") from error
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"{path.name} is no single grey plane: its shape is {pixels.shape}")
    if pixels.dtype.name not in TYPES:
        raise ValueError(f"{path.name} holds {pixels.dtype}; save it as a grey image of 8 or 16 bits without sign")
    return pixels


def read_function(path: Path) -> np.ndarray:
    """Return an illumination function; ValueError if it is missing, not finite or not positive."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    function = np.load(path, allow_pickle=False)
    if not np.isfinite(function).all() or (function <= 0).any():
        raise ValueError(f"{path.name} holds values that are not finite and positive")
    return function


def summary(name: str, faults: Mapping[str, str]) -> str:
    """Return a message that names every bad unit and why."""
    lines: list[str] = [f"{unit}: {reason}" for unit, reason in faults.items()]
    shown = "\n  ".join(lines[:50])
    more = f"\n  and {len(lines) - 50} more" if len(lines) > 50 else ""
    return f"{name}: {len(lines)} of its units cannot be used:\n  {shown}{more}"


def _size(shape: Shape) -> str:
    return " x ".join(str(side) for side in shape)

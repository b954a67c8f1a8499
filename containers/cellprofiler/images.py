"""Decode every image before CellProfiler sees it: a TIFF cut in half passes through Bio-Formats in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tifffile

import load_data

Shape = tuple[int, ...]
MOST_PIXELS = 2**27  # the kernels take 2**28; a file of a few bytes can claim any number of them


def inspect(table: load_data.LoadData, folder: Path) -> tuple[dict[str, Shape], dict[str, str]]:
    """Return the image size of every good site, and what is wrong with every bad one."""
    shapes: dict[str, Shape] = {}
    faults: dict[str, str] = {}
    for row in table.rows:
        site = load_data.site_name(row)
        try:
            shapes[site] = site_shape([folder / row[load_data.ORIGINAL + channel] for channel in table.channels()])
        except ValueError as error:
            faults[site] = str(error)
    return shapes, faults


def site_shape(paths: Sequence[Path]) -> Shape:
    """Return the one size that all images of a site have; ValueError if one cannot be read or differs."""
    shapes = {path: read(path).shape for path in paths}
    first = shapes[paths[0]]
    for path, shape in shapes.items():
        if shape != first:
            raise ValueError(f"{path.name} is {_size(shape)}, but {paths[0].name} is {_size(first)}")
    return first


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

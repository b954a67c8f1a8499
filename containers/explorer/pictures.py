"""The pictures of a plate's sites: grey, full resolution, one brightness scale a plate and channel; and outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import site_images
from PIL import Image
from site_images import Site
from stagekit import program

LEVELS = 1 << 16
DARKEST, BRIGHTEST = 0.005, 0.998
"""Of a plate's pixels of a channel so many are no brighter than black, and no brighter than white."""
FULL_SCALES = (255, 1023, 4095, 16383, 65535)
"""The greatest values of cameras of 8 to 16 bits: a pixel that has its camera's is saturated."""
TONES = {"nuclei": (255, 255, 255), "cells": (255, 214, 90)}
"""As in the montage."""


class Scale(NamedTuple):
    """The raw values that are black (0) and white (255) in the pictures of a channel."""

    low: int
    high: int

    def grey(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels of 16 bits as 8 bits, linear between black and white."""
        part = (pixels.astype(np.float32) - self.low) / (self.high - self.low)
        return np.round(255 * np.clip(part, 0, 1)).astype(np.uint8)


@dataclass
class Channel:
    """What the pixels of a plate's channel say, taken in image by image."""

    counts: np.ndarray = field(default_factory=lambda: np.zeros(LEVELS, np.int64))
    """How many pixels have each value."""
    slopes: dict[str, list[float]] = field(default_factory=dict)
    full: dict[str, np.ndarray] = field(default_factory=dict)
    """By well: how many pixels have each of FULL_SCALES, and how many pixels there are."""

    def add(self, well: str, pixels: np.ndarray) -> None:
        """Take in an image."""
        counts = np.bincount(pixels.ravel(), minlength=LEVELS)
        self.counts += counts
        self.slopes.setdefault(well, []).append(slope(pixels))
        self.full[well] = self.full.get(well, 0) + np.array([*counts[[*FULL_SCALES]], pixels.size])

    def scale(self) -> Scale:
        """Return the scale that shows the plate's images best."""
        part = np.cumsum(self.counts) / self.counts.sum()
        low, high = (int(np.searchsorted(part, share)) for share in (DARKEST, BRIGHTEST))
        return Scale(low, max(high, low + 1))

    def saturated(self, well: str) -> float:
        """Return the percentage of a well's pixels that have the camera's greatest value, if the plate reaches it."""
        greatest = int(np.flatnonzero(self.counts)[-1])
        if greatest not in FULL_SCALES:
            return 0.0
        return float(100 * self.full[well][FULL_SCALES.index(greatest)] / self.full[well][-1])

    def blur(self, well: str) -> float:
        """Return the mean slope of a well's images."""
        return float(np.mean(self.slopes[well]))


def look(sites: Sequence[Site]) -> tuple[dict[str, Channel], dict[str, tuple[int, int]]]:
    """Read all images once; return what each channel says, and the width and height of every site by its name."""
    channels: dict[str, Channel] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for site in sites:
        for channel, path in site.images.items():
            pixels = site_images.pixels(path)
            height, width = pixels.shape
            if sizes.setdefault(site.name, (width, height)) != (width, height):
                raise program.DataError(f"{path.name}: is {width} x {height}; other channels of its site are not")
            channels.setdefault(channel, Channel()).add(site.well, pixels)
    return channels, sizes


def slope(pixels: np.ndarray) -> float:
    """Return the slope of the power spectrum over frequency, both as logarithms: the lower, the blurrier the image.

    The measure of Bray et al. (J Biomol Screen 2012, PowerLogLogSlope of CellProfiler's MeasureImageQuality): the mean
    power of every whole radial frequency, from 2 to half of the shorter side. 0 for an image without structure.
    """
    values = pixels.astype(np.float32)
    power = np.abs(np.fft.rfft2(values - values.mean())) ** 2
    height, width = pixels.shape
    side = min(height, width)
    # Frequencies in cycles over the shorter side, whatever the image's form.
    rows, columns = np.fft.fftfreq(height)[:, None] * side, np.fft.rfftfreq(width)[None] * side
    radius = np.round(np.hypot(rows, columns)).astype(np.int64).ravel()
    mean = np.bincount(radius, power.ravel()) / np.maximum(np.bincount(radius), 1)
    kept = np.arange(2, max(side // 2, 4))
    kept = kept[(kept < len(mean)) & (mean[np.minimum(kept, len(mean) - 1)] > 0)]
    return float(np.polyfit(np.log(kept), np.log(mean[kept]), 1)[0]) if len(kept) > 2 else 0.0


def write_picture(pixels: np.ndarray, scale: Scale, path: Path, quality: int) -> None:
    """Write an image as a grey JPEG of the same size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scale.grey(pixels)).save(path, "JPEG", quality=quality)


def write_outlines(site: Site, size: tuple[int, int], folder: Path) -> dict[str, str]:
    """Write a site's outlines as transparent pictures that lie on its images; return their names by kind of object."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for kind, path in site.outlines().items():
        with Image.open(path) as drawn:
            if drawn.size != size:
                told = (
                    f"{path.name}: is {drawn.size[0]} x {drawn.size[1]}, the images of its site {size[0]} x {size[1]}"
                )
                raise program.DataError(f"{told}; measure the plate again")
            lines = np.asarray(drawn.convert("L")) > 0
        names[kind] = f"{folder.name}/{site.name}_{kind}.png"
        picture = Image.fromarray(lines.astype(np.uint8), mode="P")
        picture.putpalette([0, 0, 0, *TONES[kind]])
        picture.save(folder.parent / names[kind], transparency=0, bits=1, optimize=True)
    return names


def scales(channels: Mapping[str, Channel]) -> dict[str, Scale]:
    """Return the scale of every channel."""
    return {name: channel.scale() for name, channel in channels.items()}

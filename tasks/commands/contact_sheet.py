"""One site of a plate, a channel beside the other, as a PNG: a look before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagekit import whole

from tasks.commands.added import Added
from tasks.instruments.export import SUFFIXES
from tasks.instruments.reader import Plane

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, Any]

SIDE = 256
"""The most pixels of a channel's picture, in height and width."""
DARK, BRIGHT = 0.5, 99.8
"""Percentiles of a channel that become black and white."""


def write(each: Added, export: Path, to: Path) -> str:
    """Write the sheet; return what it shows, channel by channel, or why there is none."""
    import imagecodecs  # here, because every other command starts sooner without it

    planes = chosen(each)
    if not planes:
        return "no contact sheet: no site has all channels"
    if not all(plane.path.lower().endswith(SUFFIXES) for plane in planes):
        return "no contact sheet: other images than TIFF are read by the stage import_images only"
    try:
        pictures = [_picture(export, plane) for plane in planes]
    except Exception as error:  # tifffile and its codecs raise many kinds; the plate itself is read by its stages
        return f"no contact sheet: {planes[0].path} does not decode here ({type(error).__name__}: {error})"
    whole.write(to, bytes(imagecodecs.png_encode(_side_by_side(pictures))))
    names = " | ".join(each.measured[plane.channel] for plane in planes)
    return f"{to}: {planes[0].well}, site {planes[0].site}, plane {planes[0].z}: {names}"


def chosen(each: Added) -> list[Plane]:
    """Return a plane a channel, of the middle one of the sites that have all: its middle plane at its first time."""
    measured = each.measured  # once: it goes through all planes
    sites: dict[tuple[str, int], dict[str, list[Plane]]] = {}
    for plane in each.found.planes:
        if plane.channel in measured:
            sites.setdefault((plane.well, plane.site), {}).setdefault(plane.channel, []).append(plane)
    full = [channels for _, channels in sorted(sites.items()) if len(channels) == len(measured)]
    if not full:
        return []
    site = full[len(full) // 2]
    return [_middle(site[channel]) for channel in measured]


def _middle(planes: Sequence[Plane]) -> Plane:
    first = min(plane.time for plane in planes)
    stack = sorted((plane for plane in planes if plane.time == first), key=lambda plane: plane.z)
    return stack[len(stack) // 2]


def _picture(export: Path, plane: Plane) -> Pixels:
    """Return a plane as 8 bits: every n-th pixel, between its percentiles."""
    import numpy as np  # here, because every other command starts sooner without them
    import tifffile

    with tifffile.TiffFile(export / plane.path) as tiff:
        number = int(plane.at or 0)
        if number < len(tiff.pages):
            pixels = tiff.pages[number].asarray()
        else:  # ImageJ may describe one page of a whole stack
            stack = tiff.series[0].asarray(out="memmap")
            pixels = stack.reshape(-1, *stack.shape[-2:])[number]
    step = max(1, -(-max(pixels.shape) // SIDE))
    small = pixels[::step, ::step].astype(float)
    dark, bright = np.percentile(small, [DARK, BRIGHT])
    shown: Pixels = ((small - dark) / max(bright - dark, 1e-9) * 255).clip(0, 255).astype(np.uint8)
    return shown


def _side_by_side(pictures: Sequence[Pixels]) -> Pixels:
    """Return pictures in a row, with white between them."""
    import numpy as np

    height = max(picture.shape[0] for picture in pictures)
    padded = [np.pad(each, ((0, height - each.shape[0]), (0, 4)), constant_values=255) for each in pictures]
    return np.concatenate(padded, axis=1)[:, :-4]

"""Fill into the template of the analysis what finds nuclei and cells: channels, sizes in pixels, thresholds.

A place in the template reads $(name). What no flag says scales with the size of a pixel: what CPJUMP1 gives in its own
pixels is given in as many of the plate's as are equally long.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Union

import label_images
from stagekit import program

NONE = "none"
"""In place of the channel of cells: a cell is its nucleus with a ring around it."""
PLACE = re.compile(r"\$\((\w+)\)")
THRESHOLDS = {
    "minimum_cross_entropy": "Minimum Cross-Entropy",
    "otsu": "Otsu",
    "robust_background": "Robust Background",
}
DECLUMP = {"shape": "Shape", "intensity": "Intensity", NONE: "None"}
# CPJUMP1's, in its pixels.
BACKGROUND_BLOCK, BACKGROUND_FILTER = 30, 50
CELL_NEIGHBOURS, NUCLEUS_NEIGHBOURS = 5, 1
TEXTURE_SCALES = (3, 5, 10)
SUBSAMPLING = 0.5  # of granularity: a larger grain is reached by fewer pixels, not by more steps
FULL_RANGE = 65535
"""What CellProfiler takes for white in files of 16 bits."""


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags that say how nuclei and cells are found; lengths are in pixels of the plate's images."""
    flags.add_argument("--nuclei_channel", required=True)
    flags.add_argument("--cells_channel", required=True, help=f"{NONE}: a cell is its nucleus with a ring around it")
    flags.add_argument("--cell_ring", required=True, type=int, help="the width of such a ring")
    flags.add_argument("--scale", required=True, type=float, help="so many pixels are as long as one of CPJUMP1's")
    flags.add_argument("--scale_texture", required=True, choices=("true", "false"), help="texture and granularity too")
    flags.add_argument("--camera_bits", required=True, type=int, help="what the camera filled of a file of 16 bits")
    flags.add_argument("--nucleus_diameter", required=True, type=_least_and_most, help="the least and the most: 10,75")
    flags.add_argument("--border_nuclei", required=True, choices=("discard", "keep"))
    flags.add_argument("--declump", required=True, choices=DECLUMP)
    flags.add_argument("--declump_smoothing", required=True, type=int)
    flags.add_argument("--declump_distance", required=True, type=float)
    flags.add_argument("--nuclei_smoothing", required=True, type=float)
    flags.add_argument("--label_images", required=True, choices=("true", "false"), help="write what objects cover")
    flags.add_argument("--nuclei_threshold", required=True, choices=THRESHOLDS)
    flags.add_argument("--nuclei_correction", required=True, type=float, help="what the threshold is multiplied by")
    flags.add_argument("--nuclei_bounds", required=True, type=_least_and_most, help="0 to 1 of the camera's range")
    flags.add_argument("--cells_threshold", required=True, choices=THRESHOLDS)
    flags.add_argument("--cells_correction", required=True, type=float, help="likewise")
    flags.add_argument("--cells_bounds", required=True, type=_least_and_most, help="likewise")


def fill(name: str, text: str, given: argparse.Namespace, channels: Sequence[str]) -> str:
    """Return a template with all its places filled; DataError for a place or a channel that is not there."""
    places = set(PLACE.findall(text))
    if not places:
        return text
    values = _values(given)
    unknown = sorted(places - set(values))
    if unknown:
        raise program.DataError(f"{name}: $({unknown[0]}) has no meaning; known: {', '.join(sorted(values))}")
    _require(given, channels)
    filled = PLACE.sub(lambda place: str(values[place[1]]), text)
    return label_images.add(filled) if given.label_images == "true" else filled


def _values(given: argparse.Namespace) -> Mapping[str, Union[str, int, float]]:
    """Return what each place of the template stands for."""
    ring = given.cells_channel == NONE
    least, most = given.nucleus_diameter
    texture = given.scale if given.scale_texture == "true" else 1.0
    return {
        "nuclei": given.nuclei_channel,
        "cells": given.nuclei_channel if ring else given.cells_channel,
        "cells_method": "Distance - N" if ring else "Watershed - Image",
        "cells_note": f"{given.cell_ring} pixels around" if ring else f"watershed on {given.cells_channel} from",
        "cell_ring": given.cell_ring,
        "white": _number(FULL_RANGE / (2**given.camera_bits - 1)),
        "background_block": _pixels(BACKGROUND_BLOCK, given.scale),
        "background_filter": _pixels(BACKGROUND_FILTER, given.scale),
        "nucleus_least": f"{least:.0f}",
        "nucleus_most": f"{most:.0f}",
        "border": "Yes" if given.border_nuclei == "discard" else "No",
        "declump": DECLUMP[given.declump],
        "declump_smoothing": given.declump_smoothing,
        "declump_distance": _number(given.declump_distance),
        "nuclei_smoothing": _number(given.nuclei_smoothing),
        "nuclei_method": THRESHOLDS[given.nuclei_threshold],
        "nuclei_correction": _number(given.nuclei_correction),
        "nuclei_bounds": ",".join(map(_number, given.nuclei_bounds)),
        "cells_threshold": THRESHOLDS[given.cells_threshold],
        "cells_correction": _number(given.cells_correction),
        "cells_bounds": ",".join(map(_number, given.cells_bounds)),
        "cell_neighbours": _pixels(CELL_NEIGHBOURS, given.scale),
        "nucleus_neighbours": _pixels(NUCLEUS_NEIGHBOURS, given.scale),
        "subsampling": _number(min(1.0, SUBSAMPLING / texture)),
        **{f"texture_{number}": _pixels(number, texture) for number in TEXTURE_SCALES},
    }


def _require(given: argparse.Namespace, channels: Sequence[str]) -> None:
    """Raise DataError if a channel that nuclei or cells are found in is not on the plate."""
    for what, channel in (("nuclei", given.nuclei_channel), ("cells", given.cells_channel)):
        if channel not in channels and (what, channel) != ("cells", NONE):
            others = f", or {NONE}: rings around the nuclei" if what == "cells" else ""
            raise program.DataError(
                f"the plate has no {channel} channel, in which {what} are to be found; its channels are "
                f"{', '.join(channels)}. Set [cells] {what}_channel to one of them{others}"
            )


def _least_and_most(text: str) -> tuple[float, float]:
    least, _, most = text.partition(",")
    if not float(least) <= float(most):
        raise argparse.ArgumentTypeError(f"{text} is not the least and the most, as 10,75")
    return float(least), float(most)


def _pixels(length: int, scale: float) -> int:
    return max(1, round(length * scale))


def _number(value: float) -> str:
    return str(float(f"{value:.9g}"))

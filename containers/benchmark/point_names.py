"""Names beside the points of a figure, so that they can be read."""

from __future__ import annotations

from typing import List

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.transforms import Bbox

# Printer's points to the right and up of a point where its name is tried, the usual first.
SIDES = ((5, 4), (5, -4), (-5, 4), (-5, -4), (0, 9), (0, -9), (5, 12), (5, -12), (-5, 12), (-5, -12), (0, 17), (0, -17))
ALIGNED = {1: "left", 0: "center", -1: "right"}
POINT_PIXELS = 8


def write(panel: plt.Axes, names: List[str], places: np.ndarray) -> None:
    """Write each name where it covers neither point nor name and stays in the panel, or else where it does so least.

    It must be known where the panel lies.
    """
    half = POINT_PIXELS / 2
    marks = panel.transData.transform(places)
    taken = [Bbox.from_bounds(x - half, y - half, POINT_PIXELS, POINT_PIXELS) for x, y in marks]
    for name, place in zip(names, places):
        text = panel.annotate(name, place, xytext=(0, 0), textcoords="offset points", fontsize=7, va="center")
        text.set_in_layout(False)
        extents = [_extent(text, side) for side in SIDES]
        covered = [sum(each.overlaps(other) for other in taken) + _leaves(each, panel.bbox) for each in extents]
        best = int(np.argmin(covered))
        taken.append(_extent(text, SIDES[best]))


def _leaves(extent: Bbox, panel: Bbox) -> int:
    """Return over how many sides of its panel a name reaches: onto an axis, or to where the picture is cut off."""
    return int(extent.x0 < panel.x0) + int(extent.x1 > panel.x1)


def _extent(text: plt.Annotation, side: tuple[int, int]) -> Bbox:
    """Move a text to a side of its point; return what it covers there, in pixels."""
    text.set_position(side)
    text.set_horizontalalignment(ALIGNED[int(np.sign(side[0]))])
    return text.get_window_extent()

"""Draw a plate: a map of its wells for each thing that is measured, and its faults in words above them."""

from __future__ import annotations

from pathlib import Path
from typing import List

import matplotlib
import numpy as np
import pandas as pd
from plate_faults import place
from stagekit.wells import row_letters

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# What is shown: the title, the colours and their limits.
MAPS = {
    "cells": ("cells", "viridis", (0, None)),
    "replicates": ("correlation with replicates", "RdBu_r", (-1, 1)),
    "neighbours": ("correlation with neighbours (position effect)", "RdBu_r", (-1, 1)),
}
ROOM_FOR_COLUMNS = 24  # with more of them every second has its number
FAULT, FINE = "#b00020", "#1b6e3c"


def draw(plate: str, wells: pd.DataFrame, faults: List[str], path: Path) -> None:
    """Write the picture of a plate whose `wells` have a value for each of MAPS; a well without one is grey."""
    figure, axes = pyplot.subplots(1, len(MAPS), figsize=(19, 4.6 + 0.22 * len(faults)), layout="constrained")
    figure.suptitle(f"{plate}   {len(wells)} wells", fontsize=15, weight="bold", x=0.01, ha="left")
    for panel, (name, (title, colours, limits)) in zip(axes, MAPS.items(), strict=True):
        panel.set_title(title)
        values = grid(wells[name])
        shown = pyplot.get_cmap(colours).with_extremes(bad="#d0d0d0")
        image = panel.imshow(values, cmap=shown, vmin=limits[0], vmax=limits[1], aspect="equal")
        shown_columns = range(0, values.shape[1], 1 if values.shape[1] <= ROOM_FOR_COLUMNS else 2)
        panel.set_xticks(shown_columns, [column + 1 for column in shown_columns], fontsize=7)
        panel.set_yticks(range(values.shape[0]), map(row_letters, range(values.shape[0])), fontsize=7)
        figure.colorbar(image, ax=panel, shrink=0.7)
    said = "\n".join(faults) or "no fault found"
    figure.supxlabel(said, color=FAULT if faults else FINE, fontsize=12, x=0.01, ha="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})  # the same plate always gives the same bytes
    pyplot.close(figure)


def grid(values: pd.Series) -> np.ndarray:
    """Return values by row and column of the plate, NaN where there is no well."""
    places = np.array([place(well) for well in values.index])
    found = np.full(places.max(axis=0) + 1, np.nan)
    found[places[:, 0], places[:, 1]] = values
    return found

"""Draw the activity of perturbations against their doses, a panel a perturbation."""

from __future__ import annotations

import math
from typing import Any, Iterator, List

import numpy as np
import style
from dose_curves import FITTED
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

ACROSS, A_PAGE, MOST_PAGES = 5, 20, 10


def pages(found: List[Any]) -> Iterator[Figure]:
    """Yield figures of up to 20 perturbations: those with a curve first, then by how they follow the dose."""
    ordered = sorted(found, key=lambda each: (each.curve.said != FITTED, -abs(each.correlation), each.name))
    for begin in range(0, min(len(ordered), A_PAGE * MOST_PAGES), A_PAGE):
        yield _page(ordered[begin : begin + A_PAGE])


def _page(found: List[Any]) -> Figure:
    across = min(len(found), ACROSS)
    down = math.ceil(len(found) / across)
    figure, axes = plt.subplots(
        down, across, figsize=(0.8 + 2.3 * across, 0.8 + 2.0 * down), squeeze=False, layout="constrained"
    )
    for panel in axes.flat[len(found) :]:
        panel.set_visible(False)
    for panel, each in zip(axes.flat, found):
        _draw(panel, each)
    units = {each.unit for each in found}
    figure.supxlabel("dose" + (f" ({units.pop()})" if len(units) == 1 and "" not in units else ""))
    figure.supylabel("activity (standard deviations of the negative controls)")
    return figure


def _draw(panel: plt.Axes, each: Any) -> None:
    fitted = each.curve.said == FITTED
    panel.axhline(0, color=style.NOT_RETRIEVED, linewidth=0.8)
    panel.scatter(each.doses, each.activity, s=10, c=style.OTHER, alpha=0.7, linewidths=0)
    if fitted:
        doses = np.geomspace(each.doses.min(), each.doses.max(), 100)
        panel.plot(doses, each.curve.at(doses), color=style.RETRIEVED, linewidth=1.5)
        panel.axvline(each.curve.ec50, color=style.RETRIEVED, linewidth=0.8, linestyle="--")
    panel.set_xscale("log")
    told = f"EC50 {each.curve.ec50:.3g}" if fitted else each.curve.said
    panel.set_title(f"{each.name[:28]}\n{told}", fontsize=8)

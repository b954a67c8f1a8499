"""The benchmark's figures, each of tables that say of every row which group it belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, List

import numpy as np
import pandas as pd
import style
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tables import AP, MAP

PANELS_ACROSS = 4


@dataclass(frozen=True)
class Panel:
    """A number of every group, and what stands beside its bar."""

    title: str
    table: pd.DataFrame
    column: str
    axis: str
    counts: bool

    @property
    def values(self) -> pd.Series:
        return pd.to_numeric(self.table[self.column])

    def texts(self) -> List[str]:
        said = "{retrieved} of {labels}" if self.counts else "{labels} labels"
        rows = self.table.to_dict("records")
        texts = zip(self.values, (said.format(**row) for row in rows))
        return [f" {value:.3f} ({text})" if value == value else " no label to test" for value, text in texts]


def bars(panels: List[Panel], limit: float | None = None) -> Figure:
    """Draw panels of the same groups side by side, on one scale: up to `limit`, or to the largest value."""
    rows = panels[0].table.to_dict("records")
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2.0 + 3.1 * len(panels), 1.2 + 0.3 * len(rows)), sharex=True, sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    values = pd.concat([panel.values for panel in panels])
    ticks = MaxNLocator(4).tick_values(min(0, values.min()), limit or max(values.max(), 0.01))
    low, high = ticks[0], ticks[-1]
    for axis, panel in zip(axes[0], panels):
        axis.barh(range(len(rows)), panel.values.fillna(0), color=[style.colour(name) for name in _modality(rows)])
        for at, (value, text) in enumerate(zip(panel.values.fillna(0), panel.texts())):
            axis.text(max(value, 0), at, text, va="center", fontsize=8)
        axis.set(xlim=(low, low + (high - low) * 1.5), xticks=ticks)
        axis.set_title(panel.title, loc="left")
        axis.set_xlabel(panel.axis, loc="left")
        axis.spines["bottom"].set_bounds(low, high)
        axis.spines["left"].set_position(("data", 0))
        axis.tick_params(axis="y", length=0)
    axes[0][0].set_yticks(range(len(rows)), [style.group_label(row) for row in rows])
    axes[0][0].invert_yaxis()
    style.legend_of(figure, _modality(rows))
    return figure


def boxes(per_query: pd.DataFrame) -> Figure:
    """Draw how the average precision of single profiles is distributed in every group."""
    groups = list(per_query.groupby("Description", sort=False))
    figure, panel = plt.subplots(figsize=(6.4, 1.2 + 0.36 * len(groups)), layout="constrained")
    drawn = panel.boxplot(
        [table[AP].to_numpy() for _, table in groups], orientation="horizontal", widths=0.6, patch_artist=True,
        flierprops={"markersize": 2, "alpha": 0.4}, medianprops={"color": style.INK, "linewidth": 1.5},
    )  # fmt: skip
    firsts = [table.iloc[0].to_dict() for _, table in groups]
    for box, row in zip(drawn["boxes"], firsts):
        box.set(facecolor=style.colour(row.get("Modality", "")), alpha=0.75)
    panel.set(xlabel="average precision of a profile", title="replicability")
    panel.set_yticklabels([f"{style.group_label(row)}  (n = {len(table)})" for row, (_, table) in zip(firsts, groups)])
    panel.invert_yaxis()
    style.legend_of(figure, [row.get("Modality", "") for row in firsts])
    return figure


def scatter(per_label: pd.DataFrame, task: str, threshold: float) -> Figure:
    """Draw every label's mean average precision against -log10 q, a panel a group, on one scale."""
    groups = list(per_label.groupby("Description", sort=False))
    figure, axes = _grid(len(groups))
    for panel, (_, table) in zip(axes, groups):
        retrieved = table["retrieved"].astype(bool)
        for chosen, colour, marker in ((~retrieved, style.NOT_RETRIEVED, "o"), (retrieved, style.RETRIEVED, "^")):
            panel.scatter(
                table.loc[chosen, MAP], table.loc[chosen, "nlog10qvalue"], s=14, alpha=0.7, c=colour, marker=marker,
                linewidths=0, label="retrieved" if marker == "^" else "not retrieved",
            )  # fmt: skip
        panel.axhline(-math.log10(threshold), color=style.INK, linewidth=0.8, linestyle="--")
        panel.set_title(f"{style.group_label(table.iloc[0].to_dict())}\n{retrieved.sum()} of {len(table)} retrieved")
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.1, per_label["nlog10qvalue"].max() * 1.05 + 0.1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, title=task)
    figure.supxlabel("mean average precision")
    figure.supylabel(f"−log10 q    (dashed: q = {threshold:g})")
    return figure


def umap(consensus: List[pd.DataFrame], descriptions: List[dict[str, str]], seed: int) -> Figure:
    """Draw the consensus profiles in two dimensions, a panel a group, each placed by itself."""
    from umap import UMAP  # compiles itself: seconds

    figure, axes = _grid(len(consensus), share=False)
    for panel, table, row in zip(axes, consensus, descriptions):
        values = table.drop(columns=[name for name in table if name.startswith("Metadata_")]).to_numpy(dtype="float64")
        values = values[:, np.isfinite(values).all(axis=0)]
        places = UMAP(
            n_neighbors=min(15, len(values) - 1), metric="cosine", random_state=seed, n_jobs=1, init="random"
        ).fit_transform(values)
        retrieved = (table["Metadata_retrieved"] == "true").to_numpy()
        for chosen, colour, marker in ((~retrieved, style.NOT_RETRIEVED, "o"), (retrieved, style.RETRIEVED, "^")):
            panel.scatter(
                *places[chosen].T, s=16, c=colour, marker=marker, alpha=0.8, linewidths=0,
                label="retrieved" if marker == "^" else "not retrieved",
            )  # fmt: skip
        panel.set_title(f"{style.group_label(row)}\n{len(table)} perturbations")
        panel.set(xticks=[], yticks=[])
        panel.set_aspect("equal", adjustable="datalim")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.supxlabel("UMAP 1 (no unit; each panel by itself)")
    figure.supylabel("UMAP 2")
    return figure


def _grid(count: int, share: bool = True) -> tuple[Figure, List[plt.Axes]]:
    across = min(count, PANELS_ACROSS)
    down = math.ceil(count / across)
    figure, axes = plt.subplots(
        down, across, figsize=(0.8 + 3.0 * across, 0.8 + 3.0 * down), sharex=share, sharey=share, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for panel in axes.flat[count:]:
        panel.set_visible(False)
    return figure, list(axes.flat[:count])


def _modality(rows: List[Dict[str, Any]]) -> List[str]:
    """Return the modality of every group; of a pair that of its genes."""
    return [row.get("Modality", row.get("Modality2", "")) for row in rows]

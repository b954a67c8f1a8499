"""The benchmark's figures, each of tables that say of every row which group it belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, List

import numpy as np
import pandas as pd
import point_names
import style
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tables import AP, MAP

PANELS_ACROSS = 4
NEIGHBOURS = 15  # of a UMAP; with fewer profiles there are no neighbourhoods
NAMED = 20  # so many profiles in a panel have room for their names


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
    values = pd.concat([panel.values for panel in panels]).dropna()
    largest = limit or (max(values.max(), 0.01) if len(values) else 1.0)
    ticks = MaxNLocator(4).tick_values(min([0, *values]), largest)
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
    drawn = _boxplot(panel, [table[AP].to_numpy() for _, table in groups], list(range(1, len(groups) + 1)), 0.6)
    firsts = [table.iloc[0].to_dict() for _, table in groups]
    for box, row in zip(drawn["boxes"], firsts):
        box.set(facecolor=style.colour(row.get("Modality", "")), alpha=0.75)
    panel.set(xlabel="average precision of a profile", xlim=_from_0_to_1(per_query[AP]))
    panel.set_title("replicability", loc="left")
    names = [f"{style.group_label(row)}  (n = {len(table)})" for row, (_, table) in zip(firsts, groups)]
    panel.set_yticks(range(1, len(groups) + 1), names)
    panel.invert_yaxis()
    style.legend_of(figure, [row.get("Modality", "") for row in firsts])
    return figure


def compared(tables: Dict[str, pd.DataFrame], baseline: bool) -> Figure:
    """Draw the average precisions of every feature set beside each other, a panel a task, all on one scale."""
    joined = pd.concat(tables.values())
    groups = {row["Description"]: row for row in joined.drop_duplicates("Description").to_dict("records")}
    sets = list(dict.fromkeys(joined["features"]))
    figure, axes = plt.subplots(
        1, len(tables), figsize=(2.4 + 3.4 * len(tables), 1.4 + 0.28 * (len(sets) + 0.6) * len(groups)), sharex=True,
        sharey=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    for panel, (task, table) in zip(axes[0], tables.items()):
        for at, name in enumerate(sets):
            values = [table.loc[(table["Description"] == group) & (table["features"] == name), AP] for group in groups]
            there = [number for number, found in enumerate(values) if len(found)]
            if not there:
                continue
            places = [number + (at - (len(sets) - 1) / 2) * 0.38 for number in there]
            drawn = _boxplot(panel, [values[number].to_numpy() for number in there], places, 0.32)
            for box in drawn["boxes"]:
                box.set(facecolor=style.FEATURE_SETS[name][1], hatch=style.FEATURE_SETS[name][2])
        panel.set_title(task, loc="left")
        panel.set(xlim=_from_0_to_1(joined[AP]))
    axes[0][0].set_yticks(range(len(groups)), [style.group_label(row) for row in groups.values()])
    axes[0][0].invert_yaxis()
    figure.supxlabel("average precision of a query" + (" above chance" if baseline else ""))
    style.legend_of_sets(figure, sets)
    return figure


def _boxplot(panel: plt.Axes, values: List[np.ndarray], places: List[float], width: float) -> Dict[str, Any]:
    drawn: Dict[str, Any] = panel.boxplot(
        values, positions=places, orientation="horizontal", widths=width, patch_artist=True,
        flierprops={"markersize": 2, "alpha": 0.4}, medianprops={"color": style.INK, "linewidth": 1.5},
    )  # fmt: skip
    return drawn


def _from_0_to_1(values: pd.Series) -> tuple[float, float]:
    """Return the limits of an axis of average precisions: the same in all figures unless some are below chance."""
    return min(-0.02, float(values.min()) - 0.02), 1.02


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
        top = max(per_label["nlog10qvalue"].max(), -math.log10(threshold))
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.05 * top, top * 1.08))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, title=task)
    figure.supxlabel("mean average precision")
    figure.supylabel(f"−log10 q    (dashed: q = {threshold:g})")
    return figure


def umap(consensus: List[pd.DataFrame], descriptions: List[dict[str, str]], seed: int) -> Figure:
    """Draw the consensus profiles in two dimensions, a panel a group, each placed by itself."""
    from umap import UMAP  # compiles itself: seconds

    def place(values: np.ndarray) -> np.ndarray:
        return UMAP(n_neighbors=NEIGHBOURS, metric="cosine", random_state=seed, n_jobs=1, init="random").fit_transform(
            values
        )

    return _places(consensus, descriptions, place, ("UMAP 1 (no unit; each panel by itself)", "UMAP 2"))


def principal_components(consensus: List[pd.DataFrame], descriptions: List[dict[str, str]]) -> Figure:
    """Draw few consensus profiles along the two directions in which their unit vectors differ most."""

    def place(values: np.ndarray) -> np.ndarray:
        unit = values / np.linalg.norm(values, axis=1, keepdims=True)
        left, spread, _ = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
        scores = left[:, :2] * spread[:2]
        return scores * np.where(scores[np.abs(scores).argmax(axis=0), [0, 1]] < 0, -1, 1)  # the sign is a convention

    return _places(consensus, descriptions, place, ("principal component 1 (no unit; each panel by itself)", "2"))


def _places(
    consensus: List[pd.DataFrame],
    descriptions: List[dict[str, str]],
    place: Callable[[np.ndarray], np.ndarray],
    axes_named: tuple[str, str],
) -> Figure:
    figure, axes = _grid(len(consensus), share=False)
    named = []
    for panel, table, row in zip(axes, consensus, descriptions):
        values = table.drop(columns=[name for name in table if name.startswith("Metadata_")]).to_numpy(dtype="float64")
        places = place(values[:, np.isfinite(values).all(axis=0)])
        retrieved = (table["Metadata_retrieved"] == "true").to_numpy()
        for chosen, colour, marker in ((~retrieved, style.NOT_RETRIEVED, "o"), (retrieved, style.RETRIEVED, "^")):
            panel.scatter(
                *places[chosen].T, s=16, c=colour, marker=marker, alpha=0.8, linewidths=0,
                label="retrieved" if marker == "^" else "not retrieved",
            )  # fmt: skip
        if len(table) <= NAMED:
            named.append((panel, [str(name) for name in table["Metadata_label"]], places))
        panel.margins(0.15)
        panel.set_title(f"{style.group_label(row)}\n{len(table)} perturbations")
        panel.set(xticks=[], yticks=[])
        panel.set_aspect("equal", adjustable="datalim")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.supxlabel(axes_named[0])
    figure.supylabel(axes_named[1])
    figure.draw_without_rendering()  # only then it is known where the panels lie
    for panel, names, places in named:
        point_names.write(panel, names, places)
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

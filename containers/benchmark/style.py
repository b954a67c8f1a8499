"""How all figures look: colours that the colour-blind tell apart, which also differ in grey; sizes for print."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (the backend first)
from matplotlib.figure import Figure  # noqa: E402

# Okabe and Ito's palette.
MODALITIES = {"compound": "#0072B2", "crispr": "#E69F00", "orf": "#009E73"}
OTHER, RETRIEVED, NOT_RETRIEVED = "#56606B", "#D55E00", "#9AA5B1"
# Apart in hue and in lightness, and drawn with a hatch too.
FEATURE_SETS = {"cellprofiler": ("CellProfiler", "#56B4E9", ""), "deepprofiler": ("DeepProfiler", "#CC79A7", "////")}
NAMES = {"compound": "compound", "crispr": "CRISPR", "orf": "ORF"}
INK = "#1F2933"

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "legend.frameon": False,
        "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited
        "svg.hashsalt": "platewright",
    }
)


def colour(modality: str) -> str:
    """Return a modality's colour, the same in all figures."""
    return MODALITIES.get(modality, OTHER)


def group_label(row: Dict[str, Any]) -> str:
    """Return a group's name as an axis shows it: 'compound U2OS 48 h', or 'U2OS: compound 48 h, CRISPR 96 h'."""
    if "Modality1" in row:
        sides = [_words(row[f"Modality{side}"], "", row[f"timepoint{side}"]) for side in (1, 2)]
        return f"{row['Cell']}: {', '.join(sides)}"
    if not row.get("Modality"):
        return str(row["Description"])
    usual = "_".join(filter(None, (row["Modality"], row.get("Cell"), row.get("time"))))
    extra = row["Description"].removeprefix(usual).replace("_", " ").strip()
    return " ".join(filter(None, (_words(row["Modality"], row.get("Cell", ""), row.get("timepoint", "")), extra)))


def _words(modality: str, cell: str, hours: object) -> str:
    return " ".join(filter(None, (NAMES.get(modality, modality), cell, f"{hours} h" if str(hours) else "")))


def save(figure: Figure, folder: Path, name: str) -> List[str]:
    """Write a figure as PNG and SVG, the same bytes each time; return the files' names."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"{name}.png", f"{name}.svg"]
    figure.savefig(folder / files[0], bbox_inches="tight", metadata={"Software": None})
    figure.savefig(folder / files[1], bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return files


def legend_of(figure: Figure, modalities: Sequence[str]) -> None:
    """Name the modalities' colours above all panels, if there are several."""
    present = [name for name in MODALITIES if name in set(modalities)]
    if len(present) > 1:
        handles = [plt.Rectangle((0, 0), 1, 1, color=colour(name)) for name in present]
        figure.legend(handles, [NAMES[name] for name in present], loc="outside upper center", ncols=len(present))


def legend_of_sets(figure: Figure, names: Sequence[str]) -> None:
    """Name the feature sets' colours and hatches above all panels."""
    shown = [FEATURE_SETS[name] for name in names]
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=tone, hatch=hatch, edgecolor=INK) for _, tone, hatch in shown]
    figure.legend(handles, [name for name, _, _ in shown], loc="outside upper center", ncols=len(shown))

"""What the report says of the benchmark: a block for each definition and feature set, from its tables and figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import pandas as pd
import style
from tables import MAP, TASKS

Row = Mapping[str, str]

USUAL_THRESHOLD = 0.05  # where no figures say with which they were drawn
TITLES = {
    "replicability": "Replicability",
    "matching": "Matching of shared targets",
    "gene_compound_matching": "Gene-compound matching",
}
# What a figure shows, for those who do not see it, and where it stands.
FIGURES = {
    "fraction_retrieved": "Bars: the fraction of labels retrieved in every group",
    "mean_average_precision": "Bars: the mean average precision of every group",
    "average_precision": "Box plots: the average precision of single profiles in every group",
    "replicability_scatter": "Scatter, replicability: mean average precision against −log10 q, a point a label",
    "matching_scatter": "Scatter, matching: mean average precision against −log10 q, a point a label",
    "gene_compound_matching": "Bars: gene-compound matching of every pair of groups",
    "umap": "UMAP of the consensus profiles, a panel a group",
}


def read(path: Path) -> List[Row]:
    """Return the rows of a csv or tsv as text."""
    separator = "\t" if path.suffix == ".tsv" else ","
    if path.stat().st_size < 2:
        return []
    rows: List[Row] = pd.read_csv(path, dtype=str, keep_default_na=False, sep=separator).to_dict("records")
    return rows


def number(text: str, digits: int = 3) -> str:
    """Return a number with few digits; other text, and none, as it stands."""
    try:
        value = float(text)
    except ValueError:
        return text
    return f"{value:.{digits}f}" if math.isfinite(value) else ""


def blocks(record: Mapping[str, Any], files: Mapping[str, Sequence[Path]]) -> List[Dict[str, Any]]:
    """Return a block for each benchmark: the groups, the labels, and where its figures lie."""
    shown = record["shown"]
    found: Dict[str, Dict[str, Any]] = {}
    for kind in ("comparison", "figures", *(f"{task}_map" for task in TASKS)):
        for told, path in zip(shown[kind], files[kind]):
            found.setdefault(told["subject"], {})[kind] = path
    made = [_block(f"benchmark-{at}", name, parts) for at, (name, parts) in enumerate(sorted(found.items()), start=1)]
    thresholds = {
        run["subject"]: run["parameters"].get("threshold") for run in record["runs"] if run["stage"] == "figures"
    }
    return [{**block, "limit": _limit(thresholds.get(f"{block['definition']}.{block['features']}"))} for block in made]


def _limit(threshold: object) -> float:
    """Return -log10 of the q-value below which a label is retrieved."""
    return round(-math.log10(float(str(threshold or USUAL_THRESHOLD))), 6)


def _block(anchor: str, name: str, parts: Mapping[str, Path]) -> Dict[str, Any]:
    definition, _, features = name.rpartition(".")
    groups = read(parts["comparison"]) if "comparison" in parts else []
    tables = {task: read(parts[f"{task}_map"]) for task in TASKS if f"{task}_map" in parts}
    labels = [row for task, rows in tables.items() for row in _labels(task, rows)]
    columns = ("map_published", "fr_published", "agrees", "note")
    return {
        "id": anchor, "definition": definition, "features": features, "labels": labels, "folder": parts.get("figures"),
        "groups": [{**row, "title": TITLES[row["task"]]} for row in groups],
        "columns": [column for column in columns if any(row[column] for row in groups)],
        "retrieved": headline(groups),
    }  # fmt: skip


def headline(groups: Sequence[Row]) -> str:
    """Return how many labels of how many were retrieved as replicates, over all groups."""
    counted = [row for row in groups if row["task"] == "replicability" and row["labels"] not in ("", "0")]
    if not counted:
        return ""
    return f"{sum(int(row['retrieved']) for row in counted)} of {sum(int(row['labels']) for row in counted)}"


def _labels(task: str, rows: Sequence[Row]) -> List[Dict[str, Any]]:
    """Return a row a label of the definitions that have p-values; the 2022 table has a row a group instead."""
    if not rows or "q_value" not in rows[0]:
        return []
    return [
        {
            "task": TITLES[task], "group": style.group_label(dict(row)), "label": row[TASKS[task]], "map": row[MAP],
            "nlog10q": row["nlog10qvalue"], "q": row["q_value"],
            "retrieved": "yes" if row["above_q_threshold"] == "True" else "no",
        }
        for row in rows
    ]  # fmt: skip


def described(name: str, block: Mapping[str, Any]) -> str:
    """Return a figure in words: what it shows, and the numbers of up to six groups."""
    said = FIGURES.get(name, name.replace("_", " "))
    column = {"fraction_retrieved": "fr", "mean_average_precision": MAP}.get(name)
    if not column:
        return f"{said}."
    rows = [row for row in block["groups"] if row["task"] == "replicability" and row[column]]
    values = [f"{style.group_label(_named(row))} {number(row[column])}" for row in rows[:6]]
    return f"{said}. Replicability: {'; '.join(values)}." if values else f"{said}."


def _named(row: Row) -> Dict[str, Any]:
    return {"Description": row["Description"].replace("_", " ")}

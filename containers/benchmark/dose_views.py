"""What the report says of dose responses: a table of perturbations for each group, and the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

import thumbnails
from benchmark_views import Row, read

SHOWN = 2  # figures of a group; each has the perturbations of 20 panels
NUMBERS = ("activity_at_highest", "spearman", "q_value")


def blocks(record: Mapping[str, Any], tables: Sequence[Path], folders: Sequence[Path]) -> List[Dict[str, Any]]:
    """Return a block for each group: its perturbations, those with a curve first, and its first figures."""
    drawn = {told["subject"]: path for told, path in zip(record["shown"]["dose_figures"], folders)}
    found = []
    for told, path in zip(record["shown"]["dose_response"], tables):
        rows = sorted(read(path), key=_order)
        folder = drawn.get(told["subject"])
        figures = list(thumbnails.drawings(folder).values())[:SHOWN] if folder else []
        fitted = sum(row["curve"] == "fitted" for row in rows)
        title = told["subject"].partition(".")[2] or told["subject"]
        found.append({"title": title.replace("_", " "), "rows": rows, "figures": figures, "fitted": fitted})
    return [block for block in found if block["rows"]]


def _order(row: Row) -> tuple[bool, float, str]:
    return row["curve"] != "fitted", -abs(float(row["spearman"] or 0)), row["perturbation"]

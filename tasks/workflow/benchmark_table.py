"""Show a person what the benchmark found: a line a group beside the published numbers, and where the results lie."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

COLUMNS = {
    "Description": "group",
    "labels": "labels",
    "retrieved": "retrieved",
    "fr": "fraction",
    "fr_published": "published",
    "mean_average_precision": "mAP",
    "map_published": "published (2022)",
    "agrees": "agrees",
    "note": "note",
}


def show(folder: Path, features: str, definition: str, absent: Sequence[str]) -> None:
    """Print the comparison of one feature set."""
    console = Console(width=None if Console().is_terminal else 160)
    with open(folder / f"{features}_comparison.csv", newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    shown = [name for name in COLUMNS if any(row.get(name) for row in rows)]
    for task in dict.fromkeys(row["task"] for row in rows):
        table = Table(*(COLUMNS[name] for name in shown), title=f"{task} ({features}, {definition})")
        for row in rows:
            if row["task"] == task:
                table.add_row(*(_short(name, row[name]) for name in shown))
        console.print(table)
    if absent:
        print(f"without profiles, and left out: {', '.join(absent)}")
    print(f"results: {folder}")


def _short(column: str, text: str) -> str:
    """Return a fraction or a mean with three digits, as the resource prints it."""
    return f"{float(text):.3f}" if text and column in {"fr", "mean_average_precision"} else text

"""Draw how well several feature sets rank the same wells and perturbations: average precisions side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Dict

import pandas as pd
import plots
import style
from stagekit import program
from tables import AP, join

FEATURES = "features"


def main() -> None:
    """Read the flags, join, draw, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--definition", required=True)
    flags.add_argument("--features", required=True, help="the feature set of each file, by commas")
    flags.add_argument("--replicability_ap", required=True, type=Path, nargs="+", help="a file a set and group")
    flags.add_argument("--matching_ap", required=True, type=Path, nargs="+", help="in the same order")
    flags.add_argument("--write_feature_sets", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        tables = {task: joined(args, task) for task in ("replicability", "matching")}
        drawn = {task: table for task, table in tables.items() if len(table)}
        args.write_feature_sets.mkdir(parents=True, exist_ok=True)
        summed(tables).to_csv(args.write_feature_sets / "feature_sets.csv", index=False)
        if drawn:
            figure = plots.compared(drawn, baseline=args.definition == "2022")
            style.save(figure, args.write_feature_sets, "average_precision")
        else:
            report.warn("no feature set has an average precision to draw")


def joined(args: argparse.Namespace, task: str) -> pd.DataFrame:
    """Return the average precisions of all sets and groups, with the set that each is of."""
    names, paths = args.features.split(","), getattr(args, f"{task}_ap")
    if len(names) != len(paths):
        raise program.DataError(f"--features names {len(names)} feature sets, and --{task}_ap has {len(paths)} files")
    return pd.concat([join([path]).assign(**{FEATURES: name}) for name, path in zip(names, paths)], ignore_index=True)


def summed(tables: Dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a task, group and feature set: how many queries, and the quartiles of their average precisions."""
    rows = [
        {"task": task, "Description": group, FEATURES: features, "queries": len(found), **_quartiles(found[AP])}
        for task, table in tables.items()
        for (group, features), found in table.groupby(["Description", FEATURES], sort=False)
    ]
    return pd.DataFrame(rows, columns=["task", "Description", FEATURES, "queries", "q1", "median", "q3", "mean"])


def _quartiles(values: pd.Series) -> Dict[str, float]:
    q1, median, q3 = pd.to_numeric(values).quantile([0.25, 0.5, 0.75])
    return {"q1": q1, "median": median, "q3": q3, "mean": float(pd.to_numeric(values).mean())}


if __name__ == "__main__":
    program.run(main)

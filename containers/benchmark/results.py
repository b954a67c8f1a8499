"""What every benchmark program writes: a row a query, a row a label, and one row that sums the group up in words."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
import pandas as pd
from definitions import Definition, score
from problems import Problem
from stagekit import program
from tables import LEFT_OUT, MAP, few

DECIDED = 2  # a label is decided if its q-value is this many standard errors away from the threshold


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add what is said of the group."""
    flags.add_argument("--describe", required=True, type=pairs, help="columns of every row: Modality=compound,...")
    flags.add_argument("--missing", required=True, help="plates of the group that have no profiles, by commas")


def pairs(text: str) -> Dict[str, str]:
    """Read `a=b,c=d`."""
    try:
        return dict(part.split("=", 1) for part in text.split(",") if part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of name=value by commas") from None


@dataclass(frozen=True)
class Paths:
    """Where the three tables go: a row a query, a row a label, one row of the group."""

    ap: Path
    map: Path
    fr: Path


def write(
    problem: Problem,
    definition: Definition,
    args: argparse.Namespace,
    paths: Paths,
    notes: List[str],
    report: program.Report,
    bare: Sequence[str] = (),
) -> pd.DataFrame:
    """Score a problem, write its three tables, and return the one of the labels; `bare` plates have no features."""
    per_query, per_label = score(problem, definition)
    missing = [plate for plate in args.missing.split(",") if plate]
    if missing:
        notes.insert(0, f"without {', '.join(missing)}: no profiles")
    for reason in dict.fromkeys(problem.alone.values()):
        names = [name for name, why in problem.alone.items() if why == reason]
        notes.append(f"{len(names)} labels have {reason}: {few(names, 3)}")
    if per_label.empty and not notes:
        notes.append("no label has a positive and a negative to be ranked among")
    left_out = " ".join([*missing, *bare])
    summary = summed(per_label, definition) | {
        "queries": len(per_query),
        LEFT_OUT: left_out,
        "note": "; ".join(notes),
    }
    tables = {paths.ap: per_query, paths.map: per_label, paths.fr: pd.DataFrame([summary])}
    for path, table in tables.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        table.assign(**args.describe).to_csv(path, index=False)
    for note in notes:
        report.warn(note)
    for name, value in summary.items():
        report.fact(name, value)
    return per_label


def summed(per_label: pd.DataFrame, definition: Definition) -> Dict[str, object]:
    """Return the group's numbers: JSON values, "" where there is nothing to count."""
    labels, retrieved = len(per_label), int(per_label["retrieved"].sum())
    means: Dict[str, object] = {"labels": labels, "retrieved": retrieved, "fr": "", MAP: ""}
    if labels:
        means |= {"fr": retrieved / labels, MAP: float(per_label[MAP].mean())}
    if "nlog10qvalue" in per_label:
        distance = np.abs(per_label["nlog10qvalue"].astype("float64") + np.log10(definition.threshold))
        means["undecided"] = int((distance < DECIDED * per_label["nlog10pvalue_error"]).sum())
    return means

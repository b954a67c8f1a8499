"""What the columns of the result tables are called, and how the tables of several groups are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence

import pandas as pd

LABEL = "label"
AP, MAP = "average_precision", "mean_average_precision"
COUNTS = ["n_pos_pairs", "n_neg_pairs"]
TESTED = ["nlog10pvalue", "q_value", "nlog10qvalue", "above_p_threshold", "above_q_threshold", "nlog10pvalue_error"]

PER_QUERY: Dict[str, List[str]] = {
    "final": [AP, *COUNTS, "p_value"],
    "2022": [AP, *COUNTS, "baseline"],
    "copairs": [AP, *COUNTS],
}
PER_LABEL: Dict[str, List[str]] = {"final": [MAP, *TESTED], "2022": [MAP], "copairs": [MAP, *TESTED]}
LEFT_OUT = "left_out"
"""Of a group: which of its plates took no part. With any the group cannot be compared with the published one."""
OF_A_PAIR = ["Description", *(f"{name}{side}" for side in (1, 2) for name in ("Modality", "time", "timepoint")), "Cell"]
"""What is said of two groups that are matched with each other: tasks/selection.py."""

# The tasks of the benchmark, and what the resource calls a label of each.
TASKS = {
    "replicability": "Metadata_broad_sample",
    "matching": "Metadata_target",
    "gene_compound_matching": "Metadata_gene",
}
NAMES = (LABEL, "Description")


def few(names: Sequence[str], most: int = 5) -> str:
    """Return the first of many names for a message."""
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")


def join(paths: Sequence[Path], columns: Sequence[str] = ("Description", LABEL)) -> pd.DataFrame:
    """Return the rows of all tables, in the order given; text as it stands, also where it reads as a number.

    Without any table: no row, with the columns of `columns`.
    """
    tables = [pd.read_csv(path, dtype=_texts(path), keep_default_na=False) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(columns))


def _texts(path: Path) -> Dict[str, str]:
    """Return the type of every column of names: a compound may be called 00042, and a plate 1E5."""
    names = pd.read_csv(path, nrows=0).columns
    named = [name for name in names if name in NAMES or name.startswith("Metadata_")]
    return dict.fromkeys(named, "str")


def columns_of(kind: str, definition: str) -> List[str]:
    """Return the columns of the table of a kind (ap, map, fr) where no two groups are matched with each other."""
    tested = ["undecided"] if definition != "2022" else []
    own = {
        "ap": [LABEL, *PER_QUERY[definition]],
        "map": [LABEL, *PER_LABEL[definition], "retrieved"],
        "fr": ["labels", "retrieved", "fr", MAP, *tested, "queries", LEFT_OUT, "note"],
    }
    return [*own[kind], *OF_A_PAIR]

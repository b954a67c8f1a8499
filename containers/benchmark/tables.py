"""What the columns of the result tables are called, and how the tables of several groups are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pandas as pd

LABEL = "label"
AP, MAP = "average_precision", "mean_average_precision"
COUNTS = ["n_pos_pairs", "n_neg_pairs"]
TESTED = ["nlog10pvalue", "q_value", "nlog10qvalue", "above_p_threshold", "above_q_threshold", "nlog10pvalue_error"]

# The tasks of the benchmark, and what the resource calls a label of each.
TASKS = {
    "replicability": "Metadata_broad_sample",
    "matching": "Metadata_target",
    "gene_compound_matching": "Metadata_gene",
}


def few(names: Sequence[str], most: int = 5) -> str:
    """Return the first of many names for a message."""
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")


def join(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all tables, in the order given; text as it stands."""
    tables = [pd.read_csv(path, keep_default_na=False) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["Description", LABEL])

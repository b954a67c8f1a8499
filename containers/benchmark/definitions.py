"""The three definitions of the benchmark: what becomes of a problem's queries, and when a label counts as retrieved.

final   the published one: p-values of single queries, their geometric mean a label, false discovery rate over labels
2022    the one of the resource's first notebooks: average precision above a random baseline, no p-values
copairs today's recommendation: the p-value of a label's mean average precision, by the copairs library
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
from dataclasses import dataclass
from typing import Tuple

import numpy as np
import pandas as pd
import significance
from problems import Problem
from ranking import Ties, average_precisions
from stagekit import program
from tables import AP, COUNTS, LABEL, MAP, PER_LABEL, PER_QUERY, TESTED

DEFINITIONS = ("final", "2022", "copairs")


@dataclass(frozen=True)
class Definition:
    """A definition with its settings."""

    name: str
    as_published: bool
    permutations: int
    seed: int
    threshold: float

    @property
    def ties(self) -> Ties:
        """Say how the published run ranked what is equally similar: it matters for defect D2, which makes such ties."""
        return "positives_first" if self.as_published and self.name == "final" else "together"


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add the settings that every benchmark program has."""
    flags.add_argument("--definition", required=True, choices=DEFINITIONS)
    flags.add_argument("--behaviour", required=True, choices=["corrected", "as_published"])
    flags.add_argument("--permutations", required=True, type=int, help="random rankings that a p-value is counted in")
    flags.add_argument("--seed", required=True, type=int, help="of the random rankings")
    flags.add_argument("--threshold", required=True, type=float, help="a label below this q-value counts as retrieved")


def chosen(args: argparse.Namespace, report: program.Report) -> Definition:
    """Return the definition that the flags name; unseeded, as published (defect D4), the seed is drawn and told."""
    as_published = args.behaviour == "as_published"
    seed = secrets.randbits(31) if as_published and args.definition == "final" else args.seed
    report.fact("seed", seed)
    return Definition(args.definition, as_published, args.permutations, seed, args.threshold)


def score(problem: Problem, definition: Definition) -> Tuple[pd.DataFrame, pd.DataFrame]:
    """Return the average precision of every query, and the mean of every label with whether it is retrieved."""
    if not problem.queries:
        columns = [*problem.metadata.filter(like="Metadata_").columns, LABEL]
        per_query = pd.DataFrame(columns=[*columns, *PER_QUERY[definition.name]])
        return per_query, pd.DataFrame(columns=[LABEL, *PER_LABEL[definition.name], "retrieved"])
    return {"final": _final, "2022": _of_2022, "copairs": _by_copairs}[definition.name](problem, definition)


def _final(problem: Problem, definition: Definition) -> Tuple[pd.DataFrame, pd.DataFrame]:
    ap = _per_query(problem, definition)
    nulls = significance.Nulls(definition.permutations, definition.seed)
    ap["p_value"] = [nulls.p_value(*row) for row in ap[[AP, *COUNTS]].itertuples(index=False, name=None)]
    ap["nlog10pvalue"] = -np.log10(ap["p_value"])
    # Queries of a label share their random rankings, so their errors may add up: the mean is the most it can be.
    ap["nlog10pvalue_error"] = significance.nlog10_error(ap["p_value"].to_numpy(), definition.permutations)
    means = ap.groupby(LABEL)[[AP, "nlog10pvalue", "nlog10pvalue_error"]].mean().rename(columns={AP: MAP})
    table = _judged(means.reset_index(), definition.threshold)
    return ap.drop(columns=["nlog10pvalue", "nlog10pvalue_error"]), table


def _of_2022(problem: Problem, definition: Definition) -> Tuple[pd.DataFrame, pd.DataFrame]:
    ap = _per_query(problem, definition)
    own = ap["n_pos_pairs"] / (ap["n_pos_pairs"] + ap["n_neg_pairs"])
    # Defect D7: the notebooks subtract the baseline of whichever query came last from all.
    ap["baseline"] = own.iloc[-1] if definition.as_published else own
    ap[AP] -= ap["baseline"]
    table = ap.groupby(LABEL)[[AP]].mean().rename(columns={AP: MAP}).reset_index()
    return ap, table.assign(retrieved=table[MAP] > 0)


def _by_copairs(problem: Problem, definition: Definition) -> Tuple[pd.DataFrame, pd.DataFrame]:
    from copairs.map import average_precision, mean_average_precision, multilabel  # takes seconds

    rules, distance = problem.rules, "abs_cosine" if problem.absolute else "cosine"
    asked = (problem.metadata, problem.values, *rules.positives, *rules.negatives)
    if rules.multilabel:
        ap = multilabel.average_precision(*asked, multilabel_col=LABEL, distance=distance, progress_bar=False)
    else:
        ap = average_precision(*asked, distance=distance, progress_bar=False)
    ap = ap[(ap["n_pos_pairs"] > 0) & (ap["n_total_pairs"] > ap["n_pos_pairs"])].reset_index(drop=True)
    # Its own folder: in the shared one of copairs' default, null distributions depend on what was run before.
    with tempfile.TemporaryDirectory() as nulls:
        table = mean_average_precision(
            ap, [LABEL], definition.permutations, definition.threshold, definition.seed, progress_bar=False,
            max_workers=1, cache_dir=nulls,
        )  # fmt: skip
    ap["n_neg_pairs"] = ap["n_total_pairs"] - ap["n_pos_pairs"]
    p_values = table["p_value"].to_numpy(dtype="float64")
    table["nlog10pvalue"] = -np.log10(p_values)
    table["nlog10pvalue_error"] = significance.nlog10_error(p_values, definition.permutations)
    metadata = [name for name in ap if name.startswith("Metadata_")]
    return ap[[*metadata, LABEL, AP, *COUNTS]], _judged(table, definition.threshold)


def _per_query(problem: Problem, definition: Definition) -> pd.DataFrame:
    queries = problem.queries
    asked = problem.metadata.iloc[[query.row for query in queries]]
    ap = asked.filter(like="Metadata_").reset_index(drop=True)
    ap[LABEL] = [query.label for query in queries]
    ap[AP] = average_precisions(problem.values, queries, absolute=problem.absolute, ties=definition.ties)
    ap["n_pos_pairs"] = [len(query.positives) for query in queries]
    ap["n_neg_pairs"] = [len(query.negatives) for query in queries]
    return ap


def _judged(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Add the false discovery rate over the labels, and who passes."""
    p_values = 10.0 ** -table["nlog10pvalue"].to_numpy()
    table["q_value"] = significance.q_values(p_values)
    table["nlog10qvalue"] = -np.log10(table["q_value"])
    table["above_p_threshold"] = p_values < threshold
    table["above_q_threshold"] = table["retrieved"] = table["q_value"] < threshold
    return table[[LABEL, MAP, *TESTED, "retrieved"]]

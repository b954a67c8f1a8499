"""Ask whether compounds are more like the knock-outs or overexpressions of their targets than like those of others.

Queries are made from both sides: a compound is ranked among genes, a gene's reagent among compounds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import FrozenSet, List, Tuple

import definitions
import numpy as np
import pandas as pd
import perturbations
import problems
import results
from perturbations import Perturbations
from stagekit import program


def main() -> None:
    """Read the flags, rank each side among the other, write."""
    flags = program.parser(__doc__)
    perturbations.add_flags(flags)
    flags.add_argument("--write_gene_compound_matching_ap", required=True, type=Path, help="a row a query")
    flags.add_argument("--write_gene_compound_matching_map", required=True, type=Path, help="a row a label")
    flags.add_argument(
        "--write_gene_compound_matching_fr", required=True, type=Path, help="one row: the fraction retrieved"
    )
    definitions.add_flags(flags)
    results.add_flags(flags)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        if len(args.consensus) != 2:
            flags.error("--consensus takes two files: of the compounds, then of the genes")
        notes: List[str] = []
        definition = definitions.chosen(args, report)
        paths = results.Paths(
            args.write_gene_compound_matching_ap,
            args.write_gene_compound_matching_map,
            args.write_gene_compound_matching_fr,
        )
        compounds, genes = (perturbations.read(path, args, report) for path in args.consensus)
        problem = _problem(*_comparable(_targeting(compounds, genes), genes, notes, report), args)
        results.write(problem, definition, args, paths, notes, report)


def _targeting(compounds: Perturbations, genes: Perturbations) -> Perturbations:
    """Return the compounds with the targets that a retrieved reagent stands for; a compound without any goes."""
    present = frozenset().union(*genes.labels)
    restricted = Perturbations(compounds.profiles, [own & present for own in compounds.labels], compounds.column)
    return restricted.where(np.array([bool(own) for own in restricted.labels], dtype="bool"))


def _comparable(
    compounds: Perturbations, genes: Perturbations, notes: List[str], report: program.Report
) -> Tuple[Perturbations, Perturbations]:
    """Return both sides, and note why nothing can be ranked; without a common feature nothing of either is left."""
    ones, others = compounds.profiles.features, genes.profiles.features
    common = set(ones) & set(others)
    report.fact("features_in_common", len(common))
    if not genes.labels:
        notes.append("no retrieved reagent has a gene")
    elif not compounds.labels:
        notes.append("no retrieved compound targets the gene of a retrieved reagent")
    elif not common:  # all would be as similar as all others
        notes.append("the two groups have no feature in common, so nothing can be ranked")
        return compounds.where(np.zeros(len(compounds.labels), bool)), genes.where(np.zeros(len(genes.labels), bool))
    elif len(common) < max(len(ones), len(others)):
        report.warn(f"of {len(ones)} and {len(others)} features {len(common)} are in both groups; others are left out")
    return compounds, genes


def _problem(compounds: Perturbations, genes: Perturbations, args: argparse.Namespace) -> problems.Problem:
    sides = (compounds, genes)
    features = [name for name in compounds.profiles.features if name in set(genes.profiles.features)]
    values = [side.profiles.values[:, _places(side.profiles.features, features)] for side in sides]
    labels = [*compounds.labels, *genes.labels]
    return problems.across(
        pd.concat([side.profiles.metadata for side in sides], join="inner", ignore_index=True),
        np.concatenate(values),
        labels,
        np.array(["compound"] * len(compounds.labels) + ["gene"] * len(genes.labels), dtype="object"),
        absolute=args.similarity != "cosine",
        strict=args.definition != "2022",
        read_as=[*compounds.labels, *_as_negatives_see_them(genes.labels, args)],
    )


def _as_negatives_see_them(labels: List[FrozenSet[str]], args: argparse.Namespace) -> List[FrozenSet[str]]:
    """Return the genes' labels; as published (defect D2) split into letters, so a true pair counts as negative too."""
    if args.behaviour == "as_published" and args.definition == "final":
        return [frozenset("".join(own)) for own in labels]
    return labels


def _places(features: List[str], wanted: List[str]) -> List[int]:
    place = {name: at for at, name in enumerate(features)}
    return [place[name] for name in wanted]


if __name__ == "__main__":
    program.run(main)

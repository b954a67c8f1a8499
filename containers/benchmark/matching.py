"""Ask whether retrieved perturbations that share a target (or a gene) are more like each other than like the rest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import List

import definitions
import dosing
import numpy as np
import perturbations
import problems
import results
from perturbations import Perturbations
from stagekit import program
from tables import few


def main() -> None:
    """Read the flags, rank the perturbations, write."""
    flags = program.parser(__doc__)
    perturbations.add_flags(flags)
    flags.add_argument("--write_matching_ap", required=True, type=Path, help="a row a query")
    flags.add_argument("--write_matching_map", required=True, type=Path, help="a row a label")
    flags.add_argument("--write_matching_fr", required=True, type=Path, help="one row: the fraction retrieved")
    definitions.add_flags(flags)
    results.add_flags(flags)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        notes: List[str] = []
        definition = definitions.chosen(args, report)
        paths = results.Paths(args.write_matching_ap, args.write_matching_map, args.write_matching_fr)
        retrieved = perturbations.read(args.consensus[0], args, report)
        if not retrieved.labels:
            notes.append(f"no retrieved perturbation has a label ({args.labels})")
        retrieved = _one_dose(retrieved, notes)
        several = retrieved.several
        if args.definition != "2022" and not several:
            retrieved = _with_a_partner(retrieved, notes)
        # A compound may block what another enhances; a knock-out or an overexpression acts one way.
        absolute = {"auto": several and args.definition != "2022", "cosine": False, "abs_cosine": True}
        problem = problems.matching(
            retrieved.profiles.metadata,
            retrieved.profiles.values,
            retrieved.labels,
            absolute=absolute[args.similarity],
            strict=args.definition != "2022",
        )
        report.fact("label_column", retrieved.column)
        report.fact("perturbations", len(retrieved.labels))
        results.write(problem, definition, args, paths, notes, report)


def _one_dose(retrieved: Perturbations, notes: List[str]) -> Perturbations:
    """Keep the highest of a perturbation's doses: its others share its label, and are no partners of it."""
    metadata = retrieved.profiles.metadata
    column = dosing.column(metadata)
    names = metadata["Metadata_label"]
    if not column or not names.duplicated().any():
        return retrieved
    highest = dosing.numbers(metadata[column]).fillna(-1.0).groupby(names).idxmax()
    kept = np.isin(np.arange(len(names)), highest.to_numpy())
    notes.append(f"{(~kept).sum()} profiles are lower doses of others, and left out")
    return retrieved.where(kept)


def _with_a_partner(retrieved: Perturbations, notes: List[str]) -> Perturbations:
    """Leave out what is alone with its label: it is nobody's positive, and the resource ranks against no such one."""
    counts = Counter(next(iter(own)) for own in retrieved.labels)
    alone = sorted(name for name, count in counts.items() if count == 1)
    if alone:
        notes.append(f"{len(alone)} labels have one retrieved perturbation only: {few(alone, 3)}")
    return retrieved.where(np.array([counts[next(iter(own))] > 1 for own in retrieved.labels], dtype="bool"))


if __name__ == "__main__":
    program.run(main)

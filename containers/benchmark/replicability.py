"""Ask whether a perturbation's replicates are more like each other than like the negative controls.

Writes the average precision of every treated well, the mean of every perturbation, the fraction retrieved, and the
consensus profile of every perturbation (the median over its wells) for the matching stages.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List, Tuple

import definitions
import dosing
import numpy as np
import pandas as pd
import problems
import results
import wells
from stagekit import contracts, doses, program
from tables import LABEL, few


def main() -> None:
    """Read the flags, rank the wells, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="feature-selected, a file a plate")
    flags.add_argument("--same_by", required=True, help="columns that replicates share, by commas, or auto; the label")
    flags.add_argument("--different_by", required=True, help="columns that replicates must differ in, by commas")
    flags.add_argument("--negatives", required=True, help="a pandas query of the negative controls")
    flags.add_argument("--negatives_same_by", required=True, help="what a well shares with its negative controls")
    flags.add_argument("--write_consensus", required=True, type=Path)
    flags.add_argument("--write_replicability_ap", required=True, type=Path, help="a row a query")
    flags.add_argument("--write_replicability_map", required=True, type=Path, help="a row a label")
    flags.add_argument("--write_replicability_fr", required=True, type=Path, help="one row: the fraction retrieved")
    definitions.add_flags(flags)
    results.add_flags(flags)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        notes: List[str] = []
        definition = definitions.chosen(args, report)
        paths = results.Paths(args.write_replicability_ap, args.write_replicability_map, args.write_replicability_fr)
        table, bare = _read(args.profiles, notes, report)
        if not definition.as_published:
            table = _once(table, notes)
        profiles, same_by = _treated_and_controls(table, args, report)
        args.same_by = ",".join(same_by)
        problem = _problem(profiles, args, notes)
        found = results.write(problem, definition, args, paths, notes, report, bare)
        retrieved = set(found.loc[found["retrieved"].astype(bool), LABEL])
        negative = wells.matching(profiles.metadata, args.negatives)
        table = consensus(profiles.where(~negative), same_by, retrieved)
        table.to_csv(args.write_consensus, index=False, compression={"method": "gzip", "mtime": 0})


def consensus(profiles: wells.Profiles, same_by: List[str], retrieved: set[str]) -> pd.DataFrame:
    """Return the median profile of every perturbation, with the metadata that its wells share."""
    label = wells.labels(profiles.metadata, same_by)
    order = sorted(set(label))
    first = [int(np.flatnonzero(label == name)[0]) for name in order]
    medians = [np.median(profiles.values[label == name], axis=0) for name in order]
    values = np.array(medians).reshape(len(order), len(profiles.features))
    grouped = profiles.metadata.groupby(label)
    constant = [name for name in profiles.metadata if (grouped[name].nunique() <= 1).all()]
    metadata = profiles.metadata.iloc[first][constant].reset_index(drop=True)
    # Tables of targets know a perturbation by its name, whichever of its doses it is.
    by_dose = same_by == [dosing.PERTURBATION, dosing.column(metadata)]
    metadata["Metadata_label"] = metadata[dosing.PERTURBATION] if by_dose else order
    metadata["Metadata_retrieved"] = [str(name in retrieved).lower() for name in order]
    return pd.concat([metadata, pd.DataFrame(values, columns=profiles.features)], axis="columns")


def _read(paths: List[Path], notes: List[str], report: program.Report) -> Tuple[pd.DataFrame, List[str]]:
    """Return the wells of the plates, and the plates that hold metadata only: they had nothing to be scaled against."""
    tables = [wells.read([path], contracts.ANNOTATED_PROFILES) for path in paths]
    full = [any(not name.startswith(wells.METADATA) for name in table) for table in tables]
    if not all(full):
        bare = ", ".join(path.name for path, whole in zip(paths, full) if not whole)
        notes.append(f"left out, for they hold metadata only: {bare}")
    kept = [table for table, whole in zip(tables, full) if whole] or tables
    _tell_unshared(kept, report)
    empty = [str(table["Metadata_Plate"].iloc[0]) for table, whole in zip(tables, full) if not whole and len(table)]
    return pd.concat(kept, join="inner", ignore_index=True), empty


def _tell_unshared(tables: List[pd.DataFrame], report: program.Report) -> None:
    """Warn of features that not every plate has: the plates are joined on those that all have."""
    names = [[name for name in table if not name.startswith(wells.METADATA)] for table in tables]
    common = set(names[0]).intersection(*names)
    apart = [name for name in dict.fromkeys(name for own in names for name in own) if name not in common]
    report.fact("features_not_on_every_plate", len(apart))
    if apart:
        report.warn(f"{len(apart)} features are not on every plate and are left out: {few(apart)}")


def _once(table: pd.DataFrame, notes: List[str]) -> pd.DataFrame:
    """Leave out repeated wells: each published spherized file holds those of all its group (defect D1)."""
    repeated = table.duplicated(["Metadata_Plate", "Metadata_Well"])
    if repeated.any():
        notes.append(f"{repeated.sum()} rows repeat a well and are left out")
    return table[~repeated].reset_index(drop=True)


def _treated_and_controls(
    table: pd.DataFrame, args: argparse.Namespace, report: program.Report
) -> Tuple[wells.Profiles, List[str]]:
    """Return the wells that hold something, and what replicates share: a negative control needs no name."""
    profiles = wells.split(table, report)
    negative = wells.matching(profiles.metadata, args.negatives)
    same_by = dosing.replicates(args.same_by, profiles.metadata[~negative])
    said = dosing.with_doses_said(profiles.metadata, same_by, ~negative)
    profiles = wells.Profiles(said, profiles.values, profiles.features)
    empty = wells.labels(profiles.metadata, same_by) == ""
    report.fact("same_by", ",".join(same_by))
    for name in same_by:
        profiles.metadata.loc[negative & (profiles.metadata[name] == ""), name] = wells.UNTREATED
    report.fact("wells", len(empty))
    report.fact("empty_wells_left_out", int((empty & ~negative).sum()))
    return profiles.where(~empty | negative), same_by


def _problem(profiles: wells.Profiles, args: argparse.Namespace, notes: List[str]) -> problems.Problem:
    metadata = profiles.metadata
    negative = wells.matching(metadata, args.negatives)
    # The 2022 definition ranks among the negative controls of all plates of the group.
    within = _columns(args.negatives_same_by) if args.definition != "2022" else []
    nothing = np.full(len(metadata), "", dtype="object")
    plates = metadata["Metadata_Plate"].unique()
    if not profiles.features:
        notes.append("the plates have no feature in common, so nothing can be ranked")
    elif len(plates) == 1:
        notes.append(f"one plate only ({plates[0]}): replicates on other plates are not there to be found")
    if profiles.features and negative.all():
        notes.append(f"no well is treated: all {len(negative)} are negative controls, so nothing can be ranked")
    notes += _merged_doses(metadata[~negative], args.same_by)
    if profiles.features and not negative.any():
        notes.append(f"no well is a negative control ({args.negatives}), so nothing can be ranked")
    return problems.replicability(
        metadata,
        profiles.values,
        wells.labels(metadata, _columns(args.same_by)),
        negative,
        wells.labels(metadata, within) if within else nothing,
        wells.labels(metadata, _columns(args.different_by)) if args.different_by else nothing,
    )


def _merged_doses(treated: pd.DataFrame, same_by: str) -> List[str]:
    """Return a note for every column of doses that replicates differ in."""
    names = doses.columns([name for name in treated if name not in _columns(same_by)])
    labels = wells.labels(treated, _columns(same_by))
    remedy = "to keep them apart add {column} to [replicability] same_by"
    return doses.warnings(list(labels), {name: list(treated[name]) for name in names}, remedy)


def _columns(text: str) -> List[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    program.run(main)

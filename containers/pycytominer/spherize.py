"""Whiten the profiles of a set of plates against their negative controls, as CPJUMP1 did.

The plates of a set belong together: one kind of perturbation, one cell line, one time.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

import copies
import numpy as np
import pandas as pd
import profiles
import whitening
from stagekit import contracts, program


def main() -> None:
    """Read the flags, fit on all plates, write each."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="normalized, a file a plate")
    flags.add_argument("--samples", required=True, help="all, or a pandas query of the wells to fit on")
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS)
    flags.add_argument("--write_profiles", required=True, type=Path, nargs="+", help="a file for each of --profiles")
    copies.add_flags(flags, several=True)
    args = flags.parse_args()
    if not len(args.profiles) == len(args.write_profiles) == len(args.write_parquet):
        flags.error("--write_profiles and --write_parquet take as many files as --profiles")
    with program.Report(args.output) as report:
        table = _join(args.profiles, report)
        chosen = profiles.reference_wells(table, args.samples, args.plate)
        whitened = _whiten(table, chosen, args.plate, report)
        plates = [name for name, _ in table.groupby("Metadata_Plate", sort=False)]
        for plate, path, copy in zip(plates, args.write_profiles, args.write_parquet, strict=True):
            own = whitened["Metadata_Plate"] == plate
            # The resource wrote the wells of all plates into the file of each (defect D1).
            wells = whitened[own] if args.behaviour == "corrected" else whitened
            profiles.write(wells, path, contracts.SCALED_PROFILES, copies.wanted(copy, args))


def _join(paths: List[Path], report: program.Report) -> pd.DataFrame:
    """Return the wells of all plates, with the features that have a finite value in every well."""
    tables = [profiles.read(path, contracts.ANNOTATED_PROFILES) for path in paths]
    for table, path in zip(tables, paths, strict=True):
        if table["Metadata_Plate"].nunique() > 1:
            raise program.DataError(f"{path.name}: holds the wells of several plates; give a file a plate")
    table = pd.concat(tables, ignore_index=True)
    metadata, features = profiles.metadata_of(table), profiles.features_of(table)
    finite = np.isfinite(table[features].to_numpy()).all(axis=0)
    kept = [name for name, whole in zip(features, finite, strict=True) if whole]
    dropped = sorted(set(features) - set(kept))
    if not kept:
        raise program.DataError(f"{paths[0].name} and others: no feature has a value in every well of the set")
    if dropped:
        report.warn(f"{len(dropped)} features lack a value in some well and are dropped: {', '.join(dropped[:5])}")
    report.fact("plates", len(paths))
    report.fact("wells", len(table))
    report.fact("features", len(kept))
    report.fact("features_dropped", dropped)
    return table[metadata].fillna("").join(table[kept])


def _whiten(table: pd.DataFrame, chosen: pd.Series, plate_set: str, report: program.Report) -> pd.DataFrame:
    features = profiles.features_of(table)
    values = table[features].to_numpy()
    transform = whitening.fit(values[chosen.to_numpy()], plate_set)
    report.fact("reference_wells", int(chosen.sum()))
    reference = values[chosen.to_numpy()]
    flat = [name for name, most, least in zip(features, reference.max(axis=0), reference.min(axis=0)) if most <= least]
    report.fact("features_without_spread", flat)
    if flat:  # kept, for so the resource did; their variance counts as the least there is
        shown = f"{', '.join(flat[:5])}{', ...' if len(flat) > 5 else ''}"
        report.warn(
            f"{len(flat)} features do not vary in the wells to fit on, and stay as far apart as they are: {shown}"
        )
    report.fact("elbow", transform.elbow)
    if transform.beyond:
        report.warn(whitening.warning(transform, int(chosen.sum())))
    whitened = pd.DataFrame(whitening.apply(transform, values), columns=features, index=table.index)
    return table[profiles.metadata_of(table)].join(whitened)


if __name__ == "__main__":
    program.run(main)

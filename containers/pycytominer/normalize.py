"""Scale every feature of a plate against all its wells, or against those that a query chooses, by pycytominer.

Only to spherize is our own: whitening.py, the resource's way, in which the stage `spherize` whitens a set of plates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import copies
import numpy as np
import pandas as pd
import profiles
import whitening
from stagekit import contracts, program

CHOSEN = "Metadata_is_reference"
METHODS = ("mad_robustize", "robustize", "standardize", "spherize")


def main() -> None:
    """Read the flags, normalize, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, help="the annotated profiles of the plate")
    flags.add_argument("--method", required=True, choices=METHODS)
    flags.add_argument("--samples", required=True, help="all, or a pandas query of the wells to scale against")
    flags.add_argument("--min_negcon_wells", required=True, type=int, help="with fewer wells to scale against ...")
    flags.add_argument("--on_few_negcon", required=True, choices=["warn", "error"], help="write metadata only, or fail")
    flags.add_argument("--write_profiles", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = profiles.read(args.profiles, contracts.ANNOTATED_PROFILES)
        chosen = profiles.reference_wells(table, args.samples, args.profiles.name)
        report.fact("wells", len(table))
        report.fact("reference_wells", int(chosen.sum()))
        if chosen.sum() < args.min_negcon_wells:
            scaled = table[profiles.metadata_of(table)]
        elif args.method == "spherize":
            scaled = whiten(table, chosen, args.plate, report)
        else:
            scaled = _drop_dead(scale(table, chosen, args.method), report)
        if not profiles.features_of(scaled):
            _tell_few(int(chosen.sum()), args, report)
        copy = copies.wanted(args.write_parquet, args)
        profiles.write(scaled, args.write_profiles, contracts.SCALED_PROFILES, copy)


def scale(table: pd.DataFrame, chosen: pd.Series, method: str) -> pd.DataFrame:
    """Return the metadata and the scaled features; a feature that does not vary in the chosen wells is not finite."""
    from pycytominer import normalize  # takes two seconds, which a plate without negative controls need not wait for

    metadata, features = table[profiles.metadata_of(table)], profiles.features_of(table)
    if not features:
        return metadata
    marked = pd.concat([metadata, chosen.rename(CHOSEN), table[features]], axis="columns")
    scaled = normalize(marked, features=features, samples=CHOSEN, method=method, mad_robustize_epsilon=0)
    return scaled.drop(columns=CHOSEN)


def whiten(table: pd.DataFrame, chosen: pd.Series, plate: str, report: program.Report) -> pd.DataFrame:
    """Return the metadata and the whitened features; one without a finite value in every well is left out."""
    names = profiles.features_of(table)
    finite = np.isfinite(table[names].to_numpy()).all(axis=0)
    whole = [name for name, good in zip(names, finite, strict=True) if good]
    report.fact("features", len(whole))
    report.fact("features_dropped", [name for name in names if name not in set(whole)])
    if len(whole) < len(names):
        report.warn(f"{len(names) - len(whole)} features lack a value in some well and cannot be whitened")
    if not whole:
        return table[profiles.metadata_of(table)]
    values = table[whole].to_numpy()
    transform = whitening.fit(values[chosen.to_numpy()], plate)
    if transform.beyond:
        report.warn(whitening.warning(transform, int(chosen.sum())))
    whitened = pd.DataFrame(whitening.apply(transform, values), columns=whole, index=table.index)
    return table[profiles.metadata_of(table)].join(whitened)


def _drop_dead(scaled: pd.DataFrame, report: program.Report) -> pd.DataFrame:
    """Drop the features that were divided by nothing; mark other infinities as missing."""
    numbers = scaled[profiles.features_of(scaled)].replace([np.inf, -np.inf], np.nan)
    dead = numbers.columns[numbers.isna().all()].tolist()
    report.fact("features", numbers.shape[1] - len(dead))
    report.fact("features_without_spread", dead)
    if dead:
        shown = ", ".join(dead[:5]) + (", ..." if len(dead) > 5 else "")
        report.warn(f"{len(dead)} features do not vary in the wells to scale against and are dropped: {shown}")
    return scaled[profiles.metadata_of(scaled)].join(numbers.drop(columns=dead))


def _tell_few(wells: int, args: argparse.Namespace, report: program.Report) -> None:
    message = (
        f"{args.profiles.name}: {wells} wells match {args.samples!r}, and no feature can be scaled against them"
        f" (at least {args.min_negcon_wells} wells are asked for): the file would hold metadata only"
    )
    if args.on_few_negcon == "error":
        raise program.DataError(message)
    report.warn(message)


if __name__ == "__main__":
    program.run(main)

"""Bring the replicates of every perturbation of a set of plates together into one profile, by pycytominer."""

from __future__ import annotations

from pathlib import Path
from typing import List

import copies
import pandas as pd
import profiles
from stagekit import contracts, program

OPERATIONS = ("modz", "median", "mean")


def main() -> None:
    """Read the flags, bring together, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="a file a plate")
    flags.add_argument("--operation", required=True, choices=OPERATIONS)
    flags.add_argument("--replicates", required=True, help="by commas: the columns in which replicates agree")
    flags.add_argument("--write_consensus", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        tables = [profiles.read(path, contracts.SCALED_PROFILES) for path in args.profiles]
        table = pd.concat(tables, ignore_index=True)
        keys = args.replicates.split(",")
        _check(table, keys, args.profiles[0].name)
        made = bring_together(table, keys, args.operation)
        report.fact("plates", len(tables))
        report.fact("wells", len(table))
        report.fact("consensus_profiles", len(made))
        copy = copies.wanted(args.write_parquet, args)
        profiles.write(made, args.write_consensus, contracts.REPLICATES, copy)


def bring_together(table: pd.DataFrame, keys: List[str], operation: str) -> pd.DataFrame:
    """Return a row for each combination of the keys: the metadata that its wells share, then its features.

    A feature that is not in every well is left out: MODZ would take a missing value for 0.
    """
    from pycytominer import consensus  # takes two seconds, which a wrong flag need not wait for

    metadata = profiles.metadata_of(table)
    table[metadata] = table[metadata].fillna("")
    features = [name for name in profiles.features_of(table) if table[name].notna().all()]
    made = consensus(table, replicate_columns=keys, operation=operation, features=features)
    groups = table.groupby(keys, sort=True)
    agree = (groups[metadata].nunique() == 1).all()
    shared = [name for name in metadata if name not in keys and agree[name]]
    facts = groups[shared].first().reset_index() if shared else groups.size().reset_index()[keys]
    return facts.merge(made[[*keys, *features]], on=keys, validate="1:1")[[*keys, *shared, *features]]


def _check(table: pd.DataFrame, keys: List[str], where: str) -> None:
    unknown = [name for name in keys if name not in profiles.metadata_of(table)]
    if unknown:
        known = ", ".join(profiles.metadata_of(table))
        message = f"{where}: there is no column {', '.join(unknown)} to tell replicates by; known: {known}"
        raise program.DataError(f"{message} ([consensus] replicates)")
    if not profiles.features_of(table):
        raise program.DataError(f"{where}: holds metadata only, so there is nothing to bring together")


if __name__ == "__main__":
    program.run(main)

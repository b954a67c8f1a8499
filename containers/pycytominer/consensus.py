"""Bring the replicates of every perturbation of a set of plates together into one profile, by pycytominer."""

from __future__ import annotations

from pathlib import Path
from typing import List

import copies
import pandas as pd
import profiles
from stagekit import contracts, doses, program

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
        tables = _with_features(args.profiles, report)
        table = pd.concat(tables, ignore_index=True)
        keys = args.replicates.split(",")
        _check(table, keys, args.profiles[0].name)
        _tell_gaps(table, report)
        _tell_doses(table, keys, report)
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


def _with_features(paths: List[Path], report: program.Report) -> List[pd.DataFrame]:
    """Return the plates' profiles; one that holds metadata only would take every feature of the others away."""
    tables = {path.name: profiles.read(path, contracts.SCALED_PROFILES) for path in paths}
    bare = [name for name, table in tables.items() if not profiles.features_of(table)]
    if bare and len(bare) < len(tables):
        report.warn(f"left out, for they hold metadata only: {', '.join(bare)}")
        report.fact("plates_left_out", bare)
        return [table for name, table in tables.items() if name not in bare]
    return list(tables.values())


def _tell_gaps(table: pd.DataFrame, report: program.Report) -> None:
    """Warn of the features that not every well has a value of: they are left out."""
    features = profiles.features_of(table)
    missing = table[features].isna()
    gaps = {name: int(missing[name].sum()) for name in features if missing[name].any()}
    report.fact("features", len(features) - len(gaps))
    report.fact("features_dropped", gaps)
    if len(gaps) == len(features):
        message = "no feature has a value in every well, so there is nothing to bring together"
        raise program.DataError(f"{message}; select the features of all plates together (drop_na_columns)")
    if gaps:
        wells = missing.any(axis="columns")
        plates = ", ".join(dict.fromkeys(table.loc[wells, "Metadata_Plate"])) if "Metadata_Plate" in table else ""
        shown = ", ".join(f"{name} (in {count} wells)" for name, count in list(gaps.items())[:5])
        message = f"{len(gaps)} of {len(features)} features lack a value in some well and are left out: {shown}"
        report.warn(f"{message}{', ...' if len(gaps) > 5 else ''}; the wells are on {plates}")


def _tell_doses(table: pd.DataFrame, keys: List[str], report: program.Report) -> None:
    columns = doses.columns([name for name in profiles.metadata_of(table) if name not in keys])
    labels = table[keys].astype("str").agg(" ".join, axis="columns")
    remedy = "to keep them apart add {column} to [consensus] replicates"
    for warning in doses.warnings(list(labels), {name: list(table[name].fillna("")) for name in columns}, remedy):
        report.warn(warning)


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

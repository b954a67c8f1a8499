"""Say of every well of a plate which perturbation it holds: profiles joined with the platemap and the perturbations."""

from __future__ import annotations

import argparse
from pathlib import Path

import copies
import pandas as pd
import profiles
from stagekit import contracts, doses, outside, program

WELL = "well_position"
KEY = "broad_sample"
DOSE = "dose"


def main() -> None:
    """Read the flags, join, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, help="the aggregated profiles of the plate")
    flags.add_argument("--platemap", required=True, type=Path, help="tab separated: well_position, broad_sample, ...")
    flags.add_argument("--external_metadata", required=True, type=Path, help="tab separated: a row for a broad_sample")
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS)
    flags.add_argument("--write_profiles", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        wells = profiles.read(args.profiles)
        platemap = profiles.read_text(args.platemap, outside.PLATEMAP)
        perturbations = profiles.read_text(args.external_metadata, outside.EXTERNAL_METADATA)
        _check_columns(wells, platemap, perturbations, args)
        _check_places(wells, platemap, args)
        _tell(report, wells, platemap, perturbations)
        _tell_doses(report, platemap, args.platemap.name)
        annotated = join(wells, platemap, perturbations)
        told = annotated if args.behaviour == "corrected" else as_published(annotated)
        copy = copies.wanted(args.write_parquet, args)
        profiles.write(told, args.write_profiles, contracts.ANNOTATED_PROFILES, copy)


def join(wells: pd.DataFrame, platemap: pd.DataFrame, perturbations: pd.DataFrame) -> pd.DataFrame:
    """Return the wells with what the platemap and the perturbations say of them, platemap columns first.

    An empty broad_sample is a key like any other: it is the one of the DMSO row, or of no row at all.
    """
    annotated = platemap.add_prefix("Metadata_").merge(
        wells, left_on=f"Metadata_{WELL}", right_on="Metadata_Well", how="inner", validate="1:m"
    )
    annotated = annotated.drop(columns=f"Metadata_{WELL}")
    annotated = annotated.merge(perturbations.add_prefix("Metadata_"), on=f"Metadata_{KEY}", how="left", validate="m:1")
    metadata = profiles.metadata_of(annotated)
    annotated[metadata] = annotated[metadata].fillna("")
    return annotated[[*metadata, *profiles.features_of(annotated)]]


def as_published(annotated: pd.DataFrame) -> pd.DataFrame:
    """Return the profiles with defect D3: numbers among the metadata lose all but five digits.

    It befell the columns that pandas reads as floats: numbers alone, with a decimal point or a missing value.
    """
    rounded = annotated.copy()
    for name in profiles.metadata_of(annotated):
        numbers = pd.to_numeric(annotated[name].replace(profiles.MISSING, None), errors="coerce")
        known = ~annotated[name].isin(profiles.MISSING)
        if numbers.dtype == "float64" and known.any() and numbers[known].notna().all():
            rounded.loc[known, name] = [profiles.PRECISION % number for number in numbers[known]]
    return rounded


def _check_columns(
    wells: pd.DataFrame, platemap: pd.DataFrame, perturbations: pd.DataFrame, args: argparse.Namespace
) -> None:
    """Refuse a column that the profiles or the other table have too: one of them would be lost."""
    own = list(wells.columns)
    outside.refuse_clashes(outside.clashes(list(platemap), profiles=own), args.platemap.name)
    others = [name for name in platemap if name != KEY]
    outside.refuse_clashes(outside.clashes(list(perturbations), others, own), args.external_metadata.name)


def _check_places(wells: pd.DataFrame, platemap: pd.DataFrame, args: argparse.Namespace) -> None:
    unknown = wells.loc[~wells["Metadata_Well"].isin(platemap[WELL]), "Metadata_Well"].tolist()
    if unknown:
        message = (
            f"{args.platemap.name}: plate {args.plate} has {len(unknown)} wells that are not in the platemap: "
            f"{', '.join(unknown[:10])}; wells are written like A01"
        )
        raise program.DataError(message)


def _tell(report: program.Report, wells: pd.DataFrame, platemap: pd.DataFrame, perturbations: pd.DataFrame) -> None:
    """Report what the joins leave open: wells without a profile, perturbations without a row."""
    absent = platemap.loc[~platemap[WELL].isin(wells["Metadata_Well"]), WELL].tolist()
    unknown = sorted(set(platemap[KEY]) - set(perturbations[KEY]) - {""})
    if absent:
        report.warn(f"{len(absent)} wells of the platemap have no profile: {', '.join(absent[:10])}")
    if unknown:
        report.warn(f"{len(unknown)} broad_sample have no row in the external metadata: {', '.join(unknown[:10])}")
    report.fact("wells", len(wells))
    report.fact("wells_without_profile", absent)
    report.fact("broad_samples_without_metadata", unknown)


def _tell_doses(report: program.Report, platemap: pd.DataFrame, where: str) -> None:
    """Warn of compounds with several doses where their column is not the one that later stages tell doses apart by."""
    columns = doses.columns([name for name in platemap if name not in (WELL, KEY)])
    if DOSE in columns:
        return
    remedy = "unless [consensus] replicates and [replicability] same_by are auto, or name Metadata_{column}"
    for warning in doses.warnings(list(platemap[KEY]), {name: list(platemap[name]) for name in columns}, remedy):
        report.warn(f"{where}: {warning}")


if __name__ == "__main__":
    program.run(main)

"""Scale every feature of a plate against all its wells, or against those that a query chooses, as pycytominer does.

Two methods are our own. mad_robustize gives pycytominer's numbers to the last bit, in less time. To spherize is
whitening.py, the resource's way, in which the stage `spherize` whitens a set of plates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import copies
import extremes
import numpy as np
import pandas as pd
import profiles
import spread
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
    flags.add_argument("--least_spread", required=True, type=_least_spread, help="of the spread, as part of the median")
    flags.add_argument("--min_negcon_wells", required=True, type=int, help="with fewer wells to scale against ...")
    flags.add_argument("--on_few_negcon", required=True, choices=["warn", "error"], help="write metadata only, or fail")
    flags.add_argument("--write_profiles", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = profiles.read(args.profiles, contracts.ANNOTATED_PROFILES)
        chosen = profiles.reference_wells(table, args.samples, args.profiles.name, needed=False)
        report.fact("wells", len(table))
        report.fact("reference_wells", int(chosen.sum()))
        if chosen.sum() < max(args.min_negcon_wells, 1):
            scaled = table[profiles.metadata_of(table)]
        else:
            scaled = _scaled(table, chosen, args, report)
        if not profiles.features_of(scaled):
            _tell_few(int(chosen.sum()), args, report)
        copy = copies.wanted(args.write_parquet, args)
        profiles.write(scaled, args.write_profiles, contracts.SCALED_PROFILES, copy)


def _scaled(table: pd.DataFrame, chosen: pd.Series, args: argparse.Namespace, report: program.Report) -> pd.DataFrame:
    """Return the profiles scaled; by every method what is infinite is missing, and what does not vary is left out."""
    varying = vary(_finite(table, report), chosen, args.method, report)
    if args.method == "spherize":
        return whiten(varying, chosen, args.plate, report)
    scaled = scale(varying, chosen, args.method, args.least_spread)
    names = profiles.features_of(scaled)
    report.fact("features", len(names))
    _tell_extremes(scaled, varying, chosen, args.method, report)
    scaled[names] = scaled[names].replace([np.inf, -np.inf], np.nan)
    return scaled


def vary(table: pd.DataFrame, chosen: pd.Series, method: str, report: program.Report) -> pd.DataFrame:
    """Return the profiles without the features that cannot be divided by their spread in the chosen wells."""
    names = profiles.features_of(table)
    good = spread.of(table.loc[chosen, names].to_numpy(), method).varies()
    dead = [name for name, varies in zip(names, good, strict=True) if not varies]
    report.fact("features_without_spread", dead)
    if dead:
        shown = ", ".join(dead[:5]) + (", ..." if len(dead) > 5 else "")
        why = f"have a {spread.NAMES[method]} of 0, or no value, in the wells to scale against"
        report.warn(f"{len(dead)} features {why} and are dropped: {shown}")
    return table.drop(columns=dead)


def scale(table: pd.DataFrame, chosen: pd.Series, method: str, least_spread: float = 0.0) -> pd.DataFrame:
    """Return the metadata and the scaled features, each of which must vary in the chosen wells."""
    metadata, features = table[profiles.metadata_of(table)], profiles.features_of(table)
    if not features:
        return metadata
    scaled = _by_mad(table[features], chosen) if method == "mad_robustize" else _others(table[features], chosen, method)
    raised = spread.of(table.loc[chosen, features].to_numpy(), method).raised(least_spread)
    low = [name for name, factor in zip(features, raised, strict=True) if factor > 1]
    scaled[low] = scaled[low] / raised[raised > 1]
    return metadata.join(scaled[features])


def _by_mad(features: pd.DataFrame, chosen: pd.Series) -> pd.DataFrame:
    """Return (x - median) / (1.4826 MAD) of the chosen wells, a missing value left out."""
    wells = features[chosen].to_numpy()
    center = np.nanmedian(wells, axis=0)
    width = np.nanmedian(np.abs(wells - center), axis=0) / (1 / spread.MAD_TO_SIGMA)  # as scipy has it: the same bits
    return pd.DataFrame((features.to_numpy() - center) / width, columns=features.columns, index=features.index)


def _others(features: pd.DataFrame, chosen: pd.Series, method: str) -> pd.DataFrame:
    from pycytominer import normalize  # takes two seconds, which no other method need wait for

    marked = pd.concat([chosen.rename(CHOSEN), features], axis="columns")
    return normalize(marked, features=list(features), samples=CHOSEN, method=method)


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


def _finite(table: pd.DataFrame, report: program.Report) -> pd.DataFrame:
    """Return the profiles with an infinite value taken for a missing one, and say of which features."""
    names = profiles.features_of(table)
    infinite = np.isinf(table[names].to_numpy()).sum(axis=0)
    found = {name: int(count) for name, count in zip(names, infinite, strict=True) if count}
    report.fact("infinite_values", found)
    if not found:
        return table
    shown = ", ".join(f"{name} (in {count} wells)" for name, count in list(found.items())[:5])
    report.warn(f"{len(found)} features have infinite values, which count as missing: {shown}")
    return table.replace(dict.fromkeys(found, [np.inf, -np.inf]), np.nan)


def _tell_extremes(
    scaled: pd.DataFrame, table: pd.DataFrame, chosen: pd.Series, method: str, report: program.Report
) -> None:
    """Warn of features that hardly vary in the wells to scale against: a value elsewhere becomes very large."""
    found = extremes.find(scaled[profiles.features_of(scaled)])
    report.fact("extreme_values", {each.feature: each.value for each in found})
    if not found:
        return
    wells, name = list(scaled["Metadata_Well"]), spread.NAMES[method]
    worst = found[0].feature
    own = spread.of(table.loc[chosen, [worst]].to_numpy(), method)
    report.warn(
        f"{len(found)} features have values beyond {extremes.USUAL_CUTOFF:g} times their {name} in the wells to scale"
        f" against: {extremes.told(found, wells)}; of {worst} the {name} is {own.width[0]:.3g} at {own.center[0]:.5g}."
        " One such feature may decide alone how similar profiles are: add drop_outliers to [select_features]"
        " operations, or set [normalize] least_spread"
    )


def _tell_few(wells: int, args: argparse.Namespace, report: program.Report) -> None:
    message = (
        f"{args.profiles.name}: {wells} wells match {args.samples!r}, and no feature can be scaled against them"
        f" (at least {args.min_negcon_wells} wells are asked for): the file would hold metadata only"
    )
    if args.on_few_negcon == "error":
        raise program.DataError(message)
    report.warn(message)


def _least_spread(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


if __name__ == "__main__":
    program.run(main)

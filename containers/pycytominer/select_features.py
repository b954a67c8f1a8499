"""Keep the features that vary, differ from each other and are complete, over all the plates that are given.

Each operation looks at the full list of features, and what any of them excludes goes: so the resource did it.
pycytominer from 1.0 on would let each look only at what the one before has left.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List

import pandas as pd
import profiles
import selection
from stagekit import contracts, program


def main() -> None:
    """Read the flags, select over all plates, write each."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="normalized, a file a plate")
    flags.add_argument(
        "--operations", required=True, type=_operations, help=f"by commas: {', '.join(selection.OPERATIONS)}"
    )
    flags.add_argument("--na_cutoff", required=True, type=_fraction, help="drop_na_columns: highest part missing")
    flags.add_argument("--corr_threshold", required=True, type=_fraction, help="correlation_threshold: highest r")
    flags.add_argument("--freq_cut", required=True, type=_fraction, help="variance_threshold: 2nd / most common count")
    flags.add_argument("--unique_cut", required=True, type=_fraction, help="variance_threshold: distinct / wells")
    flags.add_argument("--location_features", required=True, choices=["drop", "keep"], help="places, object numbers")
    flags.add_argument("--write_profiles", required=True, type=Path, nargs="+", help="a file for each of --profiles")
    args = flags.parse_args()
    if len(args.profiles) != len(args.write_profiles):
        flags.error("--write_profiles takes as many files as --profiles")
    with program.Report(args.output) as report:
        plates = [profiles.read(path, contracts.ANNOTATED_PROFILES) for path in args.profiles]
        kept = _select(plates, args, report)
        for plate, path in zip(plates, args.write_profiles, strict=True):
            profiles.write(plate[[*profiles.metadata_of(plate), *(name for name in kept if name in plate)]], path)


def _select(plates: List[pd.DataFrame], args: argparse.Namespace, report: program.Report) -> List[str]:
    """Return the features to keep, of those that all plates have."""
    full = [plate for plate in plates if profiles.features_of(plate)]
    shared = _shared(full, report)
    for plate, path in zip(plates, args.profiles, strict=True):
        if not profiles.features_of(plate):
            report.warn(f"{path.name}: holds metadata only, so nothing is selected and the output holds no feature")
    if not shared:
        return []
    kept = [name for name in shared if args.location_features == "keep" or not selection.is_location(name)]
    thresholds = selection.Thresholds(args.na_cutoff, args.corr_threshold, args.freq_cut, args.unique_cut)
    table = pd.concat([plate[kept] for plate in full], ignore_index=True)
    lists = {"location": sorted(set(shared) - set(kept)), **selection.excluded(table, args.operations, thresholds)}
    gone = {name for names in lists.values() for name in names}
    kept = [name for name in kept if name not in gone]
    report.fact("features_excluded", {reason: len(names) for reason, names in lists.items()})
    report.fact("features", len(kept))
    if not kept:
        report.warn(f"none of the {len(shared)} features is kept; loosen the thresholds or look at the plate")
    return kept


def _shared(plates: List[pd.DataFrame], report: program.Report) -> List[str]:
    """Return the features that every plate has."""
    lists = [profiles.features_of(plate) for plate in plates]
    common = set(lists[0]).intersection(*lists) if lists else set()
    apart = sorted(set().union(*lists) - common)
    if apart:
        report.warn(f"{len(apart)} features are not on every plate and are left out: {', '.join(apart[:5])}")
    report.fact("plates", len(plates))
    report.fact("features_not_on_every_plate", apart)
    report.fact("features_before", len(common))
    return [name for name in lists[0] if name in common] if lists else []


def _operations(text: str) -> List[str]:
    names = text.split(",")
    wrong = [name for name in names if name not in selection.OPERATIONS]
    if wrong or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r}: each at most once, of {', '.join(selection.OPERATIONS)}")
    return names


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


if __name__ == "__main__":
    program.run(main)

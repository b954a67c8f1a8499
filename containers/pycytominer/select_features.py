"""Keep the features that vary, differ from each other and are complete, over all the plates that are given.

Each operation looks at the full list of features, and what any of them excludes goes: so the resource did it.
pycytominer from 1.0 on would let each look only at what the one before has left.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Dict, List, NamedTuple

import blocklist
import copies
import extremes
import pandas as pd
import profiles
import selection
from selection import Reasons
from stagekit import contracts, program
from stored_plates import StoredPlates


class Plate(NamedTuple):
    """A plate's profiles; its values are in the file of all plates. The features may be none."""

    name: str
    metadata: pd.DataFrame
    features: List[str]


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
    flags.add_argument("--outlier_cutoff", required=True, type=_positive, help="drop_outliers: the largest value")
    flags.add_argument(
        "--blocklist", required=True, type=Path, nargs="*", help="names a line, instead of pycytominer's"
    )
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS, help="for location_features auto")
    flags.add_argument("--location_features", required=True, choices=["auto", "drop", "keep"])
    flags.add_argument("--write_profiles", required=True, type=Path, nargs="+", help="a file for each of --profiles")
    copies.add_flags(flags, several=True)
    flags.add_argument("--write_excluded", required=True, type=Path, help="which features are not kept, and why")
    args = flags.parse_args()
    if not len(args.profiles) == len(args.write_profiles) == len(args.write_parquet):
        flags.error("--write_profiles and --write_parquet take as many files as --profiles")
    with program.Report(args.output) as report:
        if args.blocklist:
            blocklist.tell(args.blocklist[0], args.operations, report)
        stored = StoredPlates(args.output)
        plates = [_read(path, stored, report) for path in args.profiles]
        lists = {**_absent(plates), **_judge(plates, stored, args)}
        kept = _kept(plates, lists, report)
        _tell_extremes(plates, stored, kept, args, report)
        _write_reasons(lists, args.plate, args.write_excluded)
        _write_plates(plates, stored, kept, args)


def _read(path: Path, stored: StoredPlates, report: program.Report) -> Plate:
    table = profiles.read(path, contracts.SCALED_PROFILES)
    features = profiles.features_of(table)
    if not features:
        report.warn(f"{path.name}: holds metadata only, so nothing is selected and the output holds no feature")
    stored.add(table[features])
    return Plate(table["Metadata_Plate"].iloc[0], table[profiles.metadata_of(table)], features)


def _absent(plates: List[Plate]) -> Dict[str, Reasons]:
    """Return the features that some plates lack; plates without any feature are not asked."""
    full = [plate for plate in plates if plate.features]
    having = [{*plate.features} for plate in full]
    reasons = {}
    for name in dict.fromkeys(name for plate in full for name in plate.features):
        lack = [plate.name for plate, own in zip(full, having, strict=True) if name not in own]
        if lack:
            reasons[name] = f"is not on {len(lack)} of {len(full)} plates: {', '.join(lack[:5])}"
    return {"not_on_every_plate": reasons}


def _shared(plates: List[Plate]) -> List[str]:
    """Return the features that every plate has, plates without any left aside."""
    full = [plate.features for plate in plates if plate.features]
    common = set(full[0]).intersection(*full) if full else set()
    return [name for name in full[0] if name in common] if full else []


def _judge(plates: List[Plate], stored: StoredPlates, args: argparse.Namespace) -> Dict[str, Reasons]:
    """Return the features to exclude of those that every plate has."""
    shared = _shared(plates)
    # Places and object numbers took part in the published selection (defect D5).
    drop = args.location_features == "drop" or args.location_features == "auto" and args.behaviour == "corrected"
    places = selection.location(shared) if drop else {}
    judged = [name for name in shared if name not in places]
    if not judged:
        return {"location": places}
    return {"location": places, **selection.excluded(stored.judged(judged), args.operations, _rules(args))}


def _rules(args: argparse.Namespace) -> selection.Thresholds:
    names = blocklist.read(args.blocklist[0]) if args.blocklist else None
    return selection.Thresholds(
        args.na_cutoff, args.corr_threshold, args.freq_cut, args.unique_cut, args.outlier_cutoff, names
    )


def _kept(plates: List[Plate], lists: Dict[str, Reasons], report: program.Report) -> List[str]:
    """Return the features to keep, and tell how many went and why."""
    shared, apart = _shared(plates), lists["not_on_every_plate"]
    gone = {name for reasons in lists.values() for name in reasons}
    kept = [name for name in shared if name not in gone]
    if apart:
        report.warn(f"{len(apart)} features are not on every plate and are left out: {', '.join(list(apart)[:5])}")
    if shared and not kept:
        report.warn(f"none of the {len(shared)} features is kept; loosen the thresholds or look at the plate")
    report.fact("plates", len(plates))
    report.fact("features_before", len(shared))
    report.fact("features_excluded", {operation: len(reasons) for operation, reasons in lists.items()})
    report.fact("features", len(kept))
    return kept


def _tell_extremes(
    plates: List[Plate], stored: StoredPlates, kept: List[str], args: argparse.Namespace, report: program.Report
) -> None:
    """Warn of kept features with values beyond the cutoff: one may decide alone how similar profiles are."""
    full = [plate for plate in plates if plate.features]
    blocks = (pd.DataFrame(values, columns=names, copy=False) for names, values in stored.judged(kept).blocks())
    found = [each for block in blocks for each in extremes.find(block, args.outlier_cutoff)]
    found.sort(key=lambda each: -abs(each.value))
    report.fact("extreme_values", {each.feature: each.value for each in found})
    if found:
        wells = [f"{plate.name} {well}" for plate in full for well in plate.metadata["Metadata_Well"]]
        message = f"{len(found)} features that are kept have values beyond {args.outlier_cutoff:g}"
        remedy = "add drop_outliers to [select_features] operations to leave such features out"
        report.warn(f"{message}: {extremes.told(found, wells)}; {remedy}")


def _write_reasons(lists: Dict[str, Reasons], plate_set: str, path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(contracts.EXCLUDED.required)
        for operation, reasons in lists.items():
            table.writerows((name, reason, operation, plate_set) for name, reason in reasons.items())


def _write_plates(plates: List[Plate], stored: StoredPlates, kept: List[str], args: argparse.Namespace) -> None:
    """Write every plate with the same columns: as in the resource, the metadata of any of them."""
    columns = list(dict.fromkeys(name for plate in plates for name in plate.metadata))
    for at, (plate, path, copy) in enumerate(zip(plates, args.write_profiles, args.write_parquet, strict=True)):
        values = stored.plate(at, kept if plate.features else [])
        table = plate.metadata.reindex(columns=columns, fill_value="").join(values)
        profiles.write(table, path, contracts.SCALED_PROFILES, copies.wanted(copy, args))


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


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


if __name__ == "__main__":
    program.run(main)

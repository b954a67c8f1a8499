"""Whiten the profiles of a set of plates against their negative controls, as CPJUMP1 did (ZCA-cor).

The plates of a set belong together: one kind of perturbation, one cell line, one time. The resource's transform is not
pycytominer's: it bounds the eigenvalues of the correlation matrix from below, by a tenth of that at their elbow.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple

import numpy as np
import pandas as pd
import profiles
from stagekit import contracts, program

LEAST_VARIANCE = 1e-3


class Transform(NamedTuple):
    """(x - mean) * scale, then each of the `axes` (columns) stretched, and all that is across them by `rest`."""

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    stretch: np.ndarray
    rest: float
    elbow: int
    beyond: bool
    """Whether the elbow was looked for in vain among what the wells span, and the last of that stands for it."""


def main() -> None:
    """Read the flags, fit on all plates, write each."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="normalized, a file a plate")
    flags.add_argument("--samples", required=True, help="all, or a pandas query of the wells to fit on")
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS)
    flags.add_argument("--write_profiles", required=True, type=Path, nargs="+", help="a file for each of --profiles")
    args = flags.parse_args()
    if len(args.profiles) != len(args.write_profiles):
        flags.error("--write_profiles takes as many files as --profiles")
    with program.Report(args.output) as report:
        table = _join(args.profiles, report)
        chosen = profiles.reference_wells(table, args.samples, args.plate)
        whitened = _whiten(table, chosen, args.plate, report)
        plates = [name for name, _ in table.groupby("Metadata_Plate", sort=False)]
        for plate, path in zip(plates, args.write_profiles, strict=True):
            own = whitened["Metadata_Plate"] == plate
            # The resource wrote the wells of all plates into the file of each (defect D1).
            profiles.write(whitened[own] if args.behaviour == "corrected" else whitened, path)


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
    if chosen.sum() < 3:
        raise program.DataError(f"{plate_set}: {chosen.sum()} wells to fit on are too few; choose others by [spherize]")
    transform = fit(values[chosen.to_numpy()], plate_set)
    report.fact("reference_wells", int(chosen.sum()))
    report.fact("elbow", transform.elbow)
    if transform.beyond:
        told = f"{chosen.sum()} wells to fit on span {transform.elbow + 1} directions and their eigenvalues bend after"
        report.warn(f"{told} the last: a tenth of that one bounds them; more wells make the whitening surer")
    whitened = pd.DataFrame(apply(transform, values), columns=features, index=table.index)
    return table[profiles.metadata_of(table)].join(whitened)


def fit(wells: np.ndarray, plate_set: str) -> Transform:
    """Return the transform that whitens these wells.

    With fewer wells than features most eigenvalues of the correlation matrix are 0; the others and their axes come from
    the wells' own singular values, in seconds where the matrix of 5,800 features would take minutes.
    """
    from kneed import KneeLocator  # takes a second, which a wrong flag need not wait for

    mean, variance = wells.mean(axis=0), wells.var(axis=0, ddof=1)
    spread = np.where(variance > 0, np.sqrt(variance), np.inf)  # a feature without spread correlates with none
    _, singular, axes = np.linalg.svd((wells - mean) / spread, full_matrices=False)
    eigenvalues = np.zeros(wells.shape[1])
    eigenvalues[: len(singular)] = singular**2 / (len(wells) - 1)
    places = range(len(eigenvalues))
    # Beyond what the wells span there is rounding only, another one on each machine; a tenth of it would bound nothing.
    spanned = int(np.sum(singular > singular[0] * max(wells.shape) * np.finfo(float).eps))
    elbow = KneeLocator(places, eigenvalues, S=1.0, curve="convex", direction="decreasing").elbow
    if elbow is None or not spanned:
        message = f"{plate_set}: the eigenvalues of the {len(wells)} wells to fit on have no elbow"
        raise program.DataError(f"{message}; choose other wells or more plates ([spherize] samples, --plates)")
    beyond = elbow >= spanned
    elbow = min(elbow, spanned - 1)
    least = eigenvalues[elbow] / 10
    stretch = 1 / np.sqrt(np.maximum(eigenvalues[: len(singular)], least))
    scale = 1 / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return Transform(mean, scale, axes.T, stretch, 1 / float(np.sqrt(least)), int(elbow), beyond)


def apply(transform: Transform, values: np.ndarray) -> np.ndarray:
    """Return wells whitened: along each axis stretched by its own factor, across all of them by `rest`."""
    scaled = (values - transform.mean) * transform.scale
    along = scaled @ transform.axes
    return scaled * transform.rest + (along * (transform.stretch - transform.rest)) @ transform.axes.T


if __name__ == "__main__":
    program.run(main)

"""Ask of every perturbation with several doses how its activity depends on the dose.

Writes a row a perturbation (rank correlation, curve, EC50), a row a dose (the mean activity of its wells), and figures.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import dose_curves
import dosing
import numpy as np
import pandas as pd
import significance
import wells
from dose_curves import FITTED, Curve
from stagekit import contracts, program
from tables import few

NAME = "perturbation"


@dataclass(frozen=True)
class Response:
    """A perturbation: the doses and activities of its wells, and the curve through them."""

    name: str
    unit: str
    doses: np.ndarray
    activity: np.ndarray
    correlation: float
    chance: float
    curve: Curve


def main() -> None:
    """Read the flags, fit, draw, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="feature-selected, a file a plate")
    flags.add_argument("--negatives", required=True, help="a pandas query of the negative controls")
    flags.add_argument("--dose", required=True, help="the column of doses, or auto")
    flags.add_argument("--least_doses", required=True, type=int, help="with fewer no curve is fitted")
    flags.add_argument("--write_dose_response", required=True, type=Path, help="a row a perturbation")
    flags.add_argument("--write_dose_activity", required=True, type=Path, help="a row a dose")
    flags.add_argument("--write_dose_figures", required=True, type=Path)
    flags.add_argument("--describe", required=True, type=_described, help="columns of every row: Modality=compound,...")
    flags.add_argument("--missing", required=True, help="plates of the group that have no profiles, by commas")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        found = _responses(args, report)
        table = _table(found).assign(**args.describe)
        args.write_dose_response.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(args.write_dose_response, index=False)
        _by_dose(found).assign(**args.describe).to_csv(args.write_dose_activity, index=False)
        if args.missing:
            report.warn(f"without {args.missing}: no profiles")
        report.fact("perturbations", len(found))
        report.fact(FITTED, sum(each.curve.said == FITTED for each in found))
        args.write_dose_figures.mkdir(parents=True, exist_ok=True)
        if found:
            import dose_plots  # draws, which takes seconds to load
            import style

            for number, figure in enumerate(dose_plots.pages(found), start=1):
                style.save(figure, args.write_dose_figures, f"dose_response_{number:02d}")
        else:
            report.warn("no perturbation has several doses, so there is nothing to fit")


def _described(text: str) -> Dict[str, str]:
    """Read `a=b,c=d`."""
    return dict(part.split("=", 1) for part in text.split(",") if part)


def _responses(args: argparse.Namespace, report: program.Report) -> List[Response]:
    profiles = wells.split(wells.read(args.profiles, contracts.ANNOTATED_PROFILES), report)
    metadata = profiles.metadata
    negative = wells.matching(metadata, args.negatives)
    if negative.sum() < 2:
        raise program.DataError(f"{negative.sum()} wells are negative controls ({args.negatives}); it takes at least 2")
    column = dosing.column(metadata) if args.dose == dosing.AUTO else args.dose
    if not column:
        return []
    if column not in metadata:
        there = few([str(name) for name in metadata])
        raise program.DataError(f"the profiles have no column {column} ([dose_response] dose); they have {there}")
    doses = dosing.numbers(metadata[column]).to_numpy()
    names = metadata[dosing.PERTURBATION].to_numpy()
    known = ~negative & (doses > 0) & (names != "")
    found = []
    for name in sorted(set(names[known])):
        own = known & (names == name)
        if len(np.unique(doses[own])) > 1:
            units = set(metadata.loc[own, dosing.UNIT]) - {""} if dosing.UNIT in metadata else set()
            unit = units.pop() if len(units) == 1 else ""
            activity = dose_curves.activities(profiles.values[own], doses[own], profiles.values[negative])
            found.append(_response(name, unit, doses[own], activity, args.least_doses))
    return found


def _response(name: str, unit: str, doses: np.ndarray, activity: np.ndarray, least_doses: int) -> Response:
    from scipy import stats

    correlation = stats.spearmanr(doses, activity) if np.ptp(activity) else (0.0, 1.0)
    curve = dose_curves.fit(doses, activity, least_doses)
    return Response(name, unit, doses, activity, float(correlation[0]), float(correlation[1]), curve)


def _table(found: List[Response]) -> pd.DataFrame:
    """Return a row a perturbation; q is the false discovery rate of the correlations."""
    rows: List[Dict[str, Any]] = []
    for each in found:
        low, high = each.doses.min(), each.doses.max()
        curve = each.curve
        rows.append(
            {
                NAME: each.name, "wells": len(each.doses), "doses": len(np.unique(each.doses)), "lowest_dose": low,
                "highest_dose": high, "unit": each.unit, "activity_at_lowest": each.activity[each.doses == low].mean(),
                "activity_at_highest": each.activity[each.doses == high].mean(), "spearman": each.correlation,
                "p_value": each.chance, "q_value": np.nan, "curve": curve.said, "ec50": curve.ec50,
                "ec50_low": curve.low, "ec50_high": curve.high, "hill": curve.hill, "bottom": curve.bottom,
                "top": curve.top, "r_squared": curve.explained,
            }
        )  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(rows)
    table["q_value"] = significance.q_values(table["p_value"].to_numpy())
    return table


def _by_dose(found: List[Response]) -> pd.DataFrame:
    """Return a row a dose of a perturbation: how active its wells are."""
    rows = [
        {NAME: each.name, "dose": dose, "unit": each.unit, **_spread(each.activity[each.doses == dose])}
        for each in found
        for dose in np.unique(each.doses)
    ]
    return pd.DataFrame(rows, columns=[NAME, "dose", "unit", "wells", "activity", "standard_deviation"])


def _spread(activity: np.ndarray) -> Dict[str, float]:
    deviation = activity.std(ddof=1) if len(activity) > 1 else np.nan
    return {"wells": len(activity), "activity": activity.mean(), "standard_deviation": deviation}


COLUMNS = [
    NAME, "wells", "doses", "lowest_dose", "highest_dose", "unit", "activity_at_lowest", "activity_at_highest",
    "spearman", "p_value", "q_value", "curve", "ec50", "ec50_low", "ec50_high", "hill", "bottom", "top", "r_squared",
]  # fmt: skip


if __name__ == "__main__":
    program.run(main)

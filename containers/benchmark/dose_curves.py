"""How active a perturbation is at each of its doses, and the curve of four parameters through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np

FITTED = "fitted"
LEAST_SPAN = 0.8
"""Of a curve, so much must lie between the lowest and the highest dose."""
MOST_ERROR = 0.3
"""Of the decadic logarithm of an EC50: a factor of two."""
LEAST_F = 1e-3
"""A curve explains more than a constant does with this probability of being wrong."""
HILLS = (0.3, 5.0)


@dataclass(frozen=True)
class Curve:
    """activity = bottom + (top - bottom) / (1 + (ec50 / dose) ** hill); `said` is `fitted`, or why it is not."""

    said: str
    ec50: float = np.nan
    low: float = np.nan
    high: float = np.nan
    """The EC50's interval of 95 %."""
    hill: float = np.nan
    bottom: float = np.nan
    top: float = np.nan
    explained: float = np.nan
    """The share of the variance that the curve explains (R squared)."""

    def at(self, doses: np.ndarray) -> np.ndarray:
        return _curve(np.log10(doses), self.bottom, self.top, np.log10(self.ec50), self.hill)


def activities(values: np.ndarray, doses: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return how far each well lies from the controls along its perturbation's direction, in their standard deviations.

    `values` are a perturbation's wells by features, `doses` theirs, `controls` the negative controls'. The direction is
    the sum of the other wells, each as often as its dose has a rank: what moves nowhere has activity 0 on average. The
    mean of few controls is off by some noise, which all wells seem to move along together; so much is taken off.
    """
    centre = controls.mean(axis=0)
    shared = controls.var(axis=0, ddof=1).sum() / len(controls)
    moved = values - centre
    rank = np.searchsorted(np.unique(doses), doses) + 1.0
    total = rank @ moved
    found = np.empty(len(values))
    for row in range(len(values)):
        direction = total - rank[row] * moved[row]
        length = np.linalg.norm(direction)
        along = (controls - centre) @ direction
        common = (rank.sum() - rank[row]) * shared
        found[row] = (moved[row] @ direction - common) / (along.std(ddof=1) or length or 1.0) if length else 0.0
    return found


def fit(doses: np.ndarray, activity: np.ndarray, least_doses: int) -> Curve:
    """Return the curve through wells' activities if the doses show all of it; doses are above 0."""
    from scipy import optimize, stats

    levels = np.unique(doses)
    if len(levels) < least_doses:
        return Curve(f"not fitted: fewer than {least_doses} doses")
    if len(doses) < 6:
        return Curve("not fitted: fewer than 6 wells")
    x = np.log10(doses)
    start = _start(x, activity)
    spread = float(np.ptp(activity)) or 1.0
    bounds = (
        [activity.min() - spread, activity.min() - spread, x.min() - 2, HILLS[0]],
        [activity.max() + spread, activity.max() + spread, x.max() + 2, HILLS[1]],
    )
    try:
        found, error = optimize.curve_fit(_curve, x, activity, p0=np.clip(start, *bounds), bounds=bounds, maxfev=5000)
    except (RuntimeError, optimize.OptimizeWarning):
        return Curve("not fitted: the fit does not converge")
    residual = float(((activity - _curve(x, *found)) ** 2).sum())
    total = float(((activity - activity.mean()) ** 2).sum())
    freedom = len(x) - 4
    ratio = (total - residual) / 3 / max(residual / freedom, 1e-12)
    said = _judged(found, error, x, stats.f.sf(ratio, 3, freedom))
    if said != FITTED:
        return Curve(said)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(error[2, 2])
    bottom, top, middle, hill = map(float, found)
    return Curve(
        FITTED, 10**middle, 10 ** (middle - half), 10 ** (middle + half), hill, bottom, top, 1 - residual / total
    )


def _judged(found: np.ndarray, error: np.ndarray, x: np.ndarray, chance: float) -> str:
    """Return `fitted`, or why a curve cannot be relied on."""
    bottom, top, middle, _ = found
    if not chance < LEAST_F:
        return "not fitted: flat"
    lowest, highest = _curve(np.array([x.min(), x.max()]), *found)
    shown = abs(highest - lowest) / abs(top - bottom) if top != bottom else 0.0
    if not x.min() <= middle <= x.max() or shown < LEAST_SPAN:
        return "not fitted: partial"
    if not np.isfinite(error[2, 2]) or np.sqrt(error[2, 2]) > MOST_ERROR:
        return "not fitted: the EC50 is uncertain"
    return FITTED


def _curve(x: np.ndarray, bottom: float, top: float, middle: float, hill: float) -> np.ndarray:
    curve: np.ndarray = bottom + (top - bottom) / (1 + 10 ** np.clip(hill * (middle - x), -300, 300))
    return curve


def _start(x: np.ndarray, y: np.ndarray) -> Tuple[float, float, float, float]:
    """Return the best of a grid of middles and slopes, with the bottom and top that fit them best."""
    best, least = (0.0, 0.0, 0.0, 1.0), float("inf")
    for middle in np.linspace(x.min(), x.max(), 25):
        for hill in (0.6, 1.0, 2.0):
            share = _curve(x, 0.0, 1.0, middle, hill)
            design = np.column_stack([1 - share, share])
            (bottom, top), *_ = np.linalg.lstsq(design, y, rcond=None)
            error = float(((y - design @ np.array([bottom, top])) ** 2).sum())
            if error < least:
                best, least = (float(bottom), float(top), float(middle), hill), error
    return best

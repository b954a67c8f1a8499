"""Features with values so far out that one of them may decide how similar two profiles are."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence

import pandas as pd

USUAL_CUTOFF = 500.0  # pycytominer's own, of its operation drop_outliers
SHOWN = 5


class Extreme(NamedTuple):
    """A feature's value that is farthest from 0, and the row that it is in."""

    feature: str
    value: float
    row: int


def find(features: pd.DataFrame, cutoff: float = USUAL_CUTOFF) -> List[Extreme]:
    """Return the features with a value beyond the cutoff, above or below 0; the farthest first."""
    sizes = features.abs().reset_index(drop=True)
    most = sizes.max()
    names = most.index[most > cutoff]
    found = [Extreme(name, float(features[name].iloc[row := int(sizes[name].idxmax())]), row) for name in names]
    return sorted(found, key=lambda each: -abs(each.value))


def told(found: Sequence[Extreme], wells: Sequence[str]) -> str:
    """Return the first of them in words: the feature, its value, and the well by its row."""
    shown = ", ".join(f"{each.feature} ({each.value:.5g} in {wells[each.row]})" for each in found[:SHOWN])
    return shown + (", ..." if len(found) > SHOWN else "")

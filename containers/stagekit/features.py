"""What a feature of a profile is: said here, once.

A profile's columns are metadata (`Metadata_*`) and features. A feature's name is a word, an underscore and more:
`Cells_AreaShape_Area`, `Image_Texture_Contrast_DNA_3_00_256`, `X_1`, `dino_0`. Which of a foreign table's columns are
features is decided where it comes in, by their prefixes; past that door all that is no metadata is one.
"""

from __future__ import annotations

import re
from typing import Sequence, Tuple

from stagekit.contracts import FEATURE_PREFIXES
from stagekit.rules import FINITE, Table

METADATA = "Metadata_"
KNOWN: Tuple[str, ...] = (*FEATURE_PREFIXES, "Image_", "X_", "dino_")
"""What the names of features begin with, unless a setting says otherwise."""
FORM = re.compile(r"[A-Za-z][A-Za-z0-9.-]*_\S(?:.*\S)?")
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


def is_feature(name: str) -> bool:
    """Say whether a column of a profile is a feature: no metadata, and of the form of a feature's name."""
    return not name.startswith(METADATA) and FORM.fullmatch(name) is not None


def prefixes(text: str) -> Tuple[str, ...]:
    """Return the prefixes that a setting names by commas; none named: KNOWN. ValueError for one that none can be."""
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    for prefix in named:
        if not PREFIX.fullmatch(prefix) or prefix.startswith(METADATA.rstrip("_")):
            raise ValueError(f"{prefix!r} is no prefix of features, such as dino_ or X_")
    return named or KNOWN


def strangers(names: Sequence[str], known: Sequence[str] = KNOWN) -> Sequence[str]:
    """Return the columns that are neither metadata nor begin as a known feature does."""
    return [name for name in names if not name.startswith((METADATA, *known))]


def must_be_finite(table: Table) -> bool:
    """Say whether the features of such a table may hold no infinity: those of scaled profiles may not."""
    return any(rule.kind == FINITE and rule.columns.endswith("*") for rule in table.values)

"""The doses of perturbations: which column holds them, and whether wells with other doses are replicates."""

from __future__ import annotations

from typing import List

import numpy as np
import pandas as pd
from stagekit import doses

AUTO = "auto"
PERTURBATION, DOSE, UNIT = "Metadata_broad_sample", "Metadata_dose", "Metadata_dose_unit"
NO_DOSE = "no dose"
"""What a treated well without a dose says, where others have one: an empty text would leave the well out."""
NOTHING = ("", "na", "n/a", "nan", "none", "null", "-", "--", NO_DOSE)
"""What a well without a dose says, in small letters."""


def column(metadata: pd.DataFrame) -> str:
    """Return the column of doses: Metadata_dose, else the first that its name says and that holds numbers only."""
    if DOSE in metadata:
        return DOSE
    named = doses.columns([str(name) for name in metadata if name != UNIT])
    return next((name for name in named if numbers(metadata[name]).notna().any()), "")


def numbers(texts: pd.Series) -> pd.Series:
    """Return doses as numbers, with six significant digits: what differs less is one dose; all NaN if one is a word."""
    known = ~_is_nothing(texts)
    found = pd.to_numeric(texts.where(known), errors="coerce")
    if (found.isna() & known).any():
        return pd.Series(np.nan, index=texts.index)
    return found.map(lambda dose: float(f"{dose:.6g}"))


def replicates(same_by: str, treated: pd.DataFrame) -> List[str]:
    """Return the columns that replicates share; auto: the perturbation, and its dose where any has several."""
    if same_by != AUTO:
        return [name for name in same_by.split(",") if name]
    dose = column(treated)
    if not dose or PERTURBATION not in treated:
        return [PERTURBATION]
    found = numbers(treated[dose]).groupby(treated[PERTURBATION]).nunique()
    return [PERTURBATION, dose] if (found[found.index != ""] > 1).any() else [PERTURBATION]


def with_doses_said(metadata: pd.DataFrame, columns: List[str], treated: np.ndarray) -> pd.DataFrame:
    """Return the metadata where equal doses are equal texts, and a treated well without a dose says so."""
    if len(columns) < 2 or columns[1] != column(metadata):
        return metadata
    said = metadata.copy()
    found = numbers(metadata[columns[1]])
    texts = found.map(lambda dose: f"{dose:.6g}").where(found.notna(), metadata[columns[1]])
    texts = texts.where(~_is_nothing(texts), "")
    said[columns[1]] = np.where(treated & (texts == "") & (metadata[columns[0]] != ""), NO_DOSE, texts)
    return said


def _is_nothing(texts: pd.Series) -> pd.Series:
    return texts.str.strip().str.lower().isin(NOTHING)

"""What is asked of the profiles: for every query its positives and negatives, and the same as rules for copairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import FrozenSet, List, Sequence, Tuple

import numpy as np
import pandas as pd
from ranking import Query
from tables import LABEL

SIDE, CONTROL = "side", "control"
Labels = Sequence[FrozenSet[str]]


@dataclass(frozen=True)
class CopairsRules:
    """Which columns of `Problem.metadata` two profiles must share, or not share, to be a pair."""

    positives: Tuple[List[str], List[str]]
    negatives: Tuple[List[str], List[str]]
    multilabel: bool = False


@dataclass(frozen=True)
class Problem:
    """Profiles and their queries; `alone` are the labels that no query is made for, with the reason of each."""

    metadata: pd.DataFrame
    values: np.ndarray
    queries: List[Query]
    rules: CopairsRules
    absolute: bool = False
    alone: dict[str, str] = field(default_factory=dict)


def replicability(
    metadata: pd.DataFrame, values: np.ndarray, label: np.ndarray, negative: np.ndarray, within: np.ndarray,
    apart: np.ndarray,
) -> Problem:  # fmt: skip
    """Ask every treated well for its replicates among the negative controls.

    `within` is what a well shares with its negative controls (the plate), `apart` what replicates differ in.
    """
    queries, alone = [], {}
    rows_of = {name: np.flatnonzero((label == name) & ~negative) for name in dict.fromkeys(label[~negative])}
    controls_of = {name: np.flatnonzero(negative & (within == name)) for name in dict.fromkeys(within)}
    for row in np.flatnonzero(~negative):
        others = rows_of[label[row]]
        positives = others[(others != row) & ((apart[others] != apart[row]) | (apart[row] == ""))]
        negatives = controls_of[within[row]]
        if len(positives) and len(negatives):
            queries.append(Query(int(row), label[row], positives, negatives))
        else:
            alone[label[row]] = "no replicate" if not len(positives) else "no negative control beside its replicates"
    # A control is a replicate of nothing: its own number under CONTROL keeps it from being one.
    number = np.where(negative, np.arange(len(label)), -1)
    told = metadata.assign(**{LABEL: label, "within": within, "apart": apart, CONTROL: number})
    different = ["apart"] if (apart != "").any() else []
    rules = CopairsRules(([LABEL, CONTROL], different), (["within"], [LABEL, CONTROL]))
    return Problem(told, values, queries, rules, alone=_without(alone, queries))


def matching(metadata: pd.DataFrame, values: np.ndarray, labels: Labels, *, absolute: bool, strict: bool) -> Problem:
    """Ask every profile, once for each of its labels, for the others with that label.

    Strict: it is ranked among those that share none of its labels; else among all that lack this label.
    """
    share = shared(labels, labels)
    queries = []
    for name in sorted(frozenset().union(*labels)):
        has = np.array([name in own for own in labels])
        for row in np.flatnonzero(has):
            positives = np.flatnonzero(has & (np.arange(len(has)) != row))
            negatives = np.flatnonzero(~share[row] if strict else ~has)
            if len(positives) and len(negatives):
                queries.append(Query(int(row), name, positives, negatives))
    multilabel = any(len(own) > 1 for own in labels)
    told = metadata.assign(**{LABEL: [sorted(own) if multilabel else next(iter(own), "") for own in labels]})
    return Problem(
        told, values, queries, CopairsRules(([LABEL], []), ([], [LABEL]), multilabel), absolute, _alone(labels, queries)
    )


def across(
    metadata: pd.DataFrame, values: np.ndarray, labels: Labels, side: np.ndarray, *, absolute: bool, strict: bool,
    read_as: Labels,
) -> Problem:  # fmt: skip
    """Ask every profile, once for each of its labels, for those of the other side with that label.

    `read_as` are the labels as the choice of negatives reads them: other than `labels` for defect D2 only.
    """
    share = shared(read_as, read_as)
    queries = []
    for name in sorted(frozenset().union(*labels)):
        has = np.array([name in own for own in labels])
        for row in np.flatnonzero(has):
            other = side != side[row]
            positives = np.flatnonzero(has & other)
            negatives = np.flatnonzero(other & (~share[row] if strict else ~has))
            if len(positives) and len(negatives):
                queries.append(Query(int(row), name, positives, negatives))
    told = metadata.assign(**{LABEL: [sorted(own) for own in labels], SIDE: side})
    rules = CopairsRules(([LABEL], [SIDE]), ([], [LABEL, SIDE]), multilabel=True)
    return Problem(told, values, queries, rules, absolute, _alone(labels, queries))


def shared(ones: Labels, others: Labels) -> np.ndarray:
    """Return a matrix that says which two have a label in common."""
    names = sorted(frozenset().union(*ones, *others))
    place = {name: at for at, name in enumerate(names)}
    left, right = (np.zeros((len(labels), len(names)), dtype="float32") for labels in (ones, others))
    for matrix, labels in ((left, ones), (right, others)):
        for row, own in enumerate(labels):
            matrix[row, [place[name] for name in own]] = 1
    return (left @ right.T) > 0


def _alone(labels: Labels, queries: Sequence[Query]) -> dict[str, str]:
    return _without(dict.fromkeys(sorted(frozenset().union(*labels)), "no pair"), queries)


def _without(alone: dict[str, str], queries: Sequence[Query]) -> dict[str, str]:
    asked = {query.label for query in queries}
    return {name: reason for name, reason in alone.items() if name not in asked}

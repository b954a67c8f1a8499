"""Consensus profiles of retrieved perturbations, and the labels (targets or genes) that two of them may share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, List

import numpy as np
import wells
from stagekit import contracts, outside, program


@dataclass(frozen=True)
class Perturbations:
    """The retrieved perturbations of a group: a consensus profile and a set of labels each."""

    profiles: wells.Profiles
    labels: List[FrozenSet[str]]
    column: str
    """Where the labels stand: target_list, gene, ...; "" if no column has any."""

    @property
    def several(self) -> bool:
        """Whether a perturbation may have several labels: then it may act for or against a target."""
        return any(len(own) > 1 for own in self.labels)

    def where(self, chosen: np.ndarray) -> Perturbations:
        kept = [own for own, wanted in zip(self.labels, chosen) if wanted]
        return Perturbations(self.profiles.where(chosen), kept, self.column)


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add the consensus profiles, and where to find the labels."""
    flags.add_argument("--consensus", required=True, type=Path, nargs="+", help="of replicability, a file a group")
    flags.add_argument("--annotations", required=True, type=Path, nargs="*", help="tables with broad_sample and labels")
    flags.add_argument("--labels", required=True, help="columns to look for labels in, by commas; the first is taken")
    flags.add_argument("--separator", required=True, help="what stands between the labels of one perturbation")
    flags.add_argument("--similarity", required=True, choices=["auto", "cosine", "abs_cosine"])


def read(path: Path, args: argparse.Namespace, report: program.Report) -> Perturbations:
    """Return the retrieved perturbations of a consensus table that have a label."""
    profiles = wells.split(wells.read([path], contracts.CONSENSUS), report)
    profiles = profiles.where((profiles.metadata["Metadata_retrieved"] == "true").to_numpy())
    column, texts = _labels(profiles, args)
    labels = [frozenset(_parts(text, args.separator)) for text in texts]
    return Perturbations(profiles, labels, column).where(np.array([bool(own) for own in labels], dtype="bool"))


def _labels(profiles: wells.Profiles, args: argparse.Namespace) -> tuple[str, List[str]]:
    """Return the first column that names a label of any of the perturbations, and its texts."""
    # A perturbation that is told by its dose too is called BRD-1_0.5; the tables call it by its broad_sample.
    names = profiles.metadata.get("Metadata_broad_sample", profiles.metadata["Metadata_label"])
    for column in args.labels.split(","):
        known: Dict[str, str] = {}
        for path in args.annotations:
            _add_labels(known, path, column, args.separator)
        own = profiles.metadata.get(f"Metadata_{column}", names.map(lambda name: ""))
        texts = [known.get(name) or text for name, text in zip(names, own)]
        if any(texts):
            return column, texts
    return "", ["" for _ in names]


def _add_labels(known: Dict[str, str], path: Path, column: str, separator: str) -> None:
    """Add a table's labels to those that are known; a perturbation may have a row for each of its labels."""
    for row in outside.read(outside.LABELS, path, "," if path.suffix == ".csv" else "\t"):
        name, text = row["broad_sample"], row.get(column, "")
        parts = [*_parts(known.get(name, ""), separator), *_parts(text, separator)]
        known[name] = separator.join(dict.fromkeys(parts))


def _parts(text: str, separator: str) -> List[str]:
    """Return the labels of a text, without blanks around them."""
    return [part.strip() for part in text.split(separator) if part.strip()]

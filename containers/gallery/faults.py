"""What preflight finds wrong with a plate's images before anything is computed: one row a fault."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stagekit.program import DataError

ERROR, WARNING, EXCLUDED = "error", "warning", "excluded"
COLUMNS = ("severity", "rule", "unit", "file", "said", "remedy")
PRINTED = 6  # of the errors; the table holds them all

REPLACE = "replace it, or exclude the site"
RULES: Mapping[str, tuple[str, str]] = {
    # Of the folder's files.
    "file_name": (ERROR, "rename it, move it away, or give the names' form: [load_data] pattern"),
    "file_ignored": (WARNING, "it is left out; give other forms if it is an image: [load_data] ignore"),
    "channel_unknown": (ERROR, "name the channel: [load_data] channels"),
    "channel_twice": (ERROR, "keep one plane and one time point, or exclude the site"),
    "channel_missing": (ERROR, "add the image, or exclude the site"),
    "channel_rare": (ERROR, "move the image away, or exclude the site"),
    "unreadable": (ERROR, REPLACE),
    "pixel_type": (
        ERROR,
        "save it as a grey image of 8 or 16 bits without sign, black 0, or use add-plate: docs/own_data.md",
    ),
    "planes": (ERROR, "save each plane as a file of its own, or add the plate by add-plate: docs/add_a_plate.md"),
    "compression": (
        ERROR,
        "save it uncompressed, or by LZW, Deflate or PackBits, or add the plate by add-plate: docs/add_a_plate.md",
    ),
    "image_size": (ERROR, REPLACE),
    "bit_depth": (ERROR, REPLACE),
    "image_count": (WARNING, "compare the folder with its source"),
    "sites_of_well": (WARNING, "compare the folder with its source"),
    # Of the platemap.
    "platemap_column": (ERROR, "give the column another name"),
    "platemap_row": (ERROR, "correct the row in the platemap"),
    "well_form": (ERROR, "write wells as a letter and two digits: A01"),
    "well_not_in_platemap": (ERROR, "is it another plate's platemap? Else exclude the well"),
    "well_without_images": (WARNING, "compare the folder with its source"),
    # Of a published load_data table.
    "index_column": (WARNING, "it is left out"),
    "well_name": (WARNING, "it is read as a letter and two digits"),
    "plate_name": (ERROR, "is it another plate's table?"),
    "site_twice": (ERROR, "keep one row a site"),
    "file_twice": (ERROR, "name each channel's own image, or exclude the site"),
    "file_missing": (ERROR, "add the image, or exclude the site"),
    "file_unlisted": (WARNING, "it is left out"),
}
"""rule -> its severity, and what to do about it."""


@dataclass(frozen=True)
class Fault:
    """A rule that a file, a site or a well breaks; `unit` is what may be excluded: A01-1, A01, or nothing."""

    rule: str
    unit: str
    file: str
    said: str

    @property
    def severity(self) -> str:
        return RULES[self.rule][0]

    def row(self, severity: str) -> tuple[str, ...]:
        return severity, self.rule, self.unit, self.file, self.said, RULES[self.rule][1]


@dataclass(frozen=True)
class Verdict:
    """What is to become of a plate's sites."""

    kept: Sequence[str]
    excluded: Mapping[str, str]
    """site -> why it is left out."""
    faults: Sequence[Fault]

    @cached_property
    def _kept_units(self) -> set[str]:
        return {*self.kept, *map(well_of, self.kept)}

    def severity(self, fault: Fault) -> str:
        """Return a fault's severity once the excluded sites are gone."""
        gone = fault.severity == ERROR and fault.unit and fault.unit not in self._kept_units
        return EXCLUDED if gone else fault.severity

    @property
    def errors(self) -> list[Fault]:
        return [fault for fault in self.faults if self.severity(fault) == ERROR]

    def write(self, path: Path) -> None:
        """Write the table of all faults, errors first."""
        rows = [fault.row(self.severity(fault)) for fault in self.faults]
        with open(path, "w", newline="", encoding="utf-8") as handle:
            table = csv.writer(handle, delimiter="\t", lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows(sorted(rows, key=lambda row: (row[0] != ERROR, *row)))


def judge(sites: Iterable[str], faults: Sequence[Fault], exclude: Sequence[str], faulty: str) -> Verdict:
    """Decide which sites are left out: those named (A01, A01-1), and with faulty = "exclude" those with an error.

    Raises DataError if a name is no site or well of the plate, or nothing is left.
    """
    sites = list(sites)
    strangers = sorted(set(exclude) - {*sites, *map(well_of, sites)})
    if strangers:
        raise DataError(
            f"[preflight] exclude names {', '.join(strangers)}, but the plate has no such site or well; "
            "a well is written A01, a site A01-1"
        )
    reasons = {fault.unit: fault.rule for fault in faults if fault.severity == ERROR and fault.unit}
    reasons = (reasons if faulty == "exclude" else {}) | dict.fromkeys(exclude, "[preflight] exclude")
    excluded = {
        site: reasons.get(site) or reasons[well_of(site)] for site in sites if {site, well_of(site)} & set(reasons)
    }
    kept = [site for site in sites if site not in excluded]
    if not kept:
        raise DataError(f"all {len(sites)} sites of the plate would be excluded; nothing is left to compute")
    return Verdict(kept, excluded, faults)


def stop(verdict: Verdict, table: Path) -> None:
    """Raise DataError if errors are left, after printing the first of them; the table tells them all."""
    if not verdict.errors:
        return
    for fault in verdict.errors[:PRINTED]:
        print(": ".join(part for part in (fault.unit, fault.file, fault.said) if part), file=sys.stderr)
    counts = Counter(fault.rule for fault in verdict.errors)
    told = ", ".join(f"{count} {rule}" for rule, count in counts.items())
    units = sorted({fault.unit for fault in verdict.errors if fault.unit})
    advice = [RULES[next(iter(counts))][1]]
    if units:
        advice.append(f"to exclude: [preflight] exclude = <plate>:{units[0]} ..., or faulty_sites = exclude")
    raise DataError(
        f"{len(verdict.errors)} {'fault stops' if len(verdict.errors) == 1 else 'faults stop'} the plate before it "
        f"costs anything ({told}); all that was found is in out/files/{table.name} beside the log; {'; '.join(advice)}"
    )


def well_of(site: str) -> str:
    return site.partition("-")[0]

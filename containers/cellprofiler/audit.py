"""Measure some sites of a plate with CellProfiler's own modules too, and refuse the plate if a value differs.

Which sites, the plate's name and chance decide: the same however the plate is cut into shards. What is audited is what
is published.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import load_data
import read_wells
import run_cellprofiler
import site_folders
from sites import CSV, Sites
from stagekit import equality, program


def chosen(whole: load_data.LoadData, plate: str, count: int) -> list[str]:
    """Return the sites of a whole plate that are audited."""
    return equality.choose(plate, [load_data.site_name(row) for row in whole.rows], count)


def audit(sites: Sites, audited: Sequence[str], analysis: Path, report: program.Report) -> None:
    """Audit those of the sites that are chosen, and report how they compare; raise CheckError if a value differs."""
    found = {}
    for name in [name for name in sites.names if name in audited]:
        compared = _compare(sites.only(name), analysis, report)
        whole = compared.all
        if whole.bad:
            reason = f"{whole.bad} of {whole.values} values differ between the engines"
            report.unit(name, "failed", reason=f"audit: {reason}")
            raise program.CheckError(_difference(name, reason, compared.first))
        found[name] = {"values": whole.values, "equal": whole.equal, "differ": whole.bad, "largest": whole.largest}
    report.fact("audit", found)


def _compare(site: Sites, analysis: Path, report: program.Report) -> equality.Comparison:
    """Measure a site with stock, and compare what both engines say of it."""
    name = site.names[0]
    folder = f"{site.plate}-{name}"
    print(f"audit: site {name} is measured by engine = stock too", flush=True)
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        try:
            replace(site, form=CSV).measure("stock", Path(scratch), lambda image, seconds: None)
        except run_cellprofiler.Failure as failure:
            report.unit(name, "failed", reason=f"audit: {str(failure).splitlines()[0]}")
            message = f"the audit of site {name}: engine = fast measured it, but engine = stock failed: {failure}"
            raise program.DataError(message) from failure
        if site.form.tables == "parquet":
            return _with_csv(read_wells.texts(analysis, name), Path(scratch) / folder)
        return equality.compare(analysis / folder, Path(scratch) / folder)


def _with_csv(ours: Mapping[str, list[equality.Row]], reference: Path) -> equality.Comparison:
    """Compare a site's tables, by the names of their csv files, with the csv files of a folder."""
    compared = equality.Comparison()
    for name, rows in sorted(ours.items()):
        header, body = site_folders.read(reference / name)
        compared.tables(name, rows, [header, *body])
    return compared


def _difference(name: str, reason: str, first: Sequence[str]) -> str:
    tolerance = f"more than {equality.RELATIVE:g} (relative) and {equality.ABSOLUTE:g}"
    return "\n  ".join(
        [
            f"the audit of site {name}: {reason}, by {tolerance}; by engine = fast, not as by engine = stock:",
            *first,
            "Nothing is published. Measure with [measure] engine = stock, and tell us of the pipeline; "
            "python -m tasks verify --against stock shows more sites",
        ]
    )

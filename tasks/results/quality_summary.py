"""quality_control/summary/summary.tsv: every plate of every batch in one table, with the resource's columns.

Each set of plates has a table of its own, of which this one is brought together: a set changes the rows of its plates
only, and what somebody else wrote there of other plates stays.
"""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from stagekit import outside
from stagekit.contracts import QUALITY_SUMMARY
from stagekit.program import DataError

from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import manifest
from tasks.results.manifest import Manifest
from tasks.results.store.store import Store

logger = logging.getLogger(__name__)

STAGE = "quality_control"
COLUMNS = QUALITY_SUMMARY.required
Rows = dict[tuple[str, ...], list[str]]


def is_told(layout: Layout, store: Store) -> bool:
    """Say whether the table holds what all sets found."""
    path = store.ensure_local(layout.quality_summary)
    try:
        return path.is_file() and path.read_text(encoding="utf-8") == _text(_all(layout, store))
    except (PublishError, UnicodeDecodeError):
        return False  # `tell` says why


def tell(layout: Layout, store: Store) -> None:
    """Bring the table up to date; raise PublishError if there lies something else in its place."""
    path = layout.quality_summary
    with store.alone(layout.lock(STAGE, "summary", "all"), "the summary of all plates"):
        text = _text(_all(layout, store))
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = layout.work / "quality_summary.partial"
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
        store.push(path)


def _all(layout: Layout, store: Store) -> Rows:
    """Return the rows by batch and plate: those that lie there, and over them those of the sets, the latest last."""
    rows = _read(store.ensure_local(layout.quality_summary))
    for made in sorted(_made(layout), key=lambda made: made.started):
        table = made.artifacts(layout.root).get("summary")
        try:
            rows |= _read(store.ensure_local(table.path)) if table else {}
        except PublishError as error:  # it was good when it was made
            logger.warning("%s", error)
    return rows


def _made(layout: Layout) -> Iterator[Manifest]:
    for path in sorted(layout.manifests.glob(f"{STAGE}/*/*.json")):
        found = manifest.read(path)
        if found:
            yield found


def _read(path: Path) -> Rows:
    """Return the rows of a table, its columns beside the resource's left out; none if it is not there."""
    if not path.is_file():
        return {}
    try:
        columns, lines = outside.split(path, "\t")
        outside.check_columns(outside.QUALITY_SUMMARY, columns, path.name)
        outside.refuse(list(outside.faults(outside.QUALITY_SUMMARY, columns, lines)), path.name)
    except DataError as error:
        message = f"{path}: the plates of all batches are summarized here, but {error}; correct it or move it away"
        raise PublishError(message) from error
    at = [columns.index(name) for name in COLUMNS]
    kept = [[row[number] for number in at] for _, row in lines]  # none, if no set had a plate yet
    return {tuple(row[:2]): row for row in kept}


def _text(rows: Rows) -> str:
    table = io.StringIO()
    writer = csv.writer(table, delimiter="\t", lineterminator="\n")
    writer.writerows([COLUMNS, *(row for _, row in sorted(rows.items()))])
    return table.getvalue()

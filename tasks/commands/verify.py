"""Check that what was fetched and made lies there as it was; or, with --reference or --against, compare results.

As it was: by size, or with --deep by reading every byte. With a stage and --reference its results are compared with
published ones; with --against stock some sites are measured by both engines of [measure], and compared.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stagekit import contracts

from tasks.commands import against_stock, reference
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import fingerprint, manifest
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.stage_tasks.fetch import FETCHED
from tasks.stage_tasks.link import LINK

AGAIN = "remove it and run again"


@dataclass(frozen=True)
class Promise:
    """A file or folder, what was noted of it, and how it is had again."""

    path: Path
    bytes: int
    digest: str
    again: str


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", default="", help="only this batch")
    parser.add_argument("--plate", default="", help="only this plate; with --against: A,B, or all of the batch")
    parser.add_argument("--deep", action="store_true", help="read everything, and compare with the hashes")
    parser.add_argument("--json", action="store_true", help="print what was found for programs")
    reference.add(parser)
    against_stock.add(parser)


def act(args: argparse.Namespace) -> int:
    if args.against:
        return against_stock.act(args)
    if args.stage or args.reference:
        return reference.act(args)
    layout = settings.load().layout
    found = [each for each in _manifests(layout) if _is_asked_for(each, args)]
    promises = [promise for each in found for promise in _promises(layout, each)]
    with ThreadPoolExecutor(fingerprint.READERS) as pool:
        faults = [fault for fault in pool.map(lambda promise: _fault(promise, args.deep), promises) if fault]
    if args.json:
        print(
            json.dumps({"results": len(found), "checked": len(promises), "deep": args.deep, "faults": faults}, indent=1)
        )
        return 1 if faults else 0
    for fault in faults:
        print(fault)
    how = "read and compared" if args.deep else "compared by size"
    print(f"{len(found)} results, {len(promises)} files and folders {how}, {len(faults)} not as they were")
    return 1 if faults else 0


def _manifests(layout: Layout) -> Iterator[Manifest]:
    for path in sorted(layout.manifests.glob("*/*/*.json")):
        found = manifest.read(path)
        if found:
            yield found


def _is_asked_for(found: Manifest, args: argparse.Namespace) -> bool:
    return args.batch_id in ("", found.batch) and args.plate in ("", found.plate)


def _promises(layout: Layout, found: Manifest) -> Iterator[Promise]:
    """Yield what a result consists of; of what was fetched, every file."""
    for name, made in found.artifacts(layout.root).items():
        if name not in found.freed and (FETCHED not in found.outputs or name in (FETCHED, LINK)):
            yield Promise(made.path, made.bytes, made.digest, AGAIN)
    table = found.artifacts(layout.root).get(FETCHED)
    if table and settings.load().store.ensure_local(table.path).exists() and not found.freed:
        with open(table.path, newline="", encoding="utf-8") as handle:
            for row in (each for each in csv.DictReader(handle) if each["checked"] != contracts.LISTED):
                again = f"remove it and run: luigi --module tasks FetchFile --key '{row['path']}'"
                yield Promise(layout.dataset / row["path"], int(row["bytes"]), row["sha256"], again)


def _fault(promise: Promise, deep: bool) -> str:
    """Return what is wrong, or nothing."""
    store = settings.load().store
    try:
        size = store.size(promise.path)
        if size is None:
            return f"{promise.path}: it is gone; {promise.again.removeprefix('remove it and ')}"
        same = size == promise.bytes
        if deep:
            same = fingerprint.artifact(store.ensure_local(promise.path)).digest == promise.digest
    except (MissingInputError, OSError) as error:
        return f"{promise.path}: {error}; {promise.again}"
    what = "other bytes" if deep else "another size"
    return "" if same else f"{promise.path}: it has {what} than when it was made; {promise.again}"

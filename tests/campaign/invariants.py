"""What must hold of a data root at any moment between two runs, however the last one ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.dataset.layout import Layout
from tasks.results import fingerprint, manifest

TIMED = {"provenance", "report"}


def broken(layout: Layout, laid: frozenset[str]) -> list[str]:
    """Return what is half published: a claim that does not hold, or a file that no manifest or intent claims.

    The summary of all sets' tables is nobody's: each set brings its own rows in, by a rename.
    """
    faults, claimed = [], set()
    for path, found in _manifests(layout):
        for name, made in found.artifacts(layout.root).items():
            claimed.add(made.path)
            if path.suffix == ".json" and name not in found.freed:
                faults += [f"{path.name}: its {name} {said}" for said in _wrong(made)]
    for file in published(layout):
        path = layout.root / file
        if file not in laid and path != layout.quality_summary and not claimed & {path, *path.parents}:
            faults.append(f"{file} is there and nothing claims it")
    return faults


def _manifests(layout: Layout) -> Iterator[tuple[Path, manifest.Manifest]]:
    for pattern in ("*/*/*.json", "*/*/*.publishing"):
        for path in sorted(layout.manifests.glob(pattern)):
            found = manifest.read(path)
            if found is None:
                raise AssertionError(f"{path} cannot be read")
            yield path, found


def _wrong(made: fingerprint.Artifact) -> list[str]:
    if not made.path.exists():
        return ["is not there"]
    return [] if fingerprint.artifact(made.path).digest == made.digest else ["has other bytes than it was made with"]


def published(layout: Layout) -> list[str]:
    """Return every file below the dataset but the crates and reports, which tell of the time."""
    files = (path for path in layout.dataset.rglob("*") if path.is_file() and not TIMED & {*path.parts})
    return sorted(path.relative_to(layout.root).as_posix() for path in files)


def contents(layout: Layout) -> dict[str, str]:
    return {name: fingerprint.artifact(layout.root / name).digest for name in published(layout)}


def finished_work(layout: Layout) -> dict[str, str]:
    """Return what is finished, each with what identifies it: results by their fingerprint, shards by their outcome."""
    work = {f"result {path.relative_to(layout.manifests)}": found.run for path, found in _manifests(layout)}
    runs = layout.work / "runs"
    for path in runs.rglob("outcome.json"):
        if path.parent.parent.name == "shards":
            work[f"shard {path.parent.relative_to(runs)}"] = str(path.stat().st_mtime_ns)
    return work


def lost(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return what was finished before and is neither finished now nor part of a result that is."""
    results = {run for name, run in now.items() if name.startswith("result ")}
    gone = []
    for name, what in before.items():
        if name.startswith("result "):
            renamed = name.replace(".publishing", ".json")
            gone += [] if what in (now.get(name), now.get(renamed)) else [name]
        elif now.get(name) != what and not any(_is_of(name, run) for run in results):
            gone.append(name)
    return gone


def _is_of(shard: str, run: str) -> bool:
    return shard.removeprefix("shard ").startswith(run.partition("runs/")[2] + "/")


def unreadable_ledgers(layout: Layout) -> list[str]:
    """Return the lines of ledgers, but for a last one, that are no whole records."""
    bad = []
    for path in layout.ledgers.glob("*/*/*/*.jsonl"):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
            try:
                json.loads(line)
            except json.JSONDecodeError:
                bad.append(f"{path.name}:{number}")
    return bad

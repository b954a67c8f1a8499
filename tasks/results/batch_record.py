"""What is known of a batch's results as one JSON value, for its report: what was made, how, and what was not.

It holds data only: paths are relative to the data root, and what it says changes when a result does, never by itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.dataset import catalogue, lookup
from tasks.dataset.layout import FOLDERS, Layout
from tasks.definitions import recipes, stages
from tasks.results import manifest, portable, status
from tasks.results.manifest import Manifest
from tasks.results.status import IsHeld, State
from tasks.runtime.core import locks

LONGEST_TEXT = 300  # characters of a fact; what is longer is a table, which lies among the results
TOLD = ("quarantined", "faults", "suspicious")
"""The facts that the report shows unit by unit, or plate by plate."""
LAST_LINES = 8
MOST_UNITS = 500
"""So many units of a run that failed are named; how many they were is told besides."""


def manifests(layout: Layout, batch: str) -> list[Manifest]:
    """Return the manifests of a batch and of its deep profiles, but for the reports'; by stage, then by name."""
    batches = (batch, layout.deep_batch(batch))
    paths = [path for each in batches for path in layout.manifests.glob(f"*/{each}/*.json")]
    found = [each for each in map(manifest.read, sorted(paths)) if each and each.stage in stages.load()]
    return [each for each in found if _folder(each) != "report" and not each.superseded_by]


def of_batch(layout: Layout, batch: str, rate: Mapping[str, Any], is_held: IsHeld = locks.is_held) -> dict[str, Any]:
    """Return the record of a batch; `rate` says what a core-hour costs, and by what."""
    found = manifests(layout, batch)
    unfinished = list(_unfinished(layout, batch, is_held))
    names = sorted({each.stage for each in found})
    recorded = {
        "batch": batch,
        "project": layout.project,
        "source": layout.source,
        "version": importlib.metadata.version("platewright"),
        "rate": dict(rate),
        "plates": _plates(layout, batch, found),
        "stages": {name: _stage(name) for name in names},
        "packages": {image: _packages(image) for image in sorted({stages.stage(name).image for name in names})},
        "runs": [_run(each) for each in found],
        "unfinished": unfinished,
    }
    told: dict[str, Any] = portable.without_root(recorded, layout.root)
    return told


def _run(found: Manifest) -> dict[str, Any]:
    """Return what the report needs of a manifest."""
    how = found.fingerprint
    short = {name: value for name, value in found.facts.items() if _is_short(value)}
    return {
        "stage": found.stage,
        "batch": found.batch,
        "subject": found.plate,
        "is_plate": _is_plate(found),
        "members": list(found.members),
        "started": found.started,
        "seconds": found.seconds,
        "units": dict(found.units),
        "warnings": list(found.warnings),
        "facts": short | {name: found.facts[name] for name in TOLD if found.facts.get(name)},
        "used": dict(found.used),
        "environment": dict(found.environment),
        "parameters": how.get("parameters", {}),
        "recipe": how.get("environment", ""),
        "program": how.get("program", ""),
        "inputs": how.get("inputs", {}),
        "read": _below(found),
        "outputs": {name: dict(made) for name, made in found.outputs.items()},
    }


def _below(found: Manifest) -> dict[str, str]:
    """Return where each input lay, by its digest; of what lay outside of the data root nothing is told."""
    entries = [entry for each in found.inputs.values() for entry in each]
    return {entry["digest"]: entry["path"] for entry in entries if not Path(entry["path"]).is_absolute()}


def _is_short(value: object) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


def _folder(found: Manifest) -> str:
    return stages.stage(found.stage).folder


def _is_plate(found: Manifest) -> bool:
    """Say whether a manifest is of one plate: not of a set, a group or a table of the whole batch."""
    stage = stages.stage(found.stage)
    return stage.unit != "batch" and not found.members and "{plate}" in FOLDERS[stage.folder]


def _stage(name: str) -> dict[str, str]:
    stage = stages.stage(name)
    return {"summary": stage.summary, "image": stage.image, "unit": stage.unit}


def _packages(image: str) -> dict[str, Any]:
    """Return the environment's hash as it is now, and the versions of the packages that its makers named."""
    folder = stages.images()[image].folder
    asked = (folder / "requirements.in").read_text(encoding="utf-8") if (folder / "requirements.in").exists() else ""
    names = {_normal(found[0]) for line in asked.splitlines() if (found := re.match(r"[A-Za-z0-9][\w.-]*", line))}
    pins = dict(pin for lock in stages.images()[image].locks for pin in recipes.pins(lock))
    return {
        "environment": recipes.environment_hash(image),
        "python": stages.images()[image].python,
        "versions": {name: version for name, version in sorted(pins.items()) if _normal(name) in names},
    }


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plates(layout: Layout, batch: str, found: list[Manifest]) -> list[dict[str, Any]]:
    """Return every plate that the batch lists or that something was made of, with what is known of it."""
    known = {each.plate: dict(each.conditions) for each in catalogue.of_batch(layout, batch)}
    listed = lookup.plates(layout, batch) if layout.barcode_platemap(batch).is_file() else []
    made = [plate for each in found for plate in (each.members or ([each.plate] if _is_plate(each) else []))]
    return [{"plate": name, "conditions": known.get(name, {})} for name in dict.fromkeys([*listed, *sorted(made)])]


def _unfinished(layout: Layout, batch: str, is_held: IsHeld) -> Iterator[dict[str, Any]]:
    """Yield the last run of each subject that did not end well, but for the report's own and those still at work."""
    for each in (batch, layout.deep_batch(batch)):
        for state in status.unfinished(layout, each, is_held):
            if stages.stage(state.stage).folder != "report":
                yield _told(layout, state)


def _told(layout: Layout, state: State) -> dict[str, Any]:
    """Return why a run did not end well: its error, the units that failed, and the last words of the job's log."""
    failed = [
        {"unit": unit.name, "state": unit.state, "reason": f"{unit.reason}: {unit.said}".removesuffix(": ")}
        for unit in state.bad[:MOST_UNITS]
    ]
    return {
        "stage": state.stage,
        "batch": state.batch,
        "subject": state.subject,
        "state": state.state,
        "said": state.said,
        "unit": state.unit,
        "units": state.units,
        "failed": failed,
        "words": _last_words(layout, state),
    }


def _last_words(layout: Layout, state: State) -> list[str]:
    """Return the end of the log of the last job that ended badly."""
    logs = [line["log"] for line in (state.history.attempts if state.history else ()) if line["reason"]]
    path = layout.root / logs[-1] if logs else None
    text = path.read_text(encoding="utf-8", errors="replace") if path and path.exists() else ""
    return [line[:LONGEST_TEXT] for line in text.splitlines() if line.strip()][-LAST_LINES:]


def encoded(recorded: Mapping[str, Any]) -> bytes:
    """Return the record as it is written for the program: the same bytes for the same facts."""
    return json.dumps(recorded, sort_keys=True, indent=1).encode()

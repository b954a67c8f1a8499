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

from tasks import catalogue, inputs, ledger, manifest, recipes, stages
from tasks.layout import FOLDERS, Layout
from tasks.manifest import Manifest

LONGEST_TEXT = 300  # characters of a fact; what is longer is a table, which lies among the results
TOLD = ("quarantined", "faults")
"""The facts that the report shows unit by unit, or plate by plate."""
LAST_LINES = 8


def manifests(layout: Layout, batch: str) -> list[Manifest]:
    """Return the manifests of a batch and of its deep profiles, but for the reports'; by stage, then by name."""
    batches = (batch, layout.deep_batch(batch))
    paths = [path for each in batches for path in layout.manifests.glob(f"*/{each}/*.json")]
    found = [each for each in map(manifest.read, sorted(paths)) if each and each.stage in stages.load()]
    return [each for each in found if _folder(each) != "report" and "superseded by" not in each.fingerprint]


def of_batch(layout: Layout, batch: str) -> dict[str, Any]:
    """Return the record of a batch."""
    found = manifests(layout, batch)
    names = sorted({each.stage for each in found})
    recorded = {
        "batch": batch,
        "project": layout.project,
        "source": layout.source,
        "version": importlib.metadata.version("platewright"),
        "plates": _plates(layout, batch, found),
        "stages": {name: _stage(name) for name in names},
        "packages": {image: _packages(image) for image in sorted({stages.stage(name).image for name in names})},
        "runs": [_run(each) for each in found],
        "unfinished": sorted(_unfinished(layout, batch, found), key=lambda each: (each["stage"], each["subject"])),
    }
    text = json.dumps(recorded).replace(json.dumps(str(layout.root))[1:-1], "<data root>")
    whole: dict[str, Any] = json.loads(text)
    return whole


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
    locks = "\n".join(path.read_text(encoding="utf-8") for path in stages.images()[image].locks)
    pins = dict(re.findall(r"(?m)^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", locks))
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
    listed = inputs.plates(layout, batch) if layout.barcode_platemap(batch).is_file() else []
    made = [plate for each in found for plate in (each.members or ([each.plate] if _is_plate(each) else []))]
    return [{"plate": name, "conditions": known.get(name, {})} for name in dict.fromkeys([*listed, *sorted(made)])]


def _unfinished(layout: Layout, batch: str, found: list[Manifest]) -> Iterator[dict[str, Any]]:
    """Yield the last run of each subject that did not end well and that no result has replaced since."""
    made = {(each.stage, each.batch, each.plate): each for each in found}
    for subject in sorted(
        path for each in (batch, layout.deep_batch(batch)) for path in layout.runs.glob(f"*/{each}/*")
    ):
        stage, of, name = subject.parts[-3:]
        if stage not in stages.load() or stages.stage(stage).folder == "report":
            continue
        done = made.get((stage, of, name))
        others = [path for path in subject.iterdir() if path.is_dir() and not (done and layout.root / done.run == path)]
        last = max(others, key=_changed, default=None)
        if last is None or (done and _changed(last) < _published(layout, done)):
            continue
        shards = sorted((last / "shards").glob("*"))
        if not shards or all((shard / "out" / "result.json").exists() for shard in shards):
            continue
        yield {"stage": stage, "batch": of, "subject": name, **_told(shards)}


def _told(shards: list[Path]) -> dict[str, Any]:
    """Return what the shards of a run said: units that failed, and the last words of those that did not end well."""
    failed = [{"unit": unit.name, "reason": unit.reason} for unit in ledger.units(shards) if unit.state == "failed"]
    ended = [shard for shard in shards if not (shard / "out" / "result.json").exists()]
    logs = [
        path.read_text(encoding="utf-8", errors="replace") for each in ended if (path := each / "stderr.log").exists()
    ]
    lines = [line[:LONGEST_TEXT] for log in logs[:1] for line in log.splitlines() if line.strip()]
    return {"failed": failed, "words": lines[-LAST_LINES:], "shards": len(shards), "not_ended": len(ended)}


def _changed(run: Path) -> float:
    """Return when a run last began: the time of its youngest job."""
    jobs = [path.stat().st_mtime for path in run.glob("shards/*/job.json")]
    return max(jobs, default=0.0)


def _published(layout: Layout, done: Manifest) -> float:
    return layout.manifest(done.stage, done.batch, done.plate).stat().st_mtime


def encoded(recorded: Mapping[str, Any]) -> bytes:
    """Return the record as it is written for the program: the same bytes for the same facts."""
    return json.dumps(recorded, sort_keys=True, indent=1).encode()

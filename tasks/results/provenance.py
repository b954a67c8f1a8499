"""What was done to a file: written as a batch's RO-Crate from the manifests, and read back from that crate alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from stagekit import whole

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.errors import MissingInputError
from tasks.results import fingerprint, manifest
from tasks.results.manifest import Manifest
from tasks.results.store.store import Store

METADATA = "ro-crate-metadata.json"


@dataclass(frozen=True)
class Step:
    """One run of a stage, as the crate tells it."""

    run: str
    started: str
    ended: str
    by: str
    program: str
    environment: str
    parameters: Mapping[str, str]
    read: Sequence[tuple[str, str]]
    """Paths below the data root, and sha256 (of a folder: of the list of its files' names and sha256)."""
    wrote: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class History:
    """How a file came to be: the steps in the order in which they were run."""

    file: str
    unchanged: bool
    """Whether the file, or the folder that it was published with, is what the last step wrote."""
    steps: Sequence[Step]


def write(layout: Layout, batch: str, store: Store) -> Path:
    """Write a batch's crate, whole or not at all; raise MissingInputError if nothing was made of the batch."""
    from tasks.results import ro_crate  # here, because every other verb starts sooner without its library

    found = _manifests(layout, batch)
    if not found:
        raise MissingInputError(f"batch {batch}: no stage has made anything of it under {layout.root}; run it first")
    folder = layout.provenance(batch)
    folder.mkdir(parents=True, exist_ok=True)
    made = ro_crate.Crate(layout, batch, [each for _, each in found], _state(found))
    _write(folder / ro_crate.GRAPH, _graph(made.stages))
    _write(folder / METADATA, made.metadata())
    store.push(folder / ro_crate.GRAPH, folder / METADATA)
    return folder / METADATA


def is_current(layout: Layout, batch: str, store: Store) -> bool:
    """Say whether the crate tells of the manifests that are there now."""
    store.ensure_local(layout.provenance(batch) / METADATA)
    entities = _entities(layout.provenance(batch) / METADATA)
    return bool(entities.get("./", {}).get("version") == _state(_manifests(layout, batch)))


def stages_of(layout: Layout, batch: str) -> list[str]:
    """Return the stages that made what lies there of a batch, once each; raise MissingInputError if none did."""
    found = _manifests(layout, batch)
    if not found:
        raise MissingInputError(f"batch {batch}: no stage has made anything of it under {layout.root}; run it first")
    return list(dict.fromkeys(each.stage for _, each in found))


def history(layout: Layout, file: Path) -> History:
    """Say what was done to a file or folder; raise MissingInputError if no crate tells of it."""
    file = file.resolve()
    for path in sorted(layout.provenances()):
        entities = _entities(path)
        known = {(path.parent / unquote(name)).resolve(): name for name in entities if name.startswith("..")}
        for place in (file, *file.parents):
            if place in known and entities[known[place]].get("sha256"):
                return _history(layout, file, place, known[place], entities)
    message = f"no crate under {layout.root} tells of {file}; write it: python -m tasks provenance --batch-id B"
    raise MissingInputError(message)


def _history(layout: Layout, file: Path, place: Path, name: str, entities: Mapping[str, Any]) -> History:
    unchanged = place.exists() and fingerprint.artifact(place).digest == entities[name]["sha256"]
    steps = dict.fromkeys(_made(name, entities))
    ordered = sorted(steps, key=lambda action: str(entities[action]["startTime"]))
    return History(str(file), unchanged, [_step(layout, entities[action], entities) for action in ordered])


def _made(name: str, entities: Mapping[str, Any]) -> Iterator[str]:
    """Yield the runs that a file comes from, itself first; of the run of the whole batch nothing is said."""
    seen: set[str] = set()
    todo = [name]
    makers = {
        result: action
        for action, entity in entities.items()
        if entity["@type"] == "CreateAction" and "object" in entity
        for result in _ids(entity.get("result"))
    }
    while todo:
        action = makers.get(todo.pop())
        if action and action not in seen:
            seen.add(action)
            yield action
            todo += _ids(entities[action]["object"])


def _step(layout: Layout, action: Mapping[str, Any], entities: Mapping[str, Any]) -> Step:
    tool = entities[_ids(action["instrument"])[0]]
    needs = entities[_ids(tool["softwareRequirements"])[0]]
    objects = [entities[each] for each in _ids(action["object"])]
    parameters = {each["name"]: each["value"] for each in objects if each["@type"] == "PropertyValue"}
    read, wrote = (
        [(_place(layout, each), each["sha256"]) for each in found if "sha256" in each]
        for found in (objects, [entities[each] for each in _ids(action["result"])])
    )
    return Step(
        run=action["name"],
        started=action["startTime"],
        ended=action["endTime"],
        by=entities[_ids(action["agent"])[0]]["name"],
        program=f"{tool['name']} {tool['softwareVersion'][:12]}",
        environment=f"{needs['name']}: {needs['description']}",
        parameters=parameters,
        read=read,
        wrote=wrote,
    )


def _place(layout: Layout, entity: Mapping[str, Any]) -> str:
    """Return an entity's path below the data root, or what stands for it."""
    name = unquote(str(entity["@id"]))
    normal = Path(os.path.normpath(layout.provenance("any") / name))
    return normal.relative_to(layout.root).as_posix() if name.startswith("..") else name.removeprefix("#")


def _ids(value: Any) -> list[str]:
    references = value if isinstance(value, list) else [value] if value else []
    return [reference["@id"] for reference in references]


def _entities(path: Path) -> dict[str, Any]:
    """Return a crate's entities by their names; none if there is no crate that was written whole."""
    try:
        return {entity["@id"]: entity for entity in json.loads(path.read_text(encoding="utf-8"))["@graph"]}
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return {}


def _manifests(layout: Layout, batch: str) -> list[tuple[Path, Manifest]]:
    """Return a batch's manifests that say how they were made, in the order in which their stages began."""
    read = [(path, manifest.read(path)) for path in layout.manifests.glob(f"*/{batch}/*.json")]
    found = [(path, each) for path, each in read if each and each.tells_how and each.stage in stages.load()]
    return sorted(found, key=lambda pair: (pair[1].started, pair[1].stage, pair[1].plate))


def _state(found: Sequence[tuple[Path, Manifest]]) -> str:
    """Return one hash for all that the manifests say."""
    return hashlib.sha256(b"".join(path.read_bytes() for path, _ in found)).hexdigest()


def _graph(names: Sequence[str]) -> dict[str, Any]:
    """Return the stages that took part, as their tables say: the workflow that the crate is about."""
    tables = [stages.stage(name) for name in names]
    fields = ("name", "image", "program", "summary", "inputs", "outputs")
    return {"stages": [{field: getattr(table, field) for field in fields} for table in tables]}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    whole.write(path, json.dumps(content, indent=1) + "\n")

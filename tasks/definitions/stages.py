"""The stage tables, containers/*/stages.toml and image.toml, as frozen values; checked once."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stagekit import contracts

from tasks.dataset import layout
from tasks.errors import DefinitionError, unknown

UNITS = ("plate", "batch", "site", "channel", "file")


@dataclass(frozen=True)
class Resources:
    """What one shard of a stage may use."""

    cpus: int
    memory_gb: float
    minutes: float
    gpus: int


@dataclass(frozen=True, eq=False)  # one object a stage, so that it can be a key
class Stage:
    """One step: a program in an image, what it reads by name, and what it promises."""

    name: str
    image: str
    summary: str
    program: str
    inputs: tuple[str, ...]
    folder: str
    outputs: Mapping[str, str]
    unit: str
    resources: Resources
    network: bool
    contract: Mapping[str, str]
    intermediate: bool = False
    """Whether luigi.cfg may have its results deleted once all that is made from them is there."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """Of a folder that is read, the table among the inputs that names which of its files a shard reads."""
    afar: tuple[str, ...] = ()
    """The folders that the program itself reads from S3, where they lie there: it needs little of them."""
    loads: tuple[str, ...] = ()
    """Folders beside the program whose modules or templates it has loaded by path, which no import of its own shows."""

    @property
    def sharded(self) -> bool:
        return self.unit in ("site", "channel")

    @property
    def resumes(self) -> bool:
        """Say whether a run that was cut short goes on in its folder: what came over the network stays there."""
        return self.unit == "file"

    @property
    def program_path(self) -> Path:
        return layout.CONTAINERS / self.image / self.program

    def output_names(self, subject: str, members: Sequence[str] = ()) -> dict[str, str]:
        """Return the path of every promised output below the stage's folder ('.' is the folder itself).

        For a set of plates, its `members`, there is one `name/plate` of each where the template says {plate}.
        """
        names: dict[str, str] = {}
        for name, template in self.outputs.items():
            each = members if "{plate}" in template else ()
            names |= {f"{name}/{plate}": template.format(plate=plate) for plate in each}
            names |= {} if each else {name: template.format(plate=subject, plate_set=subject)}
        return names


@dataclass(frozen=True)
class Image:
    """An environment that stages run in: a container image, or a virtual environment made from the same locks."""

    name: str
    summary: str
    base: str
    python: str
    compile: str
    """A script of the image's folder that compiles its own sources into the environment; empty if it has none."""
    host_commands: Mapping[str, str]
    """Commands that the process engine needs to build the environment, with the Debian packages that bring them."""
    wheels: str = ""
    """A page of wheels that the package index does not have; empty if all of the locks' are there."""
    variants: Mapping[str, str] = field(default_factory=dict)
    """Other images of the same Dockerfile: the variant's name, and the lock that it installs instead."""

    @property
    def folder(self) -> Path:
        return layout.CONTAINERS / self.name

    @property
    def locks(self) -> tuple[Path, ...]:
        """Return the hashed locks in the order of installation: wheels, then what is compiled against them."""
        names = ("requirements.lock", "requirements.build.lock")
        return tuple(self.folder / name for name in names if (self.folder / name).exists())


@functools.cache
def load() -> Mapping[str, Stage]:
    """Return every stage by name."""
    stages: dict[str, Stage] = {}
    for table in sorted(layout.CONTAINERS.glob("*/stages.toml")):
        for name, entry in _read(table).items():
            if name in stages:
                raise DefinitionError(f"{table}: the stage {name!r} is defined in {stages[name].image} too")
            stages[name] = _stage(name, entry, table)
    return stages


@functools.cache
def images() -> Mapping[str, Image]:
    """Return every image by name."""
    found = {}
    for path in sorted(layout.CONTAINERS.glob("*/image.toml")):
        entry = _read(path)
        commands, variants = entry.pop("host", {}).get("commands", {}), entry.pop("variants", {})
        entry = {"compile": "", "wheels": ""} | entry
        _check_keys(path, path.parent.name, entry, {"summary", "base", "python", "compile", "wheels"})
        found[path.parent.name] = Image(name=path.parent.name, host_commands=commands, variants=variants, **entry)
    return found


def stage_images() -> list[str]:
    """Return the names of the images that a stage runs in."""
    return sorted({stage.image for stage in load().values()})


def stage(name: str) -> Stage:
    """Return a stage by name, or raise DefinitionError with the names there are."""
    if name not in load():
        raise DefinitionError(unknown("stage", name, load(), "containers/*/stages.toml"))
    return load()[name]


def _stage(name: str, entry: dict[str, Any], table: Path) -> Stage:
    keys = {each.name for each in fields(Stage)} - {"name", "image"}
    defaults: dict[str, Any] = {"contract": {}, "listed": {}, "afar": [], "loads": [], "intermediate": False}
    entry = defaults | entry
    _check_keys(table, name, entry, keys)
    _check_keys(table, f"{name} resources", entry["resources"], {each.name for each in fields(Resources)})
    lists = {}
    for key in ("inputs", "afar", "loads"):
        if not isinstance(entry[key], list):
            raise DefinitionError(f"{table} [{name}]: {key} = {entry[key]!r} must be a list of names")
        lists[key] = tuple(entry[key])
    values = entry | lists | {"resources": Resources(**entry["resources"])}
    stage = Stage(name=name, image=table.parent.name, **values)
    for kind, value, known in (
        ("unit", stage.unit, UNITS),
        ("folder", stage.folder, layout.FOLDERS),
        *(("output", output, stage.outputs) for output in stage.contract),
        *(("contract", value, contracts.BY_NAME) for value in stage.contract.values()),
        *(("input", name, stage.inputs) for pair in stage.listed.items() for name in pair),
        *(("input", name, stage.inputs) for name in stage.afar),
    ):
        if value not in known:
            raise DefinitionError(unknown(kind, value, known, f"{table} [{name}]"))
    if not stage.program_path.is_file():
        raise DefinitionError(f"{table} [{name}]: there is no program {stage.program!r} beside it")
    for folder in stage.loads:
        if not (stage.program_path.parent / folder).is_dir():
            raise DefinitionError(f"{table} [{name}]: there is no folder {folder!r} beside it to load from")
    return stage


def _check_keys(path: Path, name: str, entry: Mapping[str, Any], expected: set[str]) -> None:
    if set(entry) != expected:
        missing, extra = sorted(expected - set(entry)), sorted(set(entry) - expected)
        raise DefinitionError(f"{path} [{name}]: missing keys {missing}, unknown keys {extra}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{path}: {error}") from error

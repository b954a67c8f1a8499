"""luigi.cfg's own sections as one frozen value; a value that cannot be used ends the run before it starts."""

from __future__ import annotations

import functools
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import luigi
from luigi import configuration

from tasks.dataset.layout import Layout, checked_name
from tasks.definitions import stages
from tasks.definitions.stages import Resources, Stage
from tasks.errors import SettingsError, unknown
from tasks.results.store.store import Store
from tasks.runtime.arrays import places
from tasks.runtime.core.slots import Slots, machine_cores, machine_memory_gb
from tasks.runtime.images import sif
from tasks.settings import aws_prices, data_root, luigi_file, sections
from tasks.settings.parameters import AUTO, Number, Whole
from tasks.settings.retry_policy import Policy

NEGCON = "Metadata_control_type == 'negcon'"
"""The pandas query that finds negative controls, where luigi.cfg gives no other."""
RESOURCE_KEYS: Mapping[str, Number] = {
    "cpus": Whole(least=1, unit="cores", description="of one job"),
    "memory_gb": Number(least=0.01, unit="GB", description="of one job"),
    "minutes": Number(least=0.01, unit="minutes", description="of one job"),
}
"""What of a stage's table luigi.cfg may override."""
SLURM_KEYS = ("partition", "account", "qos", "gres", "extra")
"""What of [slurm] a stage's section may override, by a key that begins with slurm_."""
MOST_ON_A_NODE_GB = 64.0
WAITING_WORKERS = 20
"""Plates at once where jobs run elsewhere: a worker is a process of this machine that waits for them."""


@dataclass(frozen=True)
class Gallery:
    """Where what is absent is fetched from, and how."""

    bucket: str
    endpoint_url: str
    region: str
    unsigned: bool
    measurement: str
    checksums: Path | None
    connections: int
    stall_seconds: float


@dataclass(frozen=True)
class Settings:
    """What luigi.cfg says of the data, the engine and the machine."""

    layout: Layout
    store: Store
    external_metadata: str
    engine: str
    place: str
    slots: Slots
    max_failed_fraction: float
    retries: Policy
    dollars_per_core_hour: float
    prices: Path
    """What Amazon Web Services charges."""
    gallery: Gallery
    workers: int
    """How many of Luigi's tasks run at once."""
    delete: frozenset[str]
    """The stages whose results are deleted once all that is made from them is there."""


def setting(section: str, name: str, kind: Callable[..., Any], **how: Any) -> Any:
    """Return a parameter that luigi.cfg's [section] overrides."""
    return kind(config_path={"section": section, "name": name}, **how)


def default_of(kind: type[luigi.Task], name: str) -> str:
    """Return what a task's parameter is if nobody gives it: by the command line, luigi.cfg, or its default."""
    return str(dict(kind.get_params())[name].task_value(kind.get_task_family(), name))


@functools.cache
def load() -> Settings:
    """Return the settings; raise SettingsError if one has a value that cannot be used."""
    given = sections.paths(), sections.dataset(), sections.runtime()
    names = checked_name("project", given[1].project), checked_name("source", given[1].source)
    layout = Layout(data_root.folder(luigi_file.folder()), *names)
    cores = machine_cores() if given[2].cores == AUTO else given[2].cores
    memory_gb = machine_memory_gb() if given[2].memory_gb == AUTO else given[2].memory_gb
    slots = Slots(layout.slots(platform.node()), cores, memory_gb)
    sif.use(_apptainer(layout))
    return Settings(
        layout,
        data_root.store(layout),
        given[1].external_metadata,
        given[2].engine,
        given[2].place,
        slots,
        given[2].max_failed_fraction,
        _retries(memory_gb if given[2].place == places.LOCAL else MOST_ON_A_NODE_GB, given[2].place),
        sections.plan().dollars_per_core_hour,
        aws_prices.checked(luigi_file.folder(), sections.plan().prices),
        _gallery(),
        workers(),
        _deleted(sections.storage().delete),
    )


def workers() -> int:
    """Return how many of Luigi's tasks run at once, if its command line does not say.

    A worker that runs a job here waits for its slots, so a worker a core keeps all cores busy; elsewhere it only waits.
    """
    given = sections.runtime()
    own = WAITING_WORKERS if given.place != places.LOCAL else given.cores
    own = given.workers if given.workers != AUTO else machine_cores() if own == AUTO else own
    return int(configuration.get_config().get("core", "workers", own))


def _apptainer(layout: Layout) -> sif.Site:
    given = sections.apptainer()
    images = resolved(given.images) if given.images else layout.work / "images"
    return sif.Site(
        binary=given.binary,
        images=images,
        cache=resolved(given.cache) if given.cache else images / "cache",
        temporary=resolved(given.tmp) if given.tmp else Path(tempfile.gettempdir()),
    )


def _deleted(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    known = {name: stage for name, stage in stages.load().items() if stage.intermediate}
    for name in sorted(names - set(known)):
        raise SettingsError(unknown("intermediate stage", name, known, f"luigi.cfg [storage] delete = {text}"))
    return names


def resources(stage: Stage) -> Resources:
    """Return a stage's resources: those of its table, overridden by luigi.cfg's section of its name."""
    given = configuration.get_config()
    own = {
        key: kind.read(given.get(stage.name, key))
        for key, kind in RESOURCE_KEYS.items()
        if given.has_option(stage.name, key)
    }
    return Resources(**{**stage.resources.__dict__, **own})


def of_stage(stage: str, key: str, default: str) -> str:
    """Return what a stage's own section says of a key, or else the default."""
    return str(configuration.get_config().get(stage, key, default))


def max_failed_fraction(stage: Stage) -> float:
    """Return how many of a stage's units may be left out, as a fraction; the channels of a plate never."""
    return 0.0 if stage.unit == "channel" else load().max_failed_fraction


def _retries(memory_gb: float, place: str) -> Policy:
    given = sections.retries()
    most = memory_gb if given.most_memory_gb == AUTO else given.most_memory_gb
    return Policy(
        tries=given.tries,
        backoff_seconds=given.backoff_seconds,
        # On this machine more than all jobs together may have would never find a place.
        most_memory_gb=min(memory_gb, most) if place == places.LOCAL else most,
        most_minutes=given.most_minutes,
    )


def _gallery() -> Gallery:
    given = sections.gallery()
    checksums = luigi_file.folder() / given.checksums if given.checksums else None
    if checksums and not checksums.is_file():
        raise SettingsError(f"luigi.cfg [gallery] checksums = {given.checksums}: there is no such file")
    return Gallery(
        bucket=given.bucket,
        endpoint_url=given.endpoint_url,
        region=given.region,
        unsigned=given.unsigned,
        measurement=given.measurement,
        checksums=checksums,
        connections=given.connections,
        stall_seconds=given.stall_seconds,
    )


def resolved(path: str) -> Path:
    """Return a path of luigi.cfg, which may be relative to its folder."""
    return luigi_file.folder() / path

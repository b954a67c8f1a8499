"""luigi.cfg's own sections as one frozen value; a value that cannot be used ends the run before it starts."""

from __future__ import annotations

import functools
import math
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luigi import configuration

from tasks import data_root, prices, sections, stages
from tasks.errors import SettingsError, unknown
from tasks.layout import Layout
from tasks.numbers import FRACTION, Range, number
from tasks.retries import Policy
from tasks.runtime import places, sif
from tasks.runtime.slots import Slots, machine_cores, machine_memory_gb
from tasks.stages import Resources, Stage
from tasks.store.store import Store

NEGCON = "Metadata_control_type == 'negcon'"
"""The pandas query that finds negative controls, where luigi.cfg gives no other."""
RESOURCE_KEYS: Mapping[str, Range] = {
    "cpus": (int, 1, math.inf),
    "memory_gb": (float, 0.01, math.inf),
    "minutes": (float, 0.01, math.inf),
}
"""What of a stage's table luigi.cfg may override."""
SLURM_KEYS = ("partition", "account", "qos", "gres", "extra")
"""What of [slurm] a stage's section may override, by a key that begins with slurm_."""
MOST_ON_A_NODE_GB = 64.0


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


@functools.cache
def load() -> Settings:
    """Return the settings; raise SettingsError if one has a value that cannot be used."""
    given = sections.paths(), sections.dataset(), sections.runtime()
    layout = Layout(data_root.folder(_base()), given[1].project, given[1].source)
    cores = number("runtime", "cores", given[2].cores, int, 1, automatic=machine_cores())
    memory_gb = number("runtime", "memory_gb", given[2].memory_gb, float, 0.1, automatic=machine_memory_gb())
    slots = Slots(layout.slots(platform.node()), int(cores), memory_gb)
    assert layout.dataset  # checks the names
    sif.use(_apptainer(layout))
    return Settings(
        layout,
        data_root.store(layout),
        _pattern(given[1].external_metadata),
        given[2].engine,
        given[2].place,
        slots,
        number("runtime", "max_failed_fraction", given[2].max_failed_fraction, *FRACTION),
        _retries(memory_gb if given[2].place == places.LOCAL else MOST_ON_A_NODE_GB, given[2].place),
        sections.plan().dollars_per_core_hour,
        prices.checked(_base(), sections.plan().prices or ""),
        _gallery(),
        int(configuration.get_config().get("core", "workers", 1)),
        _deleted(sections.storage().delete or ""),
    )


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
        key: span[0](number(stage.name, key, given.get(stage.name, key), *span))
        for key, span in RESOURCE_KEYS.items()
        if given.has_option(stage.name, key)
    }
    return Resources(**{**stage.resources.__dict__, **own})


def max_failed_fraction(stage: Stage) -> float:
    """Return how many of a stage's units may be left out, as a fraction; the channels of a plate never."""
    return 0.0 if stage.unit == "channel" else load().max_failed_fraction


def _retries(memory_gb: float, place: str) -> Policy:
    given = sections.retries()
    most = number("retries", "most_memory_gb", given.most_memory_gb, float, 0.01, automatic=memory_gb)
    return Policy(
        tries=int(number("retries", "tries", str(given.tries), int, 1)),
        backoff_seconds=number("retries", "backoff_seconds", str(given.backoff_seconds), float, 0),
        # On this machine more than all jobs together may have would never find a place.
        most_memory_gb=min(memory_gb, most) if place == places.LOCAL else most,
        most_minutes=number("retries", "most_minutes", str(given.most_minutes), float, 0.01),
    )


def _gallery() -> Gallery:
    given = sections.gallery()
    checksums = _base() / given.checksums if given.checksums else None
    if checksums and not checksums.is_file():
        raise SettingsError(f"luigi.cfg [gallery] checksums = {given.checksums}: there is no such file")
    return Gallery(
        bucket=given.bucket,
        endpoint_url=given.endpoint_url or "",
        region=given.region,
        unsigned=given.unsigned == "true",
        measurement=given.measurement or "",
        checksums=checksums,
        connections=int(number("gallery", "connections", str(given.connections), int, 1)),
        stall_seconds=number("gallery", "stall_seconds", str(given.stall_seconds), float, 0.1),
    )


def _pattern(text: str) -> str:
    try:
        text.format(platemap="", stem="")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        message = f"luigi.cfg [dataset] external_metadata = {text}: in braces it may hold {{platemap}} or {{stem}} only"
        raise SettingsError(message) from error
    return text


def resolved(path: str) -> Path:
    """Return a path of luigi.cfg, which may be relative to its folder."""
    return _base() / path


def _base() -> Path:
    """Return the folder that a relative path of luigi.cfg starts from: luigi.cfg's own."""
    named = os.environ.get("LUIGI_CONFIG_PATH")
    return Path(named).resolve().parent if named else Path.cwd()

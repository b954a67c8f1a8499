"""What is known of a plate acquisition: the published CPJUMP1 ones, and those of a user's own experiment table.

Barcodes repeat across batches, so an acquisition is addressed by (batch, plate).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagekit import outside
from stagekit.program import DataError

from tasks.dataset.layout import REPOSITORY, Layout
from tasks.errors import DefinitionError, SettingsError, TableError, unknown

CPJUMP1 = REPOSITORY / "data" / "catalogue" / "cpjump1.toml"
BATCH, PLATE, IMAGES = "Batch", "Assay_Plate_Barcode", "Number_of_images"
CELLS_PER_SITE = "Cells_per_site"
"""A column of a user's own table: how many cells a site holds on the average, for `plan`."""


@dataclass(frozen=True)
class Acquisition:
    """A plate as imaged in a batch, with its conditions as text: Perturbation, Cell_type, Time, ..."""

    batch: str
    plate: str
    conditions: Mapping[str, str]

    @property
    def images(self) -> int | None:
        """Return the published number of images, all sites and channels together, where it is known."""
        text = self.conditions.get(IMAGES, "")
        return int(text) if text.isdecimal() else None


def of_batch(layout: Layout, batch: str) -> list[Acquisition]:
    """Return a batch's acquisitions, in their table's order: the user's table if it lists the batch, else CPJUMP1's."""
    own = layout.experiment_metadata(batch)
    listed = _read(own) if own.is_file() else ()
    return [each for each in listed if each.batch == batch] or [each for each in cpjump1() if each.batch == batch]


def expected_images(layout: Layout, batch: str, plate: str) -> int:
    """Return the known number of images of a plate, all sites and channels together; 0 where none is known."""
    return next((each.images or 0 for each in of_batch(layout, batch) if each.plate == plate), 0)


def plates(layout: Layout, batch: str, listed: Sequence[str], where: str) -> list[str]:
    """Return those of the `listed` plates whose acquisition meets `where`, such as "Cell_type=U2OS,Time=24|48".

    Raises SettingsError if nothing is known of the batch, for an unknown column, and where no plate is left.
    """
    if not where:
        return list(listed)
    known = of_batch(layout, batch)
    if not known:
        raise SettingsError(
            f"--where {where}: nothing is known of the plates of batch {batch}; "
            f"lay {layout.experiment_metadata(batch)} (tab separated: {BATCH}, {PLATE}, a column for each condition)"
        )
    chosen = {each.plate for each in select(known, where)}
    found = [plate for plate in listed if plate in chosen]
    if not found:
        raise SettingsError(f"--where {where}: of the batch's plates {', '.join(listed[:10])} none meets it")
    return found


def select(known: Sequence[Acquisition], where: str) -> list[Acquisition]:
    """Return the acquisitions that meet every condition of `where`; raise SettingsError where that is none."""
    wanted = _conditions(where, {column for each in known for column in each.conditions})
    found = [each for each in known if all(each.conditions.get(name) in values for name, values in wanted.items())]
    if not found:
        there = "; ".join(f"{name}: {', '.join(_values(known, name))}" for name in wanted)
        raise SettingsError(f"--where {where}: no plate meets it; there are {there}")
    return found


@functools.cache
def cpjump1() -> tuple[Acquisition, ...]:
    """Return the 107 plate acquisitions of CPJUMP1's six batches and the 10 of its DeepProfiler pseudo-batch."""
    content = tomllib.loads(CPJUMP1.read_text(encoding="utf-8"))
    found: list[Acquisition] = []
    for batch, entry in content["batches"].items():
        groups = [content["defaults"] | group for group in entry["groups"]]
        for group in groups:
            _check(group, content["values"], batch)
            found += _acquisitions(batch, group)
        total = sum(sum(group["plates"].values()) for group in groups)
        if total != entry["images"]:
            raise DefinitionError(
                f"{CPJUMP1}, {batch}: its plates have {total} images, published are {entry['images']}"
            )
    return tuple(found)


def _acquisitions(batch: str, group: Mapping[str, Any]) -> list[Acquisition]:
    shared = {name: str(value).format(**group) for name, value in group.items() if name != "plates"}
    return [
        Acquisition(batch, plate, {BATCH: batch, PLATE: plate, **shared, IMAGES: str(images)})
        for plate, images in group["plates"].items()
    ]


def _check(group: Mapping[str, Any], values: Mapping[str, Sequence[Any]], batch: str) -> None:
    for name, value in group.items():
        if name not in {*values, "plates", "Plate_Map_Name"}:
            raise DefinitionError(unknown("column", name, values, f"{CPJUMP1}, {batch}"))
        if name in values and value not in values[name]:
            raise DefinitionError(unknown(name, str(value), map(str, values[name]), f"{CPJUMP1}, {batch}"))


def _read(path: Path) -> list[Acquisition]:
    try:
        rows = outside.read(outside.EXPERIMENT_METADATA, path, "\t")
    except DataError as error:
        raise TableError(f"{path.parent}/{error}") from error
    return [Acquisition(row[BATCH], row[PLATE], row) for row in rows]


def _conditions(where: str, columns: Iterable[str]) -> dict[str, list[str]]:
    """Read "Perturbation=compound,Time=24|48" as column -> the values that meet it."""
    wanted = {}
    for pair in where.split(","):
        name, equals, values = (part.strip() for part in pair.partition("="))
        if not equals or not values:
            raise SettingsError(f"--where {where}: {pair!r} has not the form column=value or column=value|value")
        if name not in columns:
            raise SettingsError(unknown("column", name, columns, f"--where {where}"))
        wanted[name] = [value.strip() for value in values.split("|")]
    return wanted


def _values(known: Sequence[Acquisition], name: str) -> list[str]:
    return sorted({each.conditions.get(name, "") for each in known})

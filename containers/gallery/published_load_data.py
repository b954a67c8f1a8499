"""Read a published load_data table in either dialect, FileName_/PathName_ or URL_, and every fault that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults import Fault
from image_index import Found, Site
from stagekit import contracts, tables, wells
from stagekit.program import DataError

POSITIONS = ("Metadata_PositionX", "Metadata_PositionY")


@dataclass(frozen=True)
class Listed:
    """What a table lists: site -> channel -> file name, and the stage's positions where it gives them."""

    images: dict[Site, dict[str, str]]
    stage: dict[str, tuple[str, str]]
    """file name -> PositionX, PositionY as written."""


def read(path: Path, plate: str) -> tuple[Listed, list[Fault]]:
    """Return a table's sites and its faults; raise DataError if it has no row or no image column, or is cut short."""
    columns, lines = _lines(path)
    named = [column for column in columns if column and not column.startswith("Unnamed:")]
    contracts.PUBLISHED_LOAD_DATA.check(named, path.name)
    channels = image_columns(columns, path.name)
    faults = [] if len(named) == len(columns) else [Fault("index_column", "", path.name, "a column has no name")]
    listed = Listed({}, {})
    for line in lines:
        row = dict(zip(columns, line))
        site = _site(row, path, faults)
        if row["Metadata_Plate"] not in (plate, f"{plate}.0"):  # a barcode read as a number, and written again
            faults.append(Fault("plate_name", str(site), path.name, f"Metadata_Plate is {row['Metadata_Plate']!r}"))
        if site in listed.images:
            faults.append(Fault("site_twice", str(site), path.name, "it has several rows"))
        names = {channel: row[column].rpartition("/")[2] for channel, column in channels.items()}
        listed.images[site] = names
        if all(row.get(position) for position in POSITIONS):
            listed.stage.update(dict.fromkeys(names.values(), (row[POSITIONS[0]], row[POSITIONS[1]])))
    return listed, faults + _twice(listed)


def image_columns(columns: Sequence[str], where: str) -> dict[str, str]:
    """Return channel -> the column that names its image; FileName_ wins over URL_."""
    found = {}
    for prefix in ("URL_Orig", "FileName_Orig"):
        found.update({column[len(prefix) :]: column for column in columns if column.startswith(prefix)})
    if not found:
        raise DataError(f"{where}: it has no column FileName_Orig<channel> or URL_Orig<channel>")
    return found


def hold_against(listed: Listed, found: Found, where: str) -> list[Fault]:
    """Return the images that are listed and not there, and those that are there and not listed."""
    there = {name for images in found.values() for names in images.values() for name in names}
    wanted = {name for names in listed.images.values() for name in names.values()}
    missing = [
        Fault("file_missing", str(site), name, f"{where} lists it as {channel}")
        for site, names in listed.images.items()
        for channel, name in names.items()
        if name not in there
    ]
    return missing + [Fault("file_unlisted", "", name, f"{where} does not list it") for name in sorted(there - wanted)]


def as_found(listed: Listed, order: Mapping[str, str]) -> Found:
    """Return the listed images as an index, sites sorted, channels in the settings' order, others after them."""
    known = list(dict.fromkeys(order.values()))
    ranks = {channel: rank for rank, channel in enumerate(known)}
    return {
        site: {
            each: [listed.images[site][each]] for each in sorted(listed.images[site], key=lambda c: ranks.get(c, 99))
        }
        for site in sorted(listed.images)
    }


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    lines = tables.numbered(path)
    if len(lines) < 2:
        raise DataError(f"{path.name}: it lists no site; fetch it again, or use [load_data] source = images")
    (_, header), *rows = lines
    for number, line in rows:
        if len(line) != len(header):
            message = f"{path.name}: line {number} has {len(line)} cells, the header {len(header)}; was it cut short?"
            raise DataError(message)
    return header, [line for _, line in rows]


def _site(row: Mapping[str, str], path: Path, faults: list[Fault]) -> Site:
    written, number = row["Metadata_Well"], row["Metadata_Site"]
    well = wells.normal(written)
    if well is None or not number.removesuffix(".0").isdecimal():
        raise DataError(f"{path.name}: well {written!r}, site {number!r} is no site; a well is written A01, a site 1")
    site = Site(well, int(number.removesuffix(".0")))
    if well != written:
        faults.append(Fault("well_name", str(site), path.name, f"the well is written {written!r}"))
    return site


def _twice(listed: Listed) -> list[Fault]:
    counts = Counter(name for names in listed.images.values() for name in names.values())
    return [
        Fault("file_twice", str(site), name, f"it stands for {channel}, and for another image")
        for site, names in listed.images.items()
        for channel, name in names.items()
        if counts[name] > 1
    ]

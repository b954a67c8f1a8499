"""A plate's fields of view (sites): their images and their cells' centres, checked before anything is computed.

DeepProfiler passes over much of this in silence, or stops at it and leaves the later sites undone.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from stagekit import contracts, program

CENTRE = ("Nuclei_Location_Center_X", "Nuclei_Location_Center_Y")
NAMED = 8  # so many faults an error tells


class Unusable(Exception):
    """What is wrong with a site."""


@dataclass(frozen=True)
class Field:
    """A site: `images` in the order of the network's channels; `cells` has a row (x, y) of pixels for every cell."""

    well: str
    site: str
    images: Tuple[Path, ...]
    cells: np.ndarray

    @property
    def name(self) -> str:
        """Return what reports call it: A01-1."""
        return f"{self.well}-{self.site}"


@dataclass(frozen=True)
class Listed:
    """A site as load_data lists it."""

    well: str
    site: str
    images: Tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.well}-{self.site}"


def listed(table: Path, images: Path, channels: Sequence[str], plate: str) -> List[Listed]:
    """Return a plate's sites in the order of the table, with the images of these channels; CheckError if one lacks."""
    with open(table, encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = reader.fieldnames or []
        contracts.LOAD_DATA.check(columns, table.name)
        absent = [channel for channel in channels if f"FileName_Orig{channel}" not in columns]
        if absent:
            message = f"{table.name}: the network sees {', '.join(channels)}, but there is no FileName_Orig{absent[0]}"
            raise program.CheckError(f"{message}; name the channels with [load_data] channels")
        rows = list(reader)
    others = sorted({row["Metadata_Plate"] for row in rows} - {plate})
    if others:
        raise program.DataError(f"{table.name}: Metadata_Plate is {', '.join(others[:3])}, but the plate is {plate}")
    names = [tuple(images / row[f"FileName_Orig{channel}"] for channel in channels) for row in rows]
    found = [Listed(row["Metadata_Well"], row["Metadata_Site"], paths) for row, paths in zip(rows, names)]
    counts = Counter(f"{each.well}-{plain(each.site)}" for each in found)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise program.DataError(f"{table.name}: the site {twice[0]} stands there twice; a row is one of each, keep one")
    return found


def read(sites: Sequence[Listed], locations: Path, report: program.Report) -> Tuple[List[Field], Tuple[int, int]]:
    """Return the fields and the one size (height, width) of their images, in pixels.

    Every fault of every site is reported as a failed unit; if there is any, raises DataError.
    """
    faults: Dict[str, str] = {}
    fields: List[Field] = []
    size: Tuple[int, int] = (0, 0)
    for each in sites:
        try:
            own = _size(each.images)
            size = size if any(size) else own
            if own != size:
                raise Unusable(f"{each.images[0].name} is {_by(own)} pixels, those of {sites[0].name} are {_by(size)}")
            fields.append(Field(each.well, each.site, each.images, centres(_locations(locations, each), size)))
        except Unusable as error:
            faults[each.name] = str(error)
            report.unit(each.name, "failed", reason=str(error))
    if faults:
        raise program.DataError(_told(faults))
    return fields, size


def centres(path: Path, size: Tuple[int, int]) -> np.ndarray:
    """Return the (x, y) of every cell that a locations file names; Unusable says what is wrong with it."""
    if not path.is_file():
        raise Unusable(f"{path.name} is missing: locate the cells again")
    with open(path, encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if not set(CENTRE) <= set(reader.fieldnames or []):
            what = f"has no column {CENTRE[0]} and {CENTRE[1]}" if reader.fieldnames else "is empty"
            raise Unusable(f"{path.name} {what}: locate the cells again")
        cells = [_centre(path, number, row, size) for number, row in enumerate(reader, start=2)]
    return np.array(cells, dtype="float64").reshape(-1, 2)


def plain(site: str) -> str:
    """Return a site's number without zeros before it."""
    return str(int(site)) if site.isdigit() else site


def load(field: Field) -> np.ndarray:
    """Return a field's pixels, height x width x channels; Unusable names an image that does not decode."""
    import tifffile

    planes = []
    for path in field.images:
        try:
            planes.append(tifffile.imread(path))
        except Exception as error:  # tifffile and its codecs raise many kinds
            what = f"{path.name} does not decode ({type(error).__name__}: {error})"
            raise Unusable(f"{field.name}: {what}") from error
    return np.stack(planes, axis=-1)


def _centre(path: Path, line: int, row: Dict[str, str], size: Tuple[int, int]) -> Tuple[float, float]:
    try:
        x, y = (float(row[name] or "nan") for name in CENTRE)
    except (TypeError, ValueError) as error:
        raise Unusable(f"{path.name}, line {line}: {error}") from error
    for name, value, most in ((CENTRE[0], x, size[1]), (CENTRE[1], y, size[0])):
        if not (math.isfinite(value) and 0 <= value < most):
            raise Unusable(f"{path.name}, line {line}: {name} is {value:g}, outside 0 to {most} pixels")
    return x, y


def _locations(folder: Path, site: Listed) -> Path:
    """Return where a site's locations lie: a site that load_data calls 01 is 1 to who locates cells."""
    exact = folder / f"{site.name}-Nuclei.csv"
    return exact if exact.exists() else folder / f"{site.well}-{plain(site.site)}-Nuclei.csv"


def _size(paths: Sequence[Path]) -> Tuple[int, int]:
    """Return the one size (height, width) of a site's images, from their headers alone."""
    sizes = {path: _header(path) for path in paths}
    first = sizes[paths[0]]
    for path, size in sizes.items():
        if size != first:
            raise Unusable(f"{path.name} is {_by(size)} pixels, but {paths[0].name} is {_by(first)}")
    return first


def _header(path: Path) -> Tuple[int, int]:
    """Return the size of a grey TIFF whose pixels are all there; Unusable says what is wrong with it."""
    import tifffile

    if not path.is_file():
        raise Unusable(f"{path.name} is missing")
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            kind, shape = page.dtype, page.shape
            ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts)]
    except Exception as error:  # tifffile raises many kinds
        raise Unusable(f"{path.name} is no whole TIFF ({type(error).__name__}: {error})") from error
    if kind not in (np.uint8, np.uint16) or len(shape) != 2:
        raise Unusable(f"{path.name} holds {kind} of shape {shape}; a grey plane of 8 or 16 bits is needed")
    if not ends or max(ends) > path.stat().st_size:
        raise Unusable(f"{path.name} is cut off: it has {path.stat().st_size} of {max(ends, default=0)} bytes")
    return int(shape[0]), int(shape[1])


def _by(size: Tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _told(faults: Dict[str, str]) -> str:
    lines = "".join(f"\n  {site}: {why}" for site, why in list(faults.items())[:NAMED])
    more = f"\n  ... and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    remedy = "\nmend them, or leave the sites out ([preflight] exclude)"
    return f"{len(faults)} sites cannot be profiled:{lines}{more}{remedy}"

"""OME-Zarr plates, 0.4 (Zarr 2) and 0.5 (Zarr 3), by their JSON alone: wells, sites, axes, and if pixels are there."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stagekit import wells

from tasks.errors import TableError
from tasks.instruments import xml_file
from tasks.instruments.ome_xml import MICROMETRES
from tasks.instruments.paths import Named
from tasks.instruments.reader import Reader, Sidecars, Told
from tasks.instruments.tiff import GREY, BadTiffError, Header

UNITS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6, **MICROMETRES}
KINDS = {"u": "uint", "i": "int", "f": "float"}
METADATA = (".zgroup", ".zattrs", ".zarray", ".zmetadata", "zarr.json")


def is_plate(folder: Path) -> bool:
    """Say whether a folder is an OME-Zarr plate."""
    try:
        return "plate" in attributes(folder)
    except TableError:
        return False


def attributes(group: Path) -> dict[str, Any]:
    """Return what OME-Zarr says of a group; raise TableError if it is no whole group."""
    newer = group / "zarr.json"
    found = _json(newer if newer.is_file() else group / ".zattrs")
    given = found.get("attributes", {}) if newer.is_file() else found
    own: dict[str, Any] = given.get("ome", given)
    return own


def named(root: Path, below: str) -> Iterator[Named]:
    """Yield the planes of a plate, at the full resolution; `below` is its folder below the user's, with '/' at its end.

    Raises TableError for a plate that is not whole, or was measured several times.
    """
    plate = attributes(root)["plate"]
    for well in sorted(plate["wells"], key=lambda well: str(well["path"])):
        name = wells.normal(str(well["path"]).replace("/", ""))
        if name is None:
            raise TableError(f"{root}: {well['path']!r} is no well")
        images = attributes(root / well["path"])["well"]["images"]
        rounds = sorted({image.get("acquisition", 0) for image in images})
        if len(rounds) > 1:
            said = f"well {name} has several measurements (acquisitions {', '.join(map(str, rounds))})"
            raise TableError(f"{root}: {said}; write one of them as a plate of its own")
        for number, image in enumerate(images, start=1):
            site = int(image["path"]) if str(image["path"]).isdecimal() else number
            yield from _image(root, below, f"{well['path']}/{image['path']}", name, site)


def _image(root: Path, below: str, path: str, well: str, site: int) -> Iterator[Named]:
    scales = attributes(root / path)["multiscales"][0]
    axes = [axis["name"] for axis in scales["axes"]]
    array = f"{path}/{scales['datasets'][0]['path']}"
    shape = _array(root / array)["shape"]
    if axes[-2:] != ["y", "x"] or len(shape) != len(axes) or not {*axes[:-2]} <= {"t", "c", "z"}:
        raise TableError(
            f"{root / array}: its axes are {' '.join(axes)} of {shape}; they must be of t, c, z, then y and x"
        )
    for at in itertools.product(*map(range, shape[:-2])):
        index = dict(zip(axes, at, strict=False))
        yield Named(
            path=f"{below}{array}", folder=below, plate="", well=well, well_number=0, site=site, grid=None,
            channel=str(index.get("c", 0) + 1), z=index.get("z", 0) + 1, time=index.get("t", 0) + 1,
            at=",".join(map(str, at)) or "0",
        )  # fmt: skip


def read(found: Sidecars) -> Told:
    """Return what a plate's JSON says of it, and the JSON of its first image."""
    root = next(iter(found.values()))
    plate = attributes(root)["plate"]
    told = Told(
        plate=plate.get("name", "") or root.name.removesuffix(".zarr"),
        rows=len(plate.get("rows", ())) or None,
        columns=len(plate.get("columns", ())) or None,
        sites=plate.get("field_count"),
    )
    if not plate["wells"]:
        return told
    well = plate["wells"][0]["path"]
    image = attributes(root / well / str(attributes(root / well)["well"]["images"][0]["path"]))
    labels = [channel.get("label", "") for channel in image.get("omero", {}).get("channels", ())]
    names = {str(number): label for number, label in enumerate(labels, start=1) if label}
    return replace(told, channels=names, pixel_um=_pixel_um(image["multiscales"][0]))


def _pixel_um(scales: Mapping[str, Any]) -> float | None:
    factor = UNITS.get(scales["axes"][-1].get("unit", ""))
    given = scales["datasets"][0].get("coordinateTransformations", ())
    size = next((each["scale"][-1] for each in given if each.get("type") == "scale"), None)
    found = xml_file.number(str(size))
    return found * factor if found and factor else None


def header(array: Path) -> Header:
    """Return what an array's JSON says; raise BadTiffError if it is not whole, or its pixels are not there."""
    try:
        found = _array(array)
    except TableError as error:
        raise BadTiffError(str(error)) from error
    kind, bits = _type(str(found.get("dtype") or found.get("data_type")))
    height, width = found["shape"][-2:]
    pieces, absent = _pieces(array, found)
    return Header(width, height, bits, kind, GREY, 1, 1, (0,), "", array=True, pieces=pieces, absent=absent)


def _type(text: str) -> tuple[str, int]:
    if text[:1] in "<>|=":
        return KINDS.get(text[1:2], "other"), int(text[2:] or 0) * 8
    kind = text.rstrip("0123456789")
    return kind if kind in KINDS.values() else "other", int(text[len(kind) :] or 0)


def _pieces(array: Path, found: Mapping[str, Any]) -> tuple[int, int]:
    """Return of how many chunks or shards an array is, and how many are not there: they hold only its fill value.

    Raises BadTiffError if it has none of them, or an empty file among them.
    """
    files = [Path(at, name) for at, _, names in os.walk(array) for name in names if name not in METADATA]
    chunks = found.get("chunks") or found.get("chunk_grid", {}).get("configuration", {}).get("chunk_shape")
    most = math.prod(-(-length // chunk) for length, chunk in zip(found["shape"], chunks, strict=True))
    if not files:
        raise BadTiffError(f"none of its {most} pieces is here")
    empty = next((path for path in files if not path.stat().st_size), None)
    if empty:
        raise BadTiffError(f"its piece {empty.relative_to(array)} is empty, as in a copy that was cut short")
    return most, max(0, most - len(files))


def _array(array: Path) -> dict[str, Any]:
    newer = array / "zarr.json"
    found = _json(newer if newer.is_file() else array / ".zarray")
    if not isinstance(found.get("shape"), list) or len(found["shape"]) < 2:
        raise TableError(f"{array}: its JSON says no shape of an image")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: it is no whole JSON of an OME-Zarr ({type(error).__name__}: {error})"
        raise TableError(f"{message}; copy the export again, or wait until it is whole") from error
    if not isinstance(found, dict):
        raise TableError(f"{path}: it is no JSON of an OME-Zarr")
    return found


OME_ZARR = Reader(name="ome_zarr", title="OME-Zarr", patterns=(), read=read)

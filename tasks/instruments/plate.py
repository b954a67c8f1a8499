"""What an export says of one plate: its planes, what is announced, and where both contradict each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tasks.errors import TableError
from tasks.instruments import notices, ome_xml, paths, pixels, stacks, tiff
from tasks.instruments.export import Export, Part
from tasks.instruments.ome_zarr import OME_ZARR
from tasks.instruments.paths import BadPathError
from tasks.instruments.reader import Plane, Told
from tasks.instruments.tiff import Header

GENERIC = re.compile(r"images?|data|slide--S\d+|TimePoint_\d+", re.IGNORECASE)
"""Names of folders that say nothing of the plate in them."""


@dataclass(frozen=True)
class FoundPlate:
    """A plate of an export, ready to be shown and added."""

    name: str
    """As the instrument has it: it may hold blanks."""
    folder: Path
    planes: tuple[Plane, ...]
    told: Told
    headers: Mapping[str, Header]
    """Path -> what the image's header says, of those that can be read."""
    unread: Mapping[str, str]
    """Path -> why an image's header cannot be read."""
    notes: tuple[str, ...]
    """What a person should know: what is announced and absent, what was assumed."""
    faults: tuple[str, ...]
    """What keeps the plate from being added, whatever its pixels are."""
    whole: str | None = None
    """The folder below the user's that is one image file, as an OME-Zarr plate is."""

    def unmeasurable(self, channels: Collection[str], scale: str) -> list[str]:
        """Return what keeps the images of some channels from being measured; `scale` says what is black and white."""
        paths_of = {plane.path for plane in self.planes if plane.channel in channels}
        headers = {path: header for path, header in self.headers.items() if path in paths_of}
        unread = {path: why for path, why in self.unread.items() if path in paths_of}
        return [*pixels.unsuited(headers, unread, scale), *pixels.differences(headers)]

    def numbers(self, of: str) -> list[int]:
        """Return the site, z or time numbers that there are."""
        return sorted({getattr(plane, of) for plane in self.planes})

    @property
    def wells(self) -> list[str]:
        return sorted({plane.well for plane in self.planes}, key=lambda well: (len(well), well))

    @property
    def channels(self) -> list[str]:
        """Return what file names say of the channels: numbers as numbers, names by the alphabet."""
        return sorted(
            {plane.channel for plane in self.planes}, key=lambda key: (len(key) if key.isdecimal() else 9, key)
        )


def plates(export: Export) -> list[FoundPlate]:
    """Return all plates of an export; raise TableError for an instrument's file that cannot be read."""
    found = [_plate(export, part) for part in export.parts]
    names = Counter(plate.name for plate in found)
    return [_measured_once(plate, found) if names[plate.name] > 1 else plate for plate in found]


def _measured_once(plate: FoundPlate, found: Iterable[FoundPlate]) -> FoundPlate:
    folders = ", ".join(str(each.folder) for each in found if each.name == plate.name)
    fault = f"plate {plate.name} has several measurements: {folders}; give the folder of one of them"
    return replace(plate, faults=(*plate.faults, fault))


def _plate(export: Export, part: Part) -> FoundPlate:
    told = _told(export, part)
    faults, notes = [], list(told.notes)
    try:
        planes, assumed = _planes(part, told)
        notes += [assumed] if assumed else []
    except BadPathError as error:
        planes = ()
        faults.append(str(error))
    headers, unread = pixels.headers(export.folder, planes)
    inside = stacks.opened(export.folder, planes, headers)
    planes = tuple(inside.planes)
    told = _with_headers(_with_stacks(told, inside.told), headers, planes)
    placed, contradictions = _placed(planes, told)
    name = part.plate or told.plate or _name_of(export.folder / part.folder)
    faults += [*inside.said(), *contradictions, *_twice(placed)]
    notes += [*inside.notes, *notices.all_of(placed, told, headers), *_other_name(part, told, export.folder)]
    whole = part.folder if export.reader is OME_ZARR else None
    at = export.folder / part.folder
    unread = {**inside.unread, **unread}
    return FoundPlate(name, at, placed, told, headers, unread, tuple(notes), tuple(faults), whole)


def _with_stacks(told: Told, inside: Told) -> Told:
    """Take from files that describe themselves what the instrument's own files do not say."""
    return replace(
        told,
        plate=told.plate or inside.plate,
        channels={**inside.channels, **told.channels},
        pixel_um=told.pixel_um or inside.pixel_um,
        magnification=told.magnification or inside.magnification,
    )


def _told(export: Export, part: Part) -> Told:
    if not part.sidecars:
        return Told()
    try:
        return export.reader.read(part.sidecars)
    except (ValueError, KeyError, IndexError, OSError) as error:
        files = ", ".join(sorted(part.sidecars)[:3])
        message = (
            f"{export.folder}: {files} is not as {export.reader.title} writes it ({type(error).__name__}: {error})"
        )
        raise TableError(
            f"{message}; copy the export again, or move the file away: names then say what they can"
        ) from error


def _planes(part: Part, told: Told) -> tuple[tuple[Plane, ...], str]:
    """Return the planes as their names say them, and what was assumed to know their wells."""
    grid = paths.grid_sites(part.named)
    listed = {name: plane.well for name, plane in told.images.items()}
    wells = [named.well or listed.get(PurePosixPath(named.path).name, "") for named in part.named]
    numbers = [named.well_number for named, well in zip(part.named, wells, strict=True) if not well]
    uncounted = [number for number in numbers if number]
    counted, note = paths.counted_wells(uncounted, told.columns)
    planes = [
        Plane(
            path=named.path,
            well=well or counted.get(named.well_number, ""),
            site=grid[named.grid] if named.grid else named.site,
            channel=named.channel,
            z=named.z,
            time=named.time,
            at=named.at,
        )
        for named, well in zip(part.named, wells, strict=True)
    ]
    return tuple(planes), note


def _with_headers(told: Told, headers: Mapping[str, Header], planes: Iterable[Plane]) -> Told:
    """Take from the images' headers what the instrument's own files do not say."""
    first = next(iter(headers.values()), None)
    if first is None:
        return told
    names = {
        plane.channel: name
        for plane in planes
        if plane.path in headers and (name := headers[plane.path].told(tiff.CHANNEL))
    }
    zoom = first.told(tiff.MAGNIFICATION)
    return replace(
        told,
        channels={**names, **told.channels},
        pixel_um=told.pixel_um or first.pixel_um or ome_xml.pixel_um(first.description),
        magnification=told.magnification or (float(zoom) if zoom else None),
    )


def _placed(planes: Iterable[Plane], told: Told) -> tuple[tuple[Plane, ...], list[str]]:
    """Return the planes with the positions that the list of images gives, and what name and list contradict."""
    placed, wrong = [], []
    for plane in planes:
        listed = told.images.get(PurePosixPath(plane.path).name)
        if listed is None:
            placed.append(plane)
            continue
        own, said = _compared(plane), _compared(listed)
        if own != said:
            wrong.append(f"{plane.path}: its name says {own}, the instrument's list of images {said}")
        placed.append(replace(plane, x_m=listed.x_m, y_m=listed.y_m))
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return tuple(placed), [f"{wrong[0]}{more}; compare the folder with its source"] if wrong else []


def _compared(plane: Plane) -> str:
    return f"well {plane.well}, site {plane.site}, channel {plane.channel}, plane {plane.z}, time {plane.time}"


def _twice(planes: Iterable[Plane]) -> Iterator[str]:
    counts: dict[tuple[str, int, str, int, int], list[str]] = {}
    for plane in planes:
        counts.setdefault(plane.key, []).append(plane.path)
    doubled = [found for found in counts.values() if len(found) > 1]
    if doubled:
        yield f"{len(doubled)} planes have several images, the first: {', '.join(doubled[0][:3])}; keep one of each"


def _other_name(part: Part, told: Told, folder: Path) -> Iterator[str]:
    own = (part.plate or _name_of(folder / part.folder)).removesuffix(".zarr")
    if told.plate and part.named and told.plate != own:
        where = "file names have" if part.plate else "the folder has"
        yield f"the instrument calls the plate {json.dumps(told.plate, ensure_ascii=False)}, {where} {own}"


def _name_of(folder: Path) -> str:
    names = [part for part in folder.resolve().parts if not GENERIC.fullmatch(part)]
    return names[-1].partition("__")[0] if names else folder.name

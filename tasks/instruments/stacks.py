"""Which planes are in files that hold several: by OME-XML, by what ImageJ writes, or by the number of pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tasks.instruments import ome_xml
from tasks.instruments.ome_xml import BadOmeError, Described, OmeImage, OmePlane
from tasks.instruments.reader import Plane, Told
from tasks.instruments.tiff import Header

IMAGEJ = re.compile(r"^(channels|slices|frames)=(\d+)", re.MULTILINE)


class BadStackError(Exception):
    """A file's planes are not what its name or its own description says."""


@dataclass
class Opened:
    """The planes of all files, and what the files say of themselves."""

    planes: list[Plane] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    absent: dict[str, str] = field(default_factory=dict)
    """File that is not there -> the file that lists it."""
    unread: dict[str, str] = field(default_factory=dict)
    """File -> why its planes are not known."""
    faults: list[str] = field(default_factory=list)
    """Of files of which not even the well is known."""
    notes: tuple[str, ...] = ()
    looked_for: set[tuple[Path, tuple[str, ...]]] = field(default_factory=set)
    """Folders, each with the files that were looked for in it."""

    def said(self) -> Iterator[str]:
        """Yield what keeps the plate from being added."""
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            yield f"{self.faults[0]}{more}"
        if self.absent:
            file, by = next(iter(self.absent.items()))
            first = f"first {file} ({by} lists it)"
            yield f"{len(self.absent)} files that OME-XML lists are not here, {first}; copy them too"


def opened(folder: Path, planes: Sequence[Plane], headers: Mapping[str, Header]) -> Opened:
    """Return the planes of all files, a file that holds several in their place. A channel that none says is 1."""
    found, described = Opened(), {}
    for plane in planes:
        header = headers.get(plane.path)
        if header is None or plane.at or (header.plain and plane.well and plane.channel):
            found.planes.append(replace(plane, channel=plane.channel or "1"))
            continue
        try:
            description = _description(folder / plane.path, header)
            if description and (len(header.pages) > 1 or not (plane.well and plane.channel)):
                found.planes += _of_ome(folder, plane, header, description, found)
                described[id(description)] = description, not plane.channel
            else:
                found.planes += _of_pages(plane, header, found)
        except (BadStackError, BadOmeError) as error:
            _refuse(plane, str(error), found)
    for description, numbered in described.values():
        found.told = _told(found.told, description, numbered)
    return found


def _refuse(plane: Plane, why: str, found: Opened) -> None:
    """Note what is wrong with a file, which counts as one plane of its channel: that may be left out."""
    if plane.well:
        found.planes.append(replace(plane, channel=plane.channel or "1"))
        found.unread[plane.path] = why
    else:
        found.faults.append(f"{plane.path}: {why}")


def _description(path: Path, header: Header) -> Described | None:
    if not ome_xml.is_ome(header.description):
        return None
    described = ome_xml.parse(header.description)
    if not described.elsewhere:
        return described
    companion = path.parent / PurePosixPath(described.elsewhere).name
    if not companion.is_file():
        raise BadStackError(f"its description is in {companion.name}, which is not here; copy that too")
    return ome_xml.parse(companion.read_text(encoding="utf-8-sig"))


def _of_ome(folder: Path, plane: Plane, header: Header, described: Described, found: Opened) -> Iterator[Plane]:
    own, listed = PurePosixPath(plane.path).name, described.files
    if own not in listed and len(listed) > 1:
        raise BadStackError(
            f"its OME-XML lists {len(listed)} files, first {listed[0]}, and not this one: was it renamed?"
        )
    _look_for((folder / plane.path).parent, listed, plane.path, found)
    pages = {*header.pages}
    here = _listed_of(described, listed[0] if len(listed) == 1 else own, pages)
    channels = {each.index[0] for planes in here.values() for each in planes}
    if plane.channel:
        _name_channel(plane.channel, described.images[min(here)], channels, found)
    for number, planes in here.items():
        image = described.images[number]
        well, site = _place(plane, image, described, number + 1 if len(here) > 1 else plane.site)
        for each in planes:
            if each.page not in pages:
                raise BadStackError(f"its OME-XML lists page {each.page}, it has {len(header.pages)} pages, from 0")
            x, y = image.positions.get(each.index, ("", ""))
            channel, z, time = each.index
            yield Plane(
                path=plane.path, well=well, site=site, channel=plane.channel or str(channel + 1),
                z=z + 1 if image.sizes[1] > 1 else plane.z, time=time + 1 if image.sizes[2] > 1 else plane.time,
                x_m=x, y_m=y, at=str(each.page),
            )  # fmt: skip


def _listed_of(described: Described, file: str, pages: Collection[int]) -> dict[int, list[OmePlane]]:
    """Return the planes that are listed of a file, by the number of their image."""
    here: dict[int, list[OmePlane]] = {}
    for name in ("", file):
        for number, planes in described.by_file.get(name, {}).items():
            here.setdefault(number, []).extend(each for each in planes if each.certain or each.page in pages)
    if not here:
        raise BadStackError("its OME-XML lists no plane of it")
    return dict(sorted(here.items()))


def _look_for(at: Path, listed: tuple[str, ...], by: str, found: Opened) -> None:
    """Note the files of a set that are not there, once for all files that list the same."""
    if len(listed) > 1 and (at, listed) not in found.looked_for:
        found.looked_for.add((at, listed))
        found.absent.update({file: by for file in listed if not (at / file).exists()})


def _name_channel(key: str, image: OmeImage, channels: set[int], found: Opened) -> None:
    """Note what the channel is called that a file's name says: in the file it may have another number."""
    if len(channels) > 1:
        raise BadStackError(f"its name says channel {key}, it has {len(channels)}: give --pattern without channel")
    name = next((image.channels[number] for number in channels if number < len(image.channels)), "")
    if name:
        found.told = replace(found.told, channels={key: name, **found.told.channels})


def _place(plane: Plane, image: OmeImage, described: Described, site: int) -> tuple[str, int]:
    """Return well and site; of a file that describes nothing but itself, the site is the one that its name says."""
    if not image.well and not plane.well:
        said = "neither its name nor its OME-XML says of which well it is"
        raise BadStackError(f"{said}; give the form of the names: --pattern, with the group well")
    if image.well and plane.well and image.well != plane.well:
        raise BadStackError(f"its name says well {plane.well}, its OME-XML {image.well}")
    alone = plane.well and image.site == 1 and described.sites_of[image.well] == 1
    return (image.well, image.site) if image.well and not alone else (plane.well, site)


def _of_pages(plane: Plane, header: Header, found: Opened) -> Iterator[Plane]:
    """Yield a plane a page: as ImageJ orders them, else channels if the name says none, else planes in z."""
    if not plane.well:
        raise BadStackError("its name does not say of which well it is; give the form of the names: --pattern")
    count = len(header.pages)
    channels, slices, frames = _counts(header, plane)
    if channels * slices * frames != count:
        raise BadStackError(
            f"it announces {channels} x {slices} x {frames} channels, planes and times, and has {count}"
        )
    if plane.channel and channels > 1:
        raise BadStackError(f"its name says channel {plane.channel}, it has {channels}: give --pattern without channel")
    if count > 1 and not header.description.startswith("ImageJ="):
        kind = "channels" if channels > 1 else "planes in z"
        found.notes = (f"nothing says what the {count} pages of a file are: they are taken for {kind}",)
    for number, page in enumerate(header.pages):
        rest, channel = divmod(number, channels)
        time, z = divmod(rest, slices)
        yield replace(
            plane, channel=plane.channel or str(channel + 1), z=z + 1 if slices > 1 else plane.z,
            time=time + 1 if frames > 1 else plane.time, at=str(page),
        )  # fmt: skip


def _counts(header: Header, plane: Plane) -> tuple[int, int, int]:
    """Return how many channels, planes and time points a file's pages are."""
    if header.description.startswith("ImageJ="):
        given = {name: int(count) for name, count in IMAGEJ.findall(header.description)}
        if given:
            return given.get("channels", 1), given.get("slices", 1), given.get("frames", 1)
    pages = len(header.pages)
    return (1, pages, 1) if plane.channel else (pages, 1, 1)


def _told(told: Told, described: Described, numbered: bool) -> Told:
    """Add what OME-XML says to what is told; the names of channels only where those are called by their numbers."""
    first = next((image for image in described.images if image.planes), None)
    listed = first.channels if first and numbered else ()
    names = {str(number): name for number, name in enumerate(listed, start=1) if name}
    return replace(
        told,
        plate=told.plate or described.plate,
        channels={**names, **told.channels},
        pixel_um=told.pixel_um or (first.pixel_um if first else None),
        magnification=told.magnification or described.magnification,
    )

"""What OME-XML says of images: which plane of which file is which channel, plane and time, and whose well it is of."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stagekit import wells

from tasks.instruments import xml_file

MICROMETRES = {
    "nm": 1e-3, "\N{MICRO SIGN}m": 1.0, "\N{GREEK SMALL LETTER MU}m": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6
}  # fmt: skip
OWN_UUID = re.compile(r'(<(?:\w+:)?OME\b[^>]*?)\sUUID="[^"]*"')
"""What alone differs between the texts of a set of files, each of which describes all of them."""
MOST_PLANES = 1_000_000
Index = tuple[int, int, int]
"""Channel, plane and time point, from 0."""


class BadOmeError(Exception):
    """A text is no whole OME-XML."""


@dataclass(frozen=True)
class OmePlane:
    """One plane: where its pixels are, and which it is."""

    file: str
    """The name of the file, or nothing: the file that holds the text."""
    page: int
    index: Index
    certain: bool = True
    """Whether it is said that it is there; else a block runs on as far as the file has pages."""


@dataclass(frozen=True)
class OmeImage:
    """An image: the planes of a site."""

    name: str
    sizes: Index
    channels: tuple[str, ...]
    planes: tuple[OmePlane, ...]
    pixel_um: float | None = None
    positions: Mapping[Index, tuple[str, str]] = field(default_factory=dict)
    """Where the stage stood, in metres."""
    well: str = ""
    site: int = 0


@dataclass(frozen=True)
class Described:
    """What a text describes."""

    images: tuple[OmeImage, ...]
    plate: str = ""
    magnification: float | None = None
    elsewhere: str = ""
    """The name of the file that holds the whole text, if this one only names it."""

    @functools.cached_property
    def files(self) -> tuple[str, ...]:
        """The names of all files that planes are in."""
        return tuple(name for name in self.by_file if name)

    @functools.cached_property
    def by_file(self) -> dict[str, dict[int, list[OmePlane]]]:
        """The planes that are in a file, by the number of their image, from 0."""
        found: dict[str, dict[int, list[OmePlane]]] = {}
        for number, image in enumerate(self.images):
            for plane in image.planes:
                found.setdefault(plane.file, {}).setdefault(number, []).append(plane)
        return found

    @functools.cached_property
    def sites_of(self) -> Counter[str]:
        """How many images a well has."""
        return Counter(image.well for image in self.images)


def is_ome(text: str) -> bool:
    """Say whether a TIFF's description is OME-XML."""
    return "<OME" in text[:2000] or ":OME" in text[:2000]


def without_uuid(text: str) -> str:
    """Return a description without what only the file itself is called by."""
    return OWN_UUID.sub(r"\1", text, count=1)


@functools.lru_cache(maxsize=64)  # of a set of files, each may hold the whole text
def parse(text: str) -> Described:
    """Return what OME-XML describes; raise BadOmeError if it is none, or lacks what it must have."""
    try:
        root = ElementTree.fromstring(text.encode("utf-8"))
        wells_of, plate = _wells(root)
        images = tuple(_image(image, wells_of) for image in _children(root, "Image"))
        elsewhere = next((each.get("MetadataFile", "") for each in _children(root, "BinaryOnly")), "")
    except (ElementTree.ParseError, ValueError, KeyError, IndexError) as error:
        raise BadOmeError(f"its OME-XML cannot be read ({type(error).__name__}: {error})") from error
    zooms = [xml_file.number(each.get("NominalMagnification")) for each in _below(root, "Objective")]
    return Described(images, plate, next(filter(None, zooms), None), elsewhere)


def pixel_um(text: str) -> float | None:
    """Return the size of a pixel that a TIFF's description says, in micrometres, if it is OME-XML."""
    try:
        images = parse(text).images if is_ome(text) else ()
    except BadOmeError:
        return None
    return next((image.pixel_um for image in images if image.pixel_um), None)


def _wells(root: Element) -> tuple[dict[str, tuple[str, int]], str]:
    """Return the well and site of every image's ID, and the plate's name."""
    found, name = {}, ""
    for plate in _children(root, "Plate"):
        name = name or plate.get("Name", "")
        for well in _children(plate, "Well"):
            own = f"{wells.row_letters(int(well.attrib['Row']))}{int(well.attrib['Column']) + 1:02d}"
            for site, sample in enumerate(_children(well, "WellSample"), start=1):
                found.update({ref.attrib["ID"]: (own, site) for ref in _children(sample, "ImageRef")})
    return found, name


def _image(image: Element, wells_of: Mapping[str, tuple[str, int]]) -> OmeImage:
    pixels = next(_children(image, "Pixels"), None)
    if pixels is None:
        raise ValueError(f"image {image.get('ID')} has no Pixels")
    sizes = (int(pixels.get("SizeC", "1")), int(pixels.get("SizeZ", "1")), int(pixels.get("SizeT", "1")))
    well, site = wells_of.get(image.get("ID", ""), ("", 0))
    size = xml_file.number(pixels.get("PhysicalSizeX"))
    unit = MICROMETRES.get(pixels.get("PhysicalSizeXUnit", "um"))
    return OmeImage(
        name=image.get("Name", ""),
        sizes=sizes,
        channels=tuple(each.get("Name") or each.get("Fluor") or "" for each in _children(pixels, "Channel")),
        planes=tuple(_planes(pixels, sizes)),
        pixel_um=size * unit if size and unit else None,
        positions=dict(_positions(pixels)),
        well=well,
        site=site,
    )


def _planes(pixels: Element, sizes: Index) -> Iterator[OmePlane]:
    """Yield the planes of an image, block by block: a block runs through the dimensions in their order."""
    lengths = dict(zip("CZT", sizes, strict=True))
    order = pixels.get("DimensionOrder", "XYCZT")[2:]
    total = sizes[0] * sizes[1] * sizes[2]
    if sorted(order) != sorted("CZT") or not 0 < total <= MOST_PLANES:
        raise ValueError(f"DimensionOrder {order!r}, {total} planes")
    for block in _children(pixels, "TiffData"):
        file = next((each.get("FileName", "") for each in _children(block, "UUID")), "")
        page, start = int(block.get("IFD", "0")), {axis: int(block.get(f"First{axis}", "0")) for axis in "CZT"}
        first = start[order[0]] + lengths[order[0]] * (start[order[1]] + lengths[order[1]] * start[order[2]])
        count = int(block.get("PlaneCount", "1" if "IFD" in block.attrib else str(total - first)))
        certain = bool({"IFD", "PlaneCount"} & {*block.attrib}) or not file
        for number in range(min(count, total - first)):
            rest, at = first + number, {}
            for axis in order:
                rest, at[axis] = divmod(rest, lengths[axis])
            index = (at["C"], at["Z"], at["T"])
            yield OmePlane(file.replace("\\", "/").rpartition("/")[2], page + number, index, certain or not number)


def _positions(pixels: Element) -> Iterator[tuple[Index, tuple[str, str]]]:
    for plane in _children(pixels, "Plane"):
        given = plane.attrib
        factor = MICROMETRES.get(given.get("PositionXUnit", ""))
        if factor and "PositionX" in given and "PositionY" in given:
            x, y = (f"{float(given[name]) * factor}" for name in ("PositionX", "PositionY"))
            index = (int(given.get("TheC", "0")), int(given.get("TheZ", "0")), int(given.get("TheT", "0")))
            yield index, (xml_file.metres(x), xml_file.metres(y))


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if xml_file.local(child.tag) == name)


def _below(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element.iter() if xml_file.local(child.tag) == name)

"""Zeiss CZI files by their directory and their XML: wells, scenes, tiles, channels, planes, times; no pixel is read.

The form is that of Zeiss' ZISRAW specification, which libCZI follows: segments of a header of 32 bytes and a body. The
file header says where the directory is; an entry of it is one plane of one tile, with its place in every dimension.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stagekit import wells

from tasks.errors import TableError
from tasks.instruments import xml_file
from tasks.instruments.paths import Named
from tasks.instruments.reader import Reader, Sidecars, Told
from tasks.instruments.tiff import GREY, BadTiffError, Header

SUFFIX = ".czi"
HEAD, FILE, DIRECTORY, METADATA = 32, b"ZISRAWFILE", b"ZISRAWDIRECTORY", b"ZISRAWMETADATA"
KINDS: Mapping[int, tuple[str, int]] = {0: ("uint", 8), 1: ("uint", 16), 2: ("float", 32), 12: ("uint", 32)}
"""The number of a type of pixels -> its kind and bits; others are colours or complex numbers."""
LOSSY = {1: "JPEG"}
"""Compressions that change pixels."""
WELL = re.compile(r"(?:^|[_\s(-])(?P<well>[A-Z]{1,2}\d{1,2})(?=$|[_\s.)-])")
"""A well in the name of a file or of a scene, as `plate_B04.czi` and `B4-P1` have it."""
MOST_ENTRIES, MOST_BYTES = 10_000_000, 1 << 28


@dataclass(frozen=True)
class Entry:
    """A plane of a tile, by the directory."""

    number: int
    """Its place in the directory, from 0."""
    kind: int
    compression: int
    start: Mapping[str, int]
    """Dimension (S scene, M tile, C, Z, T, X, Y) -> where it begins."""
    size: tuple[int, int]
    """Height and width."""


@dataclass(frozen=True)
class Czi:
    """What a file says of itself."""

    entries: Sequence[Entry]
    xml: Element


def is_czi(path: str | Path) -> bool:
    return str(path).lower().endswith(SUFFIX)


def read_file(path: Path) -> Czi:
    """Return the directory and the XML of a file; raise BadTiffError for one that is cut, or holds no planes alone."""
    try:
        with open(path, "rb") as file:
            return _read(file, path.stat().st_size)
    except (OSError, struct.error, ElementTree.ParseError, UnicodeDecodeError) as error:
        raise BadTiffError(f"it is no whole CZI ({error})") from error


def _read(file: BinaryIO, size: int) -> Czi:
    head = _body(file, 0, FILE, 80)
    part, directory, metadata = struct.unpack_from("<iqq", head, 48)
    if part:
        raise BadTiffError("it is one of several files of an image; save it as one CZI")
    if not 0 < directory < size or not 0 < metadata < size:
        raise BadTiffError(f"it is cut off, or not closed: its directory is not within its {size} bytes")
    count = struct.unpack("<i", _body(file, directory, DIRECTORY, 4))[0]
    if not 0 < count <= MOST_ENTRIES:
        raise BadTiffError(f"its directory claims {count} planes")
    file.seek(directory + HEAD + 128)
    found = [_entry(file, number, size) for number in range(count)]
    length = struct.unpack("<i", _body(file, metadata, METADATA, 4))[0]
    if not 0 <= length <= MOST_BYTES:
        raise BadTiffError(f"its XML claims {length} bytes")
    file.seek(metadata + HEAD + 256)
    text = file.read(length).rstrip(b"\0")
    return Czi([each for each in found if each], ElementTree.fromstring(text or b"<ImageDocument/>"))


def _body(file: BinaryIO, at: int, name: bytes, count: int) -> bytes:
    file.seek(at)
    head = file.read(HEAD)
    if head[:16].rstrip(b"\0") != name:
        raise BadTiffError(f"it is no CZI: {name.decode()} is not at byte {at}")
    return file.read(count)


def _entry(file: BinaryIO, number: int, size: int) -> Entry | None:
    """Return an entry of the directory; None for a smaller copy of others."""
    schema, kind, at, _, compression, pyramid, count = struct.unpack("<2siqiiB5xi", file.read(32))
    if schema != b"DV":
        raise BadTiffError(f"entry {number} of its directory has the form {schema!r}, which is not read")
    start, lengths, stored = {}, {}, {}
    for _ in range(count):
        name, begin, length, _, kept = struct.unpack("<4siifi", file.read(20))
        key = name.rstrip(b"\0 ").decode("ascii", "replace")
        start[key], lengths[key], stored[key] = begin, length, kept or length
    if at >= size:
        raise BadTiffError(f"it is cut off: a plane is at byte {at} of {size}")
    if pyramid or lengths != stored:
        return None
    odd = [key for key, length in lengths.items() if length > 1 and key not in ("X", "Y", "M")]
    odd += [key for key in "HRIVB" if start.get(key)]
    if odd or not {"X", "Y"} <= lengths.keys():
        raise BadTiffError(f"it has the dimension {', '.join(odd) or 'neither X nor Y'}, which is not read")
    return Entry(number, kind, compression, start, (lengths["Y"], lengths["X"]))


def header(path: Path) -> Header:
    """Return what a file's planes are like; raise BadTiffError for one that is not whole, or whose planes differ."""
    entries = read_file(path).entries
    if not entries:
        raise BadTiffError("it holds no plane")
    first = entries[0]
    odd = next((each for each in entries if (each.kind, each.size) != (first.kind, first.size)), None)
    if odd:
        raise BadTiffError(f"its planes differ: {first.size} and {odd.size} (height, width); split it into its scenes")
    lossy = next((LOSSY[each.compression] for each in entries if each.compression in LOSSY), "")
    if lossy:
        raise BadTiffError(f"it is compressed by {lossy}, which changes pixels; save it without loss")
    kind, bits = KINDS.get(first.kind, ("colour", first.kind))
    samples = 1 if first.kind in KINDS else 3
    return Header(first.size[1], first.size[0], bits, kind, GREY, samples, 1, (0,), "", array=True)


def named(folder: Path, paths: Sequence[str]) -> Iterator[Named]:
    """Yield the planes of a plate's files: a site is a tile of a scene, counted in its well.

    Raises TableError for a file that cannot be read, or a scene of which nothing says the well.
    """
    sites: dict[str, dict[tuple[str, int, int], int]] = {}
    for path in paths:
        try:
            found = read_file(folder / path)
        except BadTiffError as error:
            message = f"{folder / path}: {error}; copy the export again, or wait until it is whole"
            raise TableError(message) from error
        scenes = _wells(found.xml)
        for each in found.entries:
            place = path, each.start.get("S", 0), each.start.get("M", 0)
            well = scenes.get(place[1]) or _well(Path(path).stem)
            if not well:
                said = f"nothing says of which well scene {place[1]} is, neither its XML nor the file's name"
                raise TableError(
                    f"{folder / path}: {said}; save a file a well, each with the well in its name: B04.czi"
                )
            own = sites.setdefault(well, {})
            yield Named(
                path=path, folder="", plate="", well=well, well_number=0, site=own.setdefault(place, len(own) + 1),
                grid=None, channel=str(each.start.get("C", 0) + 1), z=each.start.get("Z", 0) + 1,
                time=each.start.get("T", 0) + 1, at=str(each.number),
            )  # fmt: skip


def _well(text: str) -> str:
    """Return the last well that a name holds, for a plate's own name comes before it; or nothing.

    ZEN calls positions P1, P2, ...: a well of row P is taken only if there is no other.
    """
    found = [well for each in WELL.finditer(text) if (well := wells.normal(each["well"]))]
    return next((well for well in reversed(found) if well[0] != "P"), found[-1] if found else "")


def _wells(xml: Element) -> dict[int, str]:
    """Return the wells of scenes, by their numbers. A scene's own name is that of a position: P1, perhaps B4-P1."""
    found = {}
    for scene in xml.iterfind(".//Dimensions/S/Scenes/Scene"):
        shape = scene.find("Shape")
        said = [scene.findtext("ArrayName"), shape.get("Name") if shape is not None else ""]
        said += [scene.get("Name", "").partition("-")[0]] if "-" in scene.get("Name", "") else []
        found[int(scene.get("Index", -1))] = next((well for text in said if (well := _well(text or ""))), "")
    return found


def read(found: Sidecars) -> Told:
    """Return what the first file says of channels, pixels and the objective."""
    path = next(iter(sorted(found.values())))
    try:
        xml = read_file(path).xml
    except BadTiffError as error:
        raise TableError(f"{path}: {error}; copy the export again, or wait until it is whole") from error
    listed = [
        each.get("Name") or each.findtext("Fluor") or "" for each in xml.iterfind(".//Dimensions/Channels/Channel")
    ]
    metres = xml_file.number(xml.findtext(".//Scaling/Items/Distance[@Id='X']/Value"))
    return Told(
        instrument=xml.findtext(".//Instrument/Microscopes/Microscope/System") or "",
        channels={str(number): name for number, name in enumerate(listed, start=1) if name},
        pixel_um=metres * 1e6 if metres else None,
        magnification=xml_file.number(xml.findtext(".//Instrument/Objectives/Objective/NominalMagnification")),
    )


CZI = Reader(name="czi", title="Zeiss CZI", patterns=(), sidecars=("*.czi",), read=read)

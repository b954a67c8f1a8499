"""What the headers of a TIFF say, read with the standard library: size, kind of pixels, pages, whether it is whole."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

GREY, PALETTE = 1, 3
COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}
IMPORTED = {
    34712: "JPEG 2000", 33004: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 34926: "ZSTD", 50000: "ZSTD",
    50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
"""Compressions that the stage import_images reads and CellProfiler does not."""
PLAIN = ("uint8", "uint16")
SCALED = ("int8", "int16", "int32", "uint32", "float16", "float32", "float64")
"""Pixels that are measured if somebody says which values are black and white."""
KINDS = {1: "uint", 2: "int", 3: "float"}
PHOTOMETRICS = {0: "white is zero", 1: "grey", 2: "red, green, blue", 3: "a palette"}
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
MOST_VALUES, MOST_LETTERS, MOST_PAGES = 1 << 22, 1 << 28, 10_000
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 254, 256, 257, 258, 259, 262, 270
UIC2, COLORS = 33629, 320
OFFSETS, SAMPLES, COUNTS, FORMAT, TILE_OFFSETS, TILE_COUNTS = 273, 277, 279, 339, 324, 325
PIXEL = re.compile(r'id="spatial-calibration-x"[^>]*value="([\d.]+)"')
UNITS = re.compile(r'id="spatial-calibration-units"[^>]*value="(?:um|µm|micron)')
MAGNIFICATION = re.compile(r'id="_MagSetting_"[^>]*value="(\d+(?:\.\d+)?)\s*x', re.IGNORECASE)
CHANNEL = re.compile(r'id="_IllumSetting_"[^>]*value="([^"]+)"')
PAGES = re.compile(r"^(?:images|slices)=(\d+)", re.MULTILINE)


Tags = dict[int, tuple[int, int, int]]
"""Of a page, tag -> the type of its values, how many there are, and where they are, or where that is written."""


class BadTiffError(Exception):
    """A file is no TIFF, or not a whole one."""


@dataclass(frozen=True)
class Header:
    """What the pages are like, and which there are; or the planes of an array."""

    width: int
    height: int
    bits: int
    kind: str
    photometric: int
    samples: int
    compression: int
    pages: tuple[int, ...]
    """The numbers, from 0, of the pages that are no smaller copy or mask of another."""
    description: str
    odd: str = ""
    """Which page is not like the first, and how."""
    ramp: bool = False
    """Whether the colours of a palette only grow brighter: then a pixel's number in it is its brightness."""
    array: bool = False
    """Whether it is no TIFF: an array in a folder, or a file of another form."""
    pieces: int = 0
    absent: int = 0
    """Of how many pieces an array is, and how many are not there: they are read as its fill value."""

    @property
    def pixels(self) -> str:
        return f"{self.kind}{self.bits}"

    @property
    def plain(self) -> bool:
        """Say whether it can be measured as it is: one page that CellProfiler reads, and the first."""
        one = self.pages == (0,) and not self.array and (self.photometric, self.samples) == (GREY, 1)
        return one and self.pixels in PLAIN and self.compression in COMPRESSIONS

    def unsuited(self, scale: str) -> str:
        """Return why the image cannot be measured, or imported with a scale, or nothing."""
        if self.odd:
            return f"its pages differ: {self.odd}; export them alike"
        grey = self.photometric == GREY or self.photometric == PALETTE and self.ramp
        if not grey or self.samples != 1:
            kind = PHOTOMETRICS.get(self.photometric, f"kind {self.photometric}")
            return f"it is no grey image ({kind}, {self.samples} values a pixel); export grey images"
        if self.pixels not in PLAIN and self.pixels not in SCALED:
            return f"its pixels are {self.pixels}; export 8 or 16 bits without sign (docs/own_data.md says how)"
        if self.pixels not in PLAIN and not scale:
            said = "say which values are black and white in luigi.cfg: [images] scale = 0:4095, for instance"
            return f"its pixels are {self.pixels}, whose black and white nothing says; {said}"
        if self.compression not in {**COMPRESSIONS, **IMPORTED}:
            return f"its compression ({self.compression}) is not read; write it with LZW, Deflate, PackBits or none"
        return ""

    def told(self, form: re.Pattern[str]) -> str:
        """Return what MetaXpress writes into the header of an image."""
        found = form.search(self.description)
        return found[1] if found else ""

    @property
    def pixel_um(self) -> float | None:
        return float(self.told(PIXEL)) if UNITS.search(self.description) and self.told(PIXEL) else None


def read(path: Path) -> Header:
    """Return a TIFF's header; raise BadTiffError for a file that is none, or is cut off."""
    try:
        with open(path, "rb") as file:
            return _read(file, path.stat().st_size)
    except (OSError, struct.error, ValueError) as error:
        raise BadTiffError(str(error)) from error


def _read(file: BinaryIO, size: int) -> Header:
    start = file.read(16)
    if start[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise BadTiffError("it is no TIFF" if start else "it is empty")
    tiff = _Tiff(file, size, "<" if start[:2] == b"II" else ">", big=b"+" in start[:4])
    at = tiff.whole(8 if tiff.big else 4)
    pages: dict[int, Tags] = {}
    number = 0
    while at and number < MOST_PAGES:
        tags, at = tiff.page(at)
        if not tiff.one(tags, SUBFILE, 0) & 0b101:  # a smaller copy, or a mask
            pages[number] = tags
        number += 1
    if not pages:
        raise BadTiffError("it has no page")
    return _header(tiff, pages)


def _header(tiff: _Tiff, pages: Mapping[int, Tags]) -> Header:
    first = next(iter(pages.values()))
    ends = [tiff.check_whole(tags) for tags in pages.values()]
    kinds = {number: _kind(tiff, tags) for number, tags in pages.items()}
    usual = next(iter(kinds.values()))
    odd = next((f"page {number} is {kind}, the first {usual}" for number, kind in kinds.items() if kind != usual), "")
    description = tiff.text(first, DESCRIPTION)
    header = Header(
        width=tiff.one(first, WIDTH, 0),
        height=tiff.one(first, HEIGHT, 0),
        bits=tiff.one(first, BITS, 1),
        kind=KINDS.get(tiff.one(first, FORMAT, 1), "other"),
        photometric=tiff.one(first, PHOTOMETRIC, -1),
        samples=tiff.one(first, SAMPLES, 1),
        compression=tiff.one(first, COMPRESSION, 1),
        pages=tuple(pages),
        description=description,
        odd=odd,
        ramp=_is_ramp(tiff.values(first, COLORS)),
    )
    return _with_stack(header, tiff, first, ends[0])


def _is_ramp(colors: Sequence[int]) -> bool:
    """Say whether no colour of a palette (all reds, then all greens, all blues) falls, and one rises."""
    count = len(colors) // 3
    parts = [colors[at : at + count] for at in range(0, 3 * count, count)] if count else []
    return all(list(part) == sorted(part) for part in parts) and any(part[-1] > part[0] for part in parts)


def _kind(tiff: _Tiff, tags: Tags) -> str:
    size = f"{tiff.one(tags, WIDTH, 0)} x {tiff.one(tags, HEIGHT, 0)}"
    return f"{size} {KINDS.get(tiff.one(tags, FORMAT, 1), 'other')}{tiff.one(tags, BITS, 1)}"


def _with_stack(header: Header, tiff: _Tiff, first: Tags, end: int) -> Header:
    """Return the header of a file that describes one page of a stack: ImageJ and MetaMorph may write the rest bare."""
    stack = PAGES.search(header.description) if header.description.startswith("ImageJ=") else None
    count = int(stack[1]) if stack else first[UIC2][1] if UIC2 in first else 1
    if len(header.pages) > 1 or count <= 1:
        return header
    need = end + (count - 1) * header.width * header.height * header.bits // 8
    if need > tiff.size:
        raise BadTiffError(f"it is cut off: {tiff.size} of at least {need} bytes for its {count} planes")
    return replace(header, pages=tuple(range(min(count, MOST_PAGES))))


class _Tiff:
    """An open TIFF: its entries are read where they lie."""

    def __init__(self, file: BinaryIO, size: int, order: str, *, big: bool) -> None:
        self.file, self.size, self.order, self.big = file, size, order, big

    def take(self, at: int, count: int) -> bytes:
        if at + count > self.size:
            raise BadTiffError(f"it is cut off: {self.size} of at least {at + count} bytes")
        self.file.seek(at)
        return self.file.read(count)

    def whole(self, at: int) -> int:
        return int(struct.unpack(self.order + ("Q" if self.big else "I"), self.take(at, 8 if self.big else 4))[0])

    def page(self, at: int) -> tuple[Tags, int]:
        """Return a page's entries (type, count, where the value is), and where the next page is."""
        head, entry = (8, 20) if self.big else (2, 12)
        count = struct.unpack(self.order + ("Q" if self.big else "H"), self.take(at, head))[0]
        if count > 4096:
            raise BadTiffError(f"a page claims {count} entries")
        tags: Tags = {}
        block = self.take(at + head, count * entry)
        for number in range(count):
            tag, kind, length = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), block, number * entry)
            # Of a tag that is there twice, as descriptions may be, the first counts.
            tags.setdefault(tag, (kind, length, at + head + number * entry + (12 if self.big else 8)))
        return tags, self.whole(at + head + count * entry)

    def content(self, tags: Tags, tag: int, most: int = MOST_VALUES) -> tuple[int, int, bytes]:
        kind, length, at = tags[tag]
        need = SIZES.get(kind, 1) * length
        if length > most:
            raise BadTiffError(f"an entry claims {length} values")
        return kind, length, self.take(at if need <= (8 if self.big else 4) else self.whole(at), need)

    def values(self, tags: Tags, tag: int) -> tuple[int, ...]:
        if tag not in tags:
            return ()
        kind, length, content = self.content(tags, tag)
        return struct.unpack(f"{self.order}{length}{WHOLE[kind]}", content) if kind in WHOLE else ()

    def one(self, tags: Tags, tag: int, default: int) -> int:
        return next(iter(self.values(tags, tag)), default)

    def text(self, tags: Tags, tag: int) -> str:
        text = self.content(tags, tag, MOST_LETTERS)[2] if tag in tags else b""
        return text.rstrip(b"\0").decode("utf-8", "replace")

    def check_whole(self, tags: Tags) -> int:
        """Return where a page's pixels end; raise BadTiffError if a strip or tile lies beyond the file's end."""
        offsets = self.values(tags, OFFSETS) or self.values(tags, TILE_OFFSETS)
        counts = self.values(tags, COUNTS) or self.values(tags, TILE_COUNTS)
        end = max((offset + count for offset, count in zip(offsets, counts, strict=False)), default=0)
        if not end:
            raise BadTiffError("it has no pixels")
        if end > self.size:
            raise BadTiffError(f"it is cut off: {self.size} of at least {end} bytes")
        return end

"""What the headers of a plate's TIFFs say: readable, of a kind that can be measured, whole, of one size and depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import tifffile
from faults import Fault
from image_folder import ImageFolder
from image_index import Found

MOST_PIXELS = 2**27
"""Of an image: five times what a large camera has. A file of a few bytes can claim any number of them."""
TYPES = ("uint8", "uint16")
"""Of pixels: of any other type CellProfiler takes another range for black to white than the one that was meant."""
GREY = 1
"""TIFF's PhotometricInterpretation for 0 is black; 0 (0 is white), 2 (red, green, blue) and others are not measured."""
COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}
READ_ERRORS = (tifffile.TiffFileError, OSError, IndexError, ValueError, KeyError)


@dataclass(frozen=True)
class Header:
    """An image's rows and columns, and its type."""

    shape: tuple[int, ...]
    depth: str


@dataclass(frozen=True)
class Unsuited:
    """Why a good TIFF is not measured: the rule that it breaks, and how."""

    rule: str
    said: str


def check(folder: ImageFolder, found: Found) -> list[Fault]:
    """Read every image's header, and return those that cannot be used or differ from the plate's usual ones."""
    files = [(str(site), name) for site, images in found.items() for names in images.values() for name in names]
    with ThreadPoolExecutor(folder.readers) as pool:
        headers = list(pool.map(lambda file: _header(folder, file[1]), files))
    good = [header for header in headers if isinstance(header, Header)]
    shape, depth = _usual(header.shape for header in good), _usual(header.depth for header in good)
    faults = []
    for (site, name), header in zip(files, headers):
        if isinstance(header, str):
            faults.append(Fault("unreadable", site, name, header))
            continue
        if isinstance(header, Unsuited):
            faults.append(Fault(header.rule, site, name, header.said))
            continue
        if header.shape != shape:
            faults.append(
                Fault("image_size", site, name, f"it has {_by(header.shape)} pixels, others have {_by(shape)}")
            )
        if header.depth != depth:
            faults.append(Fault("bit_depth", site, name, f"its pixels are {header.depth}, others' are {depth}"))
    return faults


def _header(folder: ImageFolder, name: str) -> Header | Unsuited | str:
    """Return an image's header, what speaks against the image, or why it cannot be read."""
    try:
        with folder.open(name) as file, tifffile.TiffFile(file) as tiff:
            planes = [page for page in map(tiff.pages.get, range(len(tiff.pages))) if not _is_beside(page)]
            for number, page in enumerate(planes, start=1):
                fault = _of_page(page, f"page {number}: " if len(planes) > 1 else "")
                if fault:
                    return fault
            if len(planes) != 1:
                return Unsuited("planes", f"it has {len(planes)} planes; a file is one channel of one site")
            return _whole(planes[0], folder.bytes(name))
    except READ_ERRORS as error:
        return f"not a readable TIFF ({error})"


def _is_beside(page: tifffile.TiffPage) -> bool:
    """Say whether a page is no plane but a smaller copy of one, or a mask."""
    return bool(page.subfiletype & 0b101)


def _of_page(page: tifffile.TiffPage, which: str) -> Unsuited | None:
    if page.photometric != GREY or page.samplesperpixel != 1:
        kind = getattr(page.photometric, "name", page.photometric)
        return Unsuited("pixel_type", f"{which}it is no grey image: {kind}, {page.samplesperpixel} values a pixel")
    if str(page.dtype) not in TYPES or page.bitspersample != page.dtype.itemsize * 8:
        return Unsuited("pixel_type", f"{which}its pixels are {page.dtype} of {page.bitspersample} bits")
    if page.compression not in COMPRESSIONS:
        kind = getattr(page.compression, "name", page.compression)
        return Unsuited("compression", f"{which}it is compressed by {kind}")
    return None


def _whole(page: tifffile.TiffPage, size: int) -> Header | str:
    if len(page.shape) != 2:
        return f"it is no flat image but has the shape {page.shape}"
    if page.size > MOST_PIXELS:
        return f"it claims {_by(page.shape)} pixels; an image may have {MOST_PIXELS:,}"
    end = max(offset + count for offset, count in zip(page.dataoffsets, page.databytecounts))
    if end > size:
        return f"it is cut off: {size} of at least {end} bytes"
    return Header(tuple(page.shape), str(page.dtype))


def _usual(values: Iterable[object]) -> object:
    return Counter(values).most_common(1)[0][0] if (values := list(values)) else None


def _by(shape: object) -> str:
    return " x ".join(str(length) for length in shape)  # type: ignore[attr-defined]

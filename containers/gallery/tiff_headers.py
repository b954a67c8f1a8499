"""What the headers of a plate's TIFFs say: readable, grey, whole, and all of one size and depth."""

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
READ_ERRORS = (tifffile.TiffFileError, OSError, IndexError, ValueError, KeyError)


@dataclass(frozen=True)
class Header:
    """An image's rows and columns, and its type."""

    shape: tuple[int, ...]
    depth: str


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
        if header.shape != shape:
            faults.append(
                Fault("image_size", site, name, f"it has {_by(header.shape)} pixels, others have {_by(shape)}")
            )
        if header.depth != depth:
            faults.append(Fault("bit_depth", site, name, f"its pixels are {header.depth}, others' are {depth}"))
    return faults


def _header(folder: ImageFolder, name: str) -> Header | str:
    try:
        with folder.open(name) as file, tifffile.TiffFile(file) as tiff:
            page = tiff.pages[0]
            if len(page.shape) != 2:
                return f"it is no grey image but has the shape {page.shape}"
            if page.size > MOST_PIXELS:
                return f"it claims {_by(page.shape)} pixels; an image may have {MOST_PIXELS:,}"
            end = max(offset + count for offset, count in zip(page.dataoffsets, page.databytecounts))
            if end > folder.bytes(name):
                return f"it is cut off: {folder.bytes(name)} of at least {end} bytes"
            return Header(tuple(page.shape), str(page.dtype))
    except READ_ERRORS as error:
        return f"not a readable TIFF ({error})"


def _usual(values: Iterable[object]) -> object:
    return Counter(values).most_common(1)[0][0] if (values := list(values)) else None


def _by(shape: object) -> str:
    return " x ".join(str(length) for length in shape)  # type: ignore[attr-defined]

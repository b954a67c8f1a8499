"""Read the headers of a plate's images, and say what keeps them from being measured, alone or together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tasks.instruments import czi, ome_xml, ome_zarr, tiff
from tasks.instruments.reader import Plane
from tasks.instruments.tiff import BadTiffError, Header

READERS = 8


def headers(folder: Path, planes: Iterable[Plane]) -> tuple[dict[str, Header], dict[str, str]]:
    """Read all headers, by their paths; return those that can be read, and why the others cannot.

    A file that grows meanwhile is one that cannot: somebody still copies it.
    """

    texts: dict[str, str] = {}  # a set's files may each hold the whole text: it is kept once

    def read(path: str) -> Header | str:
        try:
            header = _reads(folder / path)(folder / path)
        except BadTiffError as error:
            return f"{error}; copy the export again, or wait until it is whole"
        text = ome_xml.without_uuid(header.description)
        return replace(header, description=texts.setdefault(text, text))

    listed = list(dict.fromkeys(plane.path for plane in planes))
    before = {path: _size(folder / path) for path in listed}
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(read, listed))
    by_path = dict(zip(listed, found, strict=True))
    growing = [path for path in listed if _size(folder / path) != before[path]]
    by_path |= dict.fromkeys(growing, "it is still growing; wait until the export is whole")
    good = {path: each for path, each in by_path.items() if isinstance(each, Header)}
    return good, {path: each for path, each in by_path.items() if isinstance(each, str)}


def _reads(path: Path) -> Callable[[Path], Header]:
    """Return what reads the header of a file, or of an array in a folder."""
    return czi.header if czi.is_czi(path) else ome_zarr.header if path.is_dir() else tiff.read


def _size(path: Path) -> int:
    """Return the size of a file that may be gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def unsuited(found: Mapping[str, Header], unread: Mapping[str, str], scale: str) -> Iterator[str]:
    """Yield why images cannot be measured: the first of each reason, and how many there are."""
    reasons: dict[str, list[str]] = {}
    for path, why in [*unread.items(), *((path, header.unsuited(scale)) for path, header in found.items())]:
        if why:
            reasons.setdefault(why, []).append(path)
    for reason, of in reasons.items():
        yield f"{of[0]}{f' and {len(of) - 1} more' if len(of) > 1 else ''}: {reason}"


def differences(found: Mapping[str, Header]) -> Iterator[str]:
    """Yield what differs between images that are to be measured together."""
    kinds = Counter((header.width, header.height, header.pixels) for header in found.values())
    zooms = Counter(zoom for header in found.values() if (zoom := header.told(tiff.MAGNIFICATION)))
    if len(kinds) > 1:
        shown = ", ".join(
            f"{count} of {width} x {height} {kind}" for (width, height, kind), count in kinds.most_common()
        )
        yield f"images differ in size or kind: {shown}; give the folder of one measurement"
    if len(zooms) > 1:
        shown = ", ".join(f"{count} by {zoom}x" for zoom, count in zooms.most_common())
        yield f"images differ in magnification: {shown}; give the folder of one measurement"

"""What the file names of a plate's images say: well, site and channel; and what their headers say."""

from __future__ import annotations

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from stagekit.program import DataError

# The Operetta/Opera Phenix export of CPJUMP1: row, column, field, plane, channel, then kinetic and flim counters.
FILE_NAME = re.compile(r"r(\d\d)c(\d\d)f(\d\d)p(\d\d)-ch(\d+)sk(\d+)fk(\d+)fl(\d+)\.tiff?")
IMAGE_SUFFIXES = (".tif", ".tiff")
ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Channel numbers of CPJUMP1.
CHANNELS = {1: "Mito", 2: "AGP", 3: "RNA", 4: "ER", 5: "DNA", 6: "HighZBF", 7: "LowZBF", 8: "Brightfield"}
READERS = 8
NAMED = 10  # how many faults a message lists


@dataclass(frozen=True, order=True)
class Site:
    """A field of view: its well as letter and two digits, its number as in the file name."""

    well: str
    number: int

    def __str__(self) -> str:
        return f"{self.well}-{self.number}"


Index = Dict[Site, Dict[str, str]]


def index(folder: Path) -> Index:
    """Return site -> channel -> file name, sites and channels sorted.

    Raises DataError for a file name of another form, a channel that a site has twice, and channels that are missing.
    """
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not names:
        raise DataError(f"{folder.name}: there is no TIFF in the plate's image folder")
    odd = [name for name in names if not FILE_NAME.fullmatch(name)]
    if odd:
        raise DataError(f"image names must look like r01c01f01p01-ch1sk1fk1fl1.tiff; {len(odd)} do not: {_few(odd)}")
    sites: Dict[Site, Dict[int, List[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        site, channel = _parse(name)
        sites[site][channel].append(name)
    _check_rectangular(sites)
    channels = sorted({channel for found in sites.values() for channel in found})
    return {site: {CHANNELS[number]: sites[site][number][0] for number in channels} for site in sorted(sites)}


def check_headers(folder: Path, found: Index) -> None:
    """Read every TIFF's header; raise DataError where one is unreadable or a site's images differ in size."""
    files = [(site, name) for site, channels in found.items() for name in channels.values()]
    with ThreadPoolExecutor(READERS) as pool:
        headers = list(pool.map(lambda file: _header(folder / file[1]), files))
    faults = [f"{name}: {header}" for (_, name), header in zip(files, headers) if isinstance(header, str)]
    shapes: Dict[Site, set] = defaultdict(set)  # type: ignore[type-arg]
    for (site, _), header in zip(files, headers):
        if not isinstance(header, str):
            shapes[site].add(header)
    faults += [
        f"{site}: its images have different sizes {sorted(sizes)}" for site, sizes in shapes.items() if len(sizes) > 1
    ]
    if faults:
        raise DataError(f"{len(faults)} images cannot be used; replace them or move the site away: {_few(faults)}")


def _header(path: Path) -> Tuple[int, ...] | str:
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            if len(page.shape) != 2:
                return f"it is no grey image but has the shape {page.shape}"
            end = max(offset + count for offset, count in zip(page.dataoffsets, page.databytecounts))
            if end > path.stat().st_size:
                return f"it is cut off: {path.stat().st_size} of at least {end} bytes"
            return tuple(page.shape)
    except (tifffile.TiffFileError, OSError, IndexError, ValueError, KeyError) as error:
        return f"not a readable TIFF ({error})"


def _parse(name: str) -> Tuple[Site, int]:
    row, column, field, plane, channel, *_ = (int(part) for part in FILE_NAME.fullmatch(name).groups())  # type: ignore[union-attr]
    if not 1 <= row <= len(ROWS) or channel not in CHANNELS:
        raise DataError(f"{name}: rows go from 1 to {len(ROWS)} and channels from 1 to {max(CHANNELS)}")
    return Site(f"{ROWS[row - 1]}{column:02d}", field), channel


def _check_rectangular(sites: Dict[Site, Dict[int, List[str]]]) -> None:
    twice = [names for found in sites.values() for names in found.values() if len(names) > 1]
    if twice:
        raise DataError(
            f"a site has several images of one channel (planes or time points?), keep one: {_few(map(str, twice))}"
        )
    expected = {channel for found in sites.values() for channel in found}
    lacking = [
        f"{site} has no {CHANNELS[channel]} (ch{channel})"
        for site, found in sorted(sites.items())
        for channel in sorted(expected - set(found))
    ]
    if lacking:
        message = f"{len(lacking)} images are missing: {_few(lacking)}; add them, or move the site's other images away"
        raise DataError(message)


def _few(faults: Iterable[str]) -> str:
    listed = list(faults)
    return "; ".join(listed[:NAMED]) + (f"; ... ({len(listed)} in all)" if len(listed) > NAMED else "")

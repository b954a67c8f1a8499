"""What a person should know of a plate: what is announced and absent, and which images have fewer planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tasks.instruments.reader import Plane, Told
from tasks.instruments.tiff import Header


def all_of(planes: tuple[Plane, ...], told: Told, headers: Mapping[str, Header]) -> list[str]:
    """Return all that is to be said."""
    return [
        *_differences(planes, told), *_uneven(planes), *_incomplete(planes), *_alike(planes, told), *_pieces(headers)
    ]  # fmt: skip


def _alike(planes: tuple[Plane, ...], told: Told) -> Iterator[str]:
    """Yield channels that the instrument calls by one name: which is which, only the user knows."""
    here = sorted({plane.channel for plane in planes})
    names: dict[str, list[str]] = {}
    for key in here:
        names.setdefault(told.channels.get(key, ""), []).append(key)
    for name, keys in names.items():
        if name and len(keys) > 1:
            yield f"the channels {' and '.join(keys)} are both called {name}: name them, or leave one out (--channels)"


def _pieces(headers: Mapping[str, Header]) -> Iterator[str]:
    """Yield how much of arrays is not there: a whole array may lack what is black, and so does one half copied."""
    lacking = {path: header for path, header in headers.items() if header.absent}
    if lacking:
        path, first = next(iter(lacking.items()))
        absent = sum(header.absent for header in lacking.values())
        yield (
            f"{absent} of {sum(header.pieces for header in headers.values())} pieces of arrays are not here, in "
            f"{len(lacking)} arrays, first {path} ({first.absent} of {first.pieces}): they are read as the "
            "value that the array is filled with. If the copy is not whole, copy it again"
        )


def _differences(planes: tuple[Plane, ...], told: Told) -> Iterator[str]:
    """Yield what is announced and not here."""
    here = {PurePosixPath(plane.path).name for plane in planes}
    absent = sorted(set(told.images) - here)
    if absent and planes:
        yield f"{len(absent)} of {len(told.images)} images that the instrument lists are not here, first {absent[0]}"
    unlisted = sorted(here - set(told.images)) if told.images else []
    if unlisted:
        yield f"{len(unlisted)} images are not in the instrument's list, first {unlisted[0]}"
    seen, where = (planes, "here") if planes else (tuple(told.images.values()), "in its list of images")
    for what, said, count in (
        ("wells", told.wells, len({plane.well for plane in seen})),
        ("sites", told.sites, len({plane.site for plane in seen})),
        ("planes", told.planes, len({plane.z for plane in seen})),
        ("time points", told.times, len({plane.time for plane in seen})),
    ):
        if seen and said and said != count:
            yield f"the instrument announces {said} {what}, {count} {'is' if count == 1 else 'are'} {where}"
    missing = [key for key in told.channels if key not in {plane.channel for plane in planes}]
    if planes and missing:
        names = ", ".join(f"{key} ({told.channels[key]})" if told.channels[key] != key else key for key in missing)
        yield f"the instrument announces the channels {names}, which have no image here"


def _uneven(planes: tuple[Plane, ...]) -> Iterator[str]:
    """Yield channels that have fewer sites than the others."""
    sites: dict[str, set[tuple[str, int]]] = {}
    for plane in planes:
        sites.setdefault(plane.channel, set()).add((plane.well, plane.site))
    most = max(map(len, sites.values()), default=0)
    for channel, own in sites.items():
        if len(own) < most:
            yield f"channel {channel} has {len(own)} sites, others have {most}: name it - to leave it out (--channels)"


def _incomplete(planes: tuple[Plane, ...]) -> Iterator[str]:
    """Yield channels of which an image has fewer planes than others."""
    stacks_of: dict[str, dict[tuple[str, int, int], set[int]]] = {}
    for plane in planes:
        images = stacks_of.setdefault(plane.channel, {})
        images.setdefault((plane.well, plane.site, plane.time), set()).add(plane.z)
    for channel, images in stacks_of.items():
        every = set().union(*images.values())
        lacking = [(at, sorted(every - own)) for at, own in images.items() if own != every]
        if lacking:
            (well, site, _), absent = lacking[0]
            first = f"the first is plane {absent[0]} of {well}, site {site}"
            yield f"channel {channel} has {len(every)} planes, {len(lacking)} of its images have fewer: {first}"

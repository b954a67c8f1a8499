"""What the file names of a plate's images say: well, site and channel."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults import Fault
from image_folder import ImageFolder
from stagekit.program import DataError

IMAGE_SUFFIXES = (".tif", ".tiff")
WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9]\d?)")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, order=True)
class Site:
    """A field of view: its well as letter and two digits, its number as in the file name."""

    well: str
    number: int

    def __str__(self) -> str:
        return f"{self.well}-{self.number}"


Found = dict[Site, dict[str, list[str]]]
"""site -> channel -> the names of its images: one, where all is well."""


@dataclass(frozen=True)
class Naming:
    """The form of image names: a pattern with the groups well (or row and column), site and channel."""

    pattern: re.Pattern[str]
    channels: Mapping[str, str]
    """What the pattern's channel says -> the channel's name; their order is the tables'."""

    def parse(self, name: str) -> tuple[Site, str] | str | None:
        """Return site and channel; an unknown channel as it stands; None for a name of another form."""
        match = self.pattern.fullmatch(name)
        if not match:
            return None
        parts = match.groupdict()
        well = normal_well(parts.get("well") or f"{row_letters(int(parts['row']))}{int(parts['column'])}")
        if well is None:
            return None
        channel = parts["channel"]
        return (Site(well, int(parts["site"])), self.channels[channel]) if channel in self.channels else channel


def naming(pattern: str, channels: str) -> Naming:
    """Read the settings [load_data] pattern and channels; raise DataError where they cannot be used."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"[load_data] pattern = {pattern}: {error}") from error
    groups = set(compiled.groupindex)
    if not {"site", "channel"} <= groups or not ({"well"} <= groups or {"row", "column"} <= groups):
        raise DataError(
            f"[load_data] pattern = {pattern}: it needs the groups site, channel, and well or row and column"
        )
    pairs = [pair.strip().partition("=") for pair in channels.split(",")]
    if not all(key and name.isalnum() for key, _, name in pairs):
        raise DataError(f"[load_data] channels = {channels}: it must read 1=DNA,2=ER, names of letters and digits")
    return Naming(compiled, {key: name for key, _, name in pairs})


def normal_well(text: str) -> str | None:
    """Return A1, a01 or A001 as A01; None if it is no well."""
    match = WELL.fullmatch(text)
    return f"{match[1].upper()}{int(match[2]):02d}" if match else None


def row_letters(row: int) -> str:
    """Return the letters of row 1, 2, ...: A to Z, then AA and on (1536-well plates); none for row 0."""
    return "" if row < 1 else ("" if row <= 26 else LETTERS[(row - 1) // 26 - 1]) + LETTERS[(row - 1) % 26]


def index(folder: ImageFolder, form: Naming) -> tuple[Found, list[Fault]]:
    """Return what the TIFFs' names say, sites and channels sorted, and every fault of the names.

    Raises DataError if there is no TIFF, or not one of the pattern's form.
    """
    names = [name for name in folder.names() if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    if not names:
        raise DataError(f"{folder.name}: there is no TIFF in the plate's image folder")
    found: dict[Site, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    faults = []
    for name in names:
        said = form.parse(name)
        if said is None:
            faults.append(Fault("file_name", "", name, f"its name has not the form {form.pattern.pattern}"))
        elif isinstance(said, str):
            faults.append(Fault("channel_unknown", "", name, f"channel {said!r} has no name"))
        else:
            found[said[0]][said[1]].append(name)
    if not found:
        raise DataError(f"{faults[0].file}: {faults[0].said}, nor that of any other image; see [load_data]")
    order = list(dict.fromkeys(form.channels.values()))
    ordered = {site: {each: found[site][each] for each in order if each in found[site]} for site in sorted(found)}
    return ordered, faults + check_channels(ordered)


def check_channels(found: Found) -> list[Fault]:
    """Return the sites that lack a channel of the plate, have one of their own, or several images of one."""
    counts = Counter(channel for images in found.values() for channel in images)
    usual = [channel for channel, count in counts.items() if 2 * count >= len(found)]
    faults = []
    for site, images in found.items():
        faults += [Fault("channel_missing", str(site), "", f"it has no {each}") for each in usual if each not in images]
        for channel, names in images.items():
            if channel not in usual:
                said = f"only {counts[channel]} of {len(found)} sites have {channel}"
                faults.append(Fault("channel_rare", str(site), names[0], said))
            if len(names) > 1:
                said = f"it has {len(names)} images of {channel}: {', '.join(names[:3])}"
                faults.append(Fault("channel_twice", str(site), names[1], said))
    return faults


def check_counts(found: Found, expected_images: int) -> list[Fault]:
    """Return wells with an unusual number of sites, and a number of images that is not the known one (0: none is)."""
    sites = Counter(site.well for site in found)
    usual, _ = Counter(sites.values()).most_common(1)[0]
    faults = [
        Fault("sites_of_well", well, "", f"it has {count} sites, other wells have {usual}")
        for well, count in sites.items()
        if count != usual
    ]
    images = sum(len(names) for channels in found.values() for names in channels.values())
    if expected_images and images != expected_images:
        faults.append(Fault("image_count", "", "", f"{images} images are here, the plate has {expected_images}"))
    return faults


def single(found: Found, sites: Sequence[Site]) -> dict[Site, dict[str, str]]:
    """Return site -> channel -> file name of the sites that are used."""
    return {site: {channel: names[0] for channel, names in found[site].items()} for site in sites}

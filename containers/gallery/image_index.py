"""What the file names of a plate's images say: well, site and channel."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from faults import Fault
from image_folder import ImageFolder
from stagekit import file_names, wells
from stagekit.program import DataError

IMAGE_SUFFIXES = (".tif", ".tiff")
LEFT_OUT = "-"  # the name of a channel whose images are not used


@dataclass(frozen=True)
class Site:
    """A field of view: its well as one or two letters and two digits, its number as in the file name."""

    well: str
    number: int

    def __str__(self) -> str:
        return f"{self.well}-{self.number}"

    def __lt__(self, other: Site) -> bool:
        """Order sites as on the plate: row AA comes after row Z."""
        return (wells.place(self.well), self.number) < (wells.place(other.well), other.number)


Found = dict[Site, dict[str, list[str]]]
"""site -> channel -> the names of its images: one, where all is well."""


class BadGroupError(Exception):
    """A group of the pattern caught a text that cannot be used."""

    def __init__(self, group: str, text: Optional[str], rule: str) -> None:
        super().__init__(f"group {group} of [load_data] pattern is {'empty' if not text else repr(text)}: {rule}")


@dataclass(frozen=True)
class Naming:
    """The form of image names: a pattern with the groups well (or row and column), channel, and perhaps site."""

    pattern: re.Pattern[str]
    channels: Mapping[str, str]
    """What the pattern's channel says -> the channel's name, or LEFT_OUT; their order is the tables'."""
    ignored: Sequence[str] = ()
    """The forms of names that are passed over."""

    @property
    def leaves_out(self) -> bool:
        return LEFT_OUT in self.channels.values()

    def parse(self, name: str) -> Optional[tuple[Site, str]]:
        """Return site and what is said of the channel; None for a name of another form.

        Raises BadGroupError if a group's text cannot be used. Without a group `site` a well has one site, number 1.
        """
        match = self.pattern.fullmatch(name)
        if not match:
            return None
        parts = match.groupdict()
        site = Site(_well(parts), _number("site", parts["site"]) if "site" in parts else 1)
        if not parts["channel"]:
            raise BadGroupError("channel", parts["channel"], "it must say which channel")
        return site, parts["channel"]


def _well(parts: Mapping[str, Optional[str]]) -> str:
    """Return the well that a name says: by itself, or by its row (a number or letters) and column."""
    text, row, column = parts.get("well"), parts.get("row"), parts.get("column")
    if text or "row" not in parts or "column" not in parts:
        well = wells.normal(text or "")
        if well is None:
            raise BadGroupError("well", text, "a well is a letter or two and a number, as A01")
        return well
    letters = row if row and not row.isdigit() else _letters(row)
    if wells.normal(f"{letters}1") is None:
        raise BadGroupError("row", row, "a row is a number from 1, or a letter or two")
    well = wells.normal(f"{letters}{_number('column', column)}")
    if well is None:
        raise BadGroupError("column", column, "a column is a number from 1 to 99")
    return well


def _letters(row: Optional[str]) -> str:
    try:
        return wells.row_letters(_number("row", row) - 1)
    except ValueError as error:
        raise BadGroupError("row", row, str(error)) from error


def _number(group: str, text: Optional[str]) -> int:
    if not text or not (text.isascii() and text.isdecimal()):
        raise BadGroupError(group, text, "it must be a whole number")
    return int(text)


def naming(pattern: str, channels: str, ignore: str) -> Naming:
    """Read the settings [load_data] pattern, channels and ignore; raise DataError where they cannot be used."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"[load_data] pattern = {pattern}: {error}") from error
    groups = set(compiled.groupindex)
    if "channel" not in groups or not ({"well"} <= groups or {"row", "column"} <= groups):
        raise DataError(f"[load_data] pattern = {pattern}: it needs the groups channel, and well or row and column")
    pairs = [pair.strip().partition("=") for pair in channels.split(",")]
    named = [name for _, _, name in pairs if name != LEFT_OUT]
    if not named or not all(key and (name.isalnum() or name == LEFT_OUT) for key, _, name in pairs):
        raise DataError(
            f"[load_data] channels = {channels}: it must read 1=DNA,2=ER, names of letters and digits, or "
            f"{LEFT_OUT} for a channel that is left out"
        )
    return Naming(compiled, {key: name for key, _, name in pairs}, file_names.split(ignore))


def index(folder: ImageFolder, form: Naming) -> tuple[Found, list[Fault]]:
    """Return what the TIFFs' names say, sites and channels sorted, and every fault of the names.

    Raises DataError if there is no TIFF, or not one of the pattern's form.
    """
    images = [name for name in folder.names() if Path(name).suffix.lower() in IMAGE_SUFFIXES]
    passed = {name: how for name in images if (how := file_names.passed_over(name, form.ignored))}
    faults = [Fault("file_ignored", "", name, f"its name has the form {how}") for name, how in passed.items()]
    names = [name for name in images if name not in passed]
    if not names:
        said = f"; {len(passed)} files are passed over by [load_data] ignore" if passed else ""
        raise DataError(f"{folder.name}: there is no TIFF in the plate's image folder{said}")
    found: dict[Site, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        wrong = _add(name, form, found)
        faults += [wrong] if wrong else []
    if not found and not any(fault.file in names for fault in faults):
        raise DataError(f"{folder.name}: all its images are of channels that [load_data] channels leaves out")
    if not found:
        first = next(fault for fault in faults if fault.file in names)
        raise DataError(f"{first.file}: {first.said}; no other image's name can be used either; see [load_data]")
    order = list(dict.fromkeys(form.channels.values()))
    ordered = {site: {each: found[site][each] for each in order if each in found[site]} for site in sorted(found)}
    return ordered, faults + check_channels(ordered)


def _add(name: str, form: Naming, found: dict[Site, dict[str, list[str]]]) -> Optional[Fault]:
    """Take in what an image's name says; return what is wrong with it, if anything."""
    try:
        said = form.parse(name)
    except BadGroupError as error:
        return Fault("file_name", "", name, str(error))
    if said is None:
        return Fault("file_name", "", name, f"its name has not the form {form.pattern.pattern}")
    site, channel = said
    if channel not in form.channels:
        return Fault("channel_unknown", "", name, f"channel {channel!r} has no name")
    if form.channels[channel] != LEFT_OUT:
        found[site][form.channels[channel]].append(name)
    return None


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


def check_counts(found: Found, form: Naming, expected_images: int) -> list[Fault]:
    """Return wells with an unusual number of sites, and a number of images that is not the known one (0: none is)."""
    sites = Counter(site.well for site in found)
    usual, _ = Counter(sites.values()).most_common(1)[0]
    faults = [
        Fault("sites_of_well", well, "", f"it has {count} sites, other wells have {usual}")
        for well, count in sites.items()
        if count != usual
    ]
    images = sum(len(names) for channels in found.values() for names in channels.values())
    if expected_images and not form.leaves_out and images != expected_images:
        faults.append(Fault("image_count", "", "", f"{images} images are here, the plate has {expected_images}"))
    return faults


def single(found: Found, sites: Sequence[Site]) -> dict[Site, dict[str, str]]:
    """Return site -> channel -> file name of the sites that are used."""
    return {site: {channel: names[0] for channel, names in found[site].items()} for site in sites}

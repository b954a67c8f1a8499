"""What a reader is: how an instrument names its images, and what its own files beside them announce."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = r"(?P<folder>(?:.*?/)??)"
"""How a pattern begins: the folder of the plate, below the user's; as short as the rest of the pattern allows."""
IGNORED: Mapping[str, str] = {
    ".*": "a hidden file",
    "*_thumb*": "a thumbnail",
    "thumbs.db": "a thumbnail",
}
"""Forms of file names that no reader takes for images, in small letters, each with the reason."""


@dataclass(frozen=True)
class Plane:
    """A plane of one channel of one site at one time: an image file, or a part of one."""

    path: str
    """Below the folder that the user named, with '/'."""
    well: str
    site: int
    channel: str
    """What the file's name says of the channel: a number or a name. Empty if it says none, until the file is opened."""
    z: int = 1
    time: int = 1
    x_m: str = ""
    y_m: str = ""
    """Where the stage stood, in metres, as the instrument's file says it; empty if none does."""
    at: str = ""
    """Which part of the file it is: a page, or an array's indices, from 0. Empty: the file is this plane, as it is."""

    @property
    def key(self) -> tuple[str, int, str, int, int]:
        return self.well, self.site, self.channel, self.z, self.time


@dataclass(frozen=True)
class Told:
    """What an instrument's own files announce of a plate; what is None or empty they do not say."""

    plate: str = ""
    instrument: str = ""
    channels: Mapping[str, str] = field(default_factory=dict)
    """What file names say of a channel -> the name that the instrument's user gave it."""
    pixel_um: float | None = None
    magnification: float | None = None
    rows: int | None = None
    columns: int | None = None
    wells: int | None = None
    sites: int | None = None
    """Of a well."""
    planes: int | None = None
    times: int | None = None
    images: Mapping[str, Plane] = field(default_factory=dict)
    """File name -> what the instrument's list of images says of it; empty if there is no such list."""
    notes: tuple[str, ...] = ()


Sidecars = Mapping[str, Path]
"""An instrument's own files of one plate, by their paths below the folder that the user named."""


def nothing(found: Sidecars) -> Told:
    """Return what an instrument without files of its own announces."""
    return Told()


@dataclass(frozen=True)
class Reader:
    """An instrument's form: patterns of paths, forms of its own files, and the function that reads those."""

    name: str
    title: str
    patterns: tuple[re.Pattern[str], ...]
    """Of a path below the user's folder: FOLDER, then the groups well (or row and column, or well_number), channel, and
    perhaps plate, site (or site_x and site_y), z, time. A group that is absent counts 1."""
    sidecars: tuple[str, ...] = ()
    """Forms of the names of the instrument's own files, in small letters."""
    read: Callable[[Sidecars], Told] = nothing
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Forms of names, in small letters, of images that are no measurement, each with the reason."""
    wells_inside: bool = False
    """Whether a file itself may say of which well it is, where its name does not."""
    from_zero: frozenset[str] = frozenset()
    """Of row and column, those that are counted from 0."""


def pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a path: what comes before the name is the plate's folder; capitals do not matter."""
    return re.compile(FOLDER + text, re.IGNORECASE)

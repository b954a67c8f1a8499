"""Read what the path of an image says, by a reader's patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stagekit import wells

from tasks.instruments.reader import Reader

PLATE_SIZES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True)
class Named:
    """What a path says; a well that is only counted, or a site by its place in a grid, is settled for all together."""

    path: str
    folder: str
    plate: str
    well: str
    well_number: int
    site: int
    grid: tuple[int, int] | None
    channel: str
    z: int
    time: int
    at: str = ""
    """Which part of the file, where the path is that of an array."""


class BadPathError(Exception):
    """A path has the form of a reader's pattern, and a part that cannot be used."""


def parse(path: str, reader: Reader) -> Named | None:
    """Return what a path says; None if it has another form. Raises BadPathError for a part that cannot be used."""
    match = next((found for each in reader.patterns if (found := each.fullmatch(path))), None)
    if match is None:
        return None
    parts = match.groupdict()
    grid = (_whole(parts, "site_y"), _whole(parts, "site_x")) if "site_x" in parts else None
    number = _whole(parts, "well_number") if parts.get("well_number") else 0
    return Named(
        path=path,
        folder=parts.get("folder") or "",
        plate=parts.get("plate") or "",
        well=_well(parts, reader, number),
        well_number=number,
        site=_whole(parts, "site"),
        grid=grid,
        channel=_channel(parts.get("channel") or ""),
        z=_whole(parts, "z"),
        time=_whole(parts, "time"),
    )


def _well(parts: Mapping[str, str | None], reader: Reader, number: int) -> str:
    """Return the well that a path names; empty if it only counts wells."""
    given = parts.get("well")
    if not given and parts.get("row"):
        given = _row(parts, reader) + str(_whole(parts, "column") + ("column" in reader.from_zero))
    well = wells.normal(given or "")
    if well is None and not number and (given or not reader.wells_inside):
        raise BadPathError(f"{given!r} is no well; a well is a letter or two and a number, as A01")
    return well or ""


def _channel(text: str) -> str:
    """Return what a name says of a channel; a number without the zeros before it."""
    return str(int(text)) if text.isascii() and text.isdecimal() else text


def _row(parts: Mapping[str, str | None], reader: Reader) -> str:
    row = parts["row"] or ""
    if not row.isdecimal():
        return row
    try:
        return wells.row_letters(int(row) - ("row" not in reader.from_zero))
    except ValueError as error:
        raise BadPathError(str(error)) from error


def _whole(parts: Mapping[str, str | None], group: str) -> int:
    text = parts.get(group)
    if text and not (text.isascii() and text.isdecimal()):
        raise BadPathError(f"{group} is {text!r}; it must be a whole number")
    return int(text) if text else 1


def counted_wells(numbers: Iterable[int], columns: int | None) -> tuple[dict[int, str], str]:
    """Return the wells of numbers that count along the rows, and what was assumed of the plate's size, if anything.

    Raises BadPathError for a number that no plate has.
    """
    found, note = sorted(set(numbers)), ""
    if not found:
        return {}, note
    if not columns:
        fitting = [size for size in PLATE_SIZES if size[0] * size[1] >= found[-1]]
        if not fitting or found[0] < 1:
            raise BadPathError(f"wells are numbered {found[0]} to {found[-1]}; plates have 1 to 1536 wells")
        rows, columns = fitting[0]
        note = f"wells are only counted: a plate of {rows * columns} wells, counted along its rows, is assumed"
    places = {number: divmod(number - 1, columns) for number in found}
    return {number: f"{wells.row_letters(row)}{column + 1:02d}" for number, (row, column) in places.items()}, note


def grid_sites(found: Iterable[Named]) -> dict[tuple[int, int], int]:
    """Return the number of every place of a grid that was imaged, counted along its rows from 1."""
    places = sorted({each.grid for each in found if each.grid})
    return {place: number for number, place in enumerate(places, start=1)}


def compiled(text: str) -> re.Pattern[str]:
    """Return a user's pattern of file names, in any folders: all are of one plate, unless it says of which."""
    return re.compile(rf"(?:.*?/)??(?:{text})")

"""Draw a well: three channels as one false-colour tile, with the outlines of its nuclei and cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import images
import load_data
import read_wells
from stagekit import afar

# Which channel a colour shows: the first of these that the plate has.
COLOURS = {"red": ("AGP", "Mito"), "green": ("RNA", "ER"), "blue": ("DNA",)}
PERCENTILES = (1.0, 99.7)
CELL_OUTLINE = (255, 214, 90)
NUCLEUS_OUTLINE = (255, 255, 255)
DRAWN = re.compile(r"/(Cells\.csv|outlines/[^/]+)$")  # what is read of a site's folder
OF_IMAGES = re.compile(r"images/[^/]+\.parquet")

Limits = Mapping[str, tuple[float, float]]


class Site(NamedTuple):
    """The files of the site that stands for a well."""

    well: str
    images: Mapping[str, Path]
    outlines: Mapping[str, Path]
    cells: int


def choose_channels(channels: Sequence[str]) -> dict[str, str]:
    """Return the channel of each colour; colours that the plate cannot fill take the channels left over."""
    chosen = {
        colour: next(name for name in wanted if name in channels)
        for colour, wanted in COLOURS.items()
        if any(name in channels for name in wanted)
    }
    left = [name for name in channels if name not in chosen.values()]
    for colour in COLOURS:
        if colour not in chosen and left:
            chosen[colour] = left.pop(0)
    return chosen


def small(path: Path, side: int) -> np.ndarray:
    """Return an image reduced to fit `side` pixels, each the mean of what it covers."""
    picture = Image.fromarray(images.read(path).astype(np.float32), mode="F")
    return np.asarray(picture.resize(_fit(picture.size, side), Image.Resampling.BOX))


def common_limits(tiles: Sequence[Mapping[str, np.ndarray]]) -> Limits:
    """Return each colour's black and white level, the same for all wells, so that brightness can be compared."""
    limits = {}
    for colour in {colour for tile in tiles for colour in tile}:
        values = np.concatenate([tile[colour].ravel() for tile in tiles if colour in tile])
        low, high = np.percentile(values, PERCENTILES)
        limits[colour] = (float(low), float(max(high, low + 1)))
    return limits


def composite(tile: Mapping[str, np.ndarray], limits: Limits, side: int) -> Image.Image:
    """Return a square false-colour picture; a colour without a channel stays black."""
    height, width = next(iter(tile.values())).shape
    picture = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    for plane, colour in enumerate(COLOURS):
        if colour in tile:
            low, high = limits[colour]
            # The square root lifts the cytoplasm, which is far dimmer than the nuclei.
            level = np.sqrt(np.clip((tile[colour] - low) / (high - low), 0, 1))
            picture[top : top + height, left : left + width, plane] = np.round(230 * level)
    return Image.fromarray(picture)


def draw_outlines(picture: Image.Image, outlines: Mapping[str, Path]) -> None:
    """Draw cell, then nucleus outlines onto a tile; thin lines fade with the reduction instead of breaking."""
    for kind, colour in (("cell", CELL_OUTLINE), ("nuclei", NUCLEUS_OUTLINE)):
        if kind in outlines:
            lines = _reduced_lines(outlines[kind], picture.size[0])
            place = tuple((whole - part) // 2 for whole, part in zip(picture.size, lines.size))
            picture.paste(colour, (place[0], place[1], place[0] + lines.size[0], place[1] + lines.size[1]), lines)


def _reduced_lines(path: Path, side: int) -> Image.Image:
    with Image.open(path) as source:
        lines = np.asarray(source.convert("L")) > 0
    size = _fit((lines.shape[1], lines.shape[0]), side)
    mask = Image.fromarray((lines * 255).astype(np.uint8))
    cover = np.asarray(mask.resize(size, Image.Resampling.BOX), np.float32) / 255
    factor = max(1.0, max(lines.shape) / side)
    # A line of one pixel covers 1/factor of a reduced pixel; where tiles are tiny, lines must not hide the cells.
    strength = np.clip(cover * factor, 0, 1) * min(0.9, 2.5 / factor)
    return Image.fromarray(np.round(255 * strength).astype(np.uint8))


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def sites_of(
    rows: Sequence[Mapping[str, str]], channels: Mapping[str, str], images: Path, analysis: Path, scratch: Path
) -> list[Site]:
    """Return the first measured site of every well: the image that each colour shows, and the outlines there are.

    Where the plate lies afar no other files of it come, to the folder `scratch`.
    """
    made = afar.names(analysis)
    counted = _counted(analysis, made, scratch / "analysis")
    measured = {name.partition("/")[0] for name in made} | set(counted)
    first: dict[str, Mapping[str, str]] = {}
    for row in rows:
        if _folder(row) not in measured:
            continue  # left out, or measure's own manifest would not be complete
        known = first.get(row["Metadata_Well"])
        if known is None or _number(row) < _number(known):
            first[row["Metadata_Well"]] = row
    folders = {_folder(row) for row in first.values()}
    drawn = [name for name in made if name.partition("/")[0] in folders and DRAWN.search(name)]
    analysis = afar.near(analysis, drawn, scratch / "analysis")
    files = [_image(row, channel) for row in first.values() for channel in channels.values()]
    images = afar.near(images, files, scratch / "images")
    drawn_images = {
        well: {colour: images / _image(row, channel) for colour, channel in channels.items()}
        for well, row in first.items()
    }
    return [
        _site(well, drawn_images[well], analysis / _folder(row), counted.get(_folder(row)))
        for well, row in sorted(first.items())
    ]


def _counted(analysis: Path, made: Sequence[str], scratch: Path) -> dict[str, int]:
    """Return the cells of every site by its folder's name, where it was measured into Parquet (well_files.py)."""
    names = [name for name in made if OF_IMAGES.fullmatch(name)]
    folder = afar.near(analysis, names, scratch)
    return {site: cells for name in names for site, cells in read_wells.counts(folder / name).items()}


def _site(well: str, images: Mapping[str, Path], measured: Path, cells: int | None) -> Site:
    if cells is None:
        with open(measured / "Cells.csv", encoding="utf-8") as table:
            cells = sum(1 for _ in table) - 1
    return Site(well, images, _outlines(measured / "outlines"), cells)


def _folder(row: Mapping[str, str]) -> str:
    return f"{row['Metadata_Plate']}-{load_data.site_name(row)}"


def _image(row: Mapping[str, str], channel: str) -> str:
    return row[load_data.ORIGINAL + channel]


def _outlines(folder: Path) -> dict[str, Path]:
    found = {kind: sorted(folder.glob(f"*--{kind}_outlines.png")) for kind in ("cell", "nuclei")}
    return {kind: paths[0] for kind, paths in found.items() if paths}


def _number(row: Mapping[str, str]) -> tuple[int, str]:
    site = row["Metadata_Site"]
    return (int(site) if site.isdigit() else 0), site

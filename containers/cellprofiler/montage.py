"""Show every well of a plate with the outlines of its cells, in one picture.

Each well is its first site in false colours, with the same scale for all, placed as on the plate.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence, Tuple

import matplotlib
from PIL import Image, ImageDraw, ImageFont

import load_data
import outlined_tiles
from outlined_tiles import Site
from stagekit import contracts, program

WIDEST = 3000
MARGIN = 24
BACKGROUND, INK, FAINT, EMPTY = (20, 22, 26), (236, 238, 240), (140, 146, 154), (32, 35, 40)
WELL = re.compile(r"([A-Z]{1,2})(\d{1,2})")
LARGEST_TILE = 480
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TONES = {"red": (255, 96, 96), "green": (110, 230, 110), "blue": (120, 150, 255)}


class Grid(NamedTuple):
    """Where tiles go: the rows and columns that the plate uses, and the side of a tile."""

    rows: Sequence[str]
    columns: Sequence[int]
    side: int
    gap: int
    top: int
    left: int

    def corner(self, well: str) -> Tuple[int, int]:
        """Return the upper left corner of a well's tile."""
        row, column = place(well)
        step = self.side + self.gap
        return self.left + self.columns.index(column) * step, self.top + self.rows.index(row) * step

    def size(self) -> Tuple[int, int]:
        step = self.side + self.gap
        return self.left + len(self.columns) * step + MARGIN, self.top + len(self.rows) * step + MARGIN


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--analysis", required=True, type=Path, help="the folder of <plate>-<well>-<site> folders")
    flags.add_argument("--write_montage", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        channels = outlined_tiles.choose_channels(table.channels())
        sites = outlined_tiles.sites_of(table.rows, channels, args.images, args.analysis)
        picture = draw(args.plate, sites, channels, report)
        args.write_montage.parent.mkdir(parents=True, exist_ok=True)
        picture.save(args.write_montage, optimize=True)
        report.fact("wells", len(sites))
        report.fact("channels", channels)


def draw(plate: str, sites: Sequence[Site], channels: Mapping[str, str], report: program.Report) -> Image.Image:
    """Return the plate's picture."""
    grid = layout([site.well for site in sites])
    tiles = {
        site.well: {colour: outlined_tiles.small(path, grid.side) for colour, path in site.images.items()}
        for site in sites
    }
    limits = outlined_tiles.common_limits(list(tiles.values()))
    canvas = Image.new("RGB", grid.size(), BACKGROUND)
    _draw_frame(canvas, grid, plate, channels, sites)
    for site in sites:
        tile = outlined_tiles.composite(tiles[site.well], limits, grid.side)
        if not site.outlines:
            report.warn(f"well {site.well}: measure left no outlines")
        outlined_tiles.draw_outlines(tile, site.outlines)
        _write_name(tile, site.well)
        canvas.paste(tile, grid.corner(site.well))
    return canvas


def place(well: str) -> Tuple[str, int]:
    """Return a well's row letter and column; DataError if the name is none."""
    named = WELL.fullmatch(well)
    if named is None:
        raise program.DataError(f"well {well!r}: a well is a letter and a number, as in A01")
    return named[1], int(named[2])


def layout(wells: Sequence[str]) -> Grid:
    """Return the grid of the rows and columns that hold a well."""
    rows = sorted({place(well)[0] for well in wells}, key=lambda row: (len(row), row))
    columns = sorted({place(well)[1] for well in wells})
    gap = 4 if len(columns) > 12 else 8
    left = MARGIN + 34
    side = min(LARGEST_TILE, (WIDEST - left - MARGIN) // max(len(columns), 3) - gap)
    return Grid(rows, columns, side, gap, top=150, left=left)


def _draw_frame(
    canvas: Image.Image, grid: Grid, plate: str, channels: Mapping[str, str], sites: Sequence[Site]
) -> None:
    pen = ImageDraw.Draw(canvas)
    pen.text((grid.left, 20), f"Plate {plate}", INK, _font(34, bold=True))
    wells = f"{len(sites)} well{'s' if len(sites) > 1 else ''}, first site of each, one brightness scale for all"
    pen.text((grid.left, 62), wells, FAINT, _font(18))
    _draw_legend(pen, (grid.left, 92), channels)
    half = grid.side // 2
    for row in grid.rows:
        pen.text((MARGIN, grid.corner(f"{row}{grid.columns[0]:02d}")[1] + half), row, FAINT, _font(20), anchor="lm")
        for column in grid.columns:
            x, y = grid.corner(f"{row}{column:02d}")
            pen.rectangle((x, y, x + grid.side - 1, y + grid.side - 1), EMPTY)
    for column in grid.columns:
        x, y = grid.corner(f"{grid.rows[0]}{column:02d}")
        pen.text((x + half, y - 6), f"{column:02d}", FAINT, _font(20), anchor="mb")


def _draw_legend(pen: ImageDraw.ImageDraw, start: Tuple[int, int], channels: Mapping[str, str]) -> None:
    x, y = start
    font = _font(18, bold=True)
    entries = [(channels[colour], TONES[colour]) for colour in TONES if colour in channels]
    entries += [("cell outline", outlined_tiles.CELL_OUTLINE), ("nucleus outline", outlined_tiles.NUCLEUS_OUTLINE)]
    for text, tone in entries:
        pen.rectangle((x, y + 4, x + 14, y + 18), tone)
        pen.text((x + 22, y), text, tone, font)
        x += 22 + int(font.getlength(text)) + 28


def _write_name(tile: Image.Image, well: str) -> None:
    pen = ImageDraw.Draw(tile)
    font = _font(max(13, min(26, tile.size[0] // 9)), bold=True)
    box = pen.textbbox((5, 3), well, font)
    pen.rectangle((0, 0, box[2] + 5, box[3] + 4), (0, 0, 0))
    pen.text((5, 3), well, INK, font)


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)


if __name__ == "__main__":
    program.run(main)

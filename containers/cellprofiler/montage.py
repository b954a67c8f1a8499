"""Show every well of a plate with the outlines of its cells and their number, in one picture.

Each well is its first site in false colours, with the same scale for all, placed as on the plate.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from PIL import Image, ImageDraw, ImageFont

import load_data
import outlined_tiles
from outlined_tiles import Site
from stagekit import contracts, program

WIDEST, NARROWEST = 3000, 760
LARGEST_TILE = 640
COUNTED = 150  # from this width on a tile has room for its number of cells
MARGIN, LEFT, TOP = 24, 58, 150
BACKGROUND, INK, FAINT, EMPTY = (20, 22, 26), (236, 238, 240), (140, 146, 154), (32, 35, 40)
WELL = re.compile(r"([A-Z]{1,2})(\d{1,2})")
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TONES = {"red": (255, 96, 96), "green": (110, 230, 110), "blue": (120, 150, 255)}


class Grid(NamedTuple):
    """Where the tiles go: by the plate's rows and columns, or closely in reading order if that were mostly empty."""

    rows: Sequence[str]
    columns: Sequence[int]
    cells: Mapping[str, tuple[int, int]]  # well: row, column in the picture
    side: int

    @property
    def gap(self) -> int:
        return 8 if self.side > 150 else 4

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left corner of a tile."""
        step = self.side + self.gap
        return LEFT + column * step, TOP + row * step

    def size(self) -> tuple[int, int]:
        """Return the picture's width and height; wide enough for the legend."""
        last = [max(place) for place in zip(*self.cells.values())]
        x, y = self.corner(last[0] + 1, last[1] + 1)
        return max(x + MARGIN, NARROWEST), y + MARGIN


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--analysis", required=True, type=Path, help="the folder of <plate>-<well>-<site> folders")
    flags.add_argument("--write_montage", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report, tempfile.TemporaryDirectory() as scratch:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        channels = outlined_tiles.choose_channels(table.channels())
        sites = outlined_tiles.sites_of(table.rows, channels, args.images, args.analysis, Path(scratch))
        if not sites:
            raise program.DataError(f"{args.analysis.name}: holds no site that {args.load_data.name} lists")
        unseen = sorted({row["Metadata_Well"] for row in table.rows} - {site.well for site in sites})
        if unseen:
            report.warn(f"{len(unseen)} wells have no measured site and are not drawn: {', '.join(unseen[:10])}")
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
    _draw_frame(canvas, grid, plate, channels)
    for site in sites:
        tile = outlined_tiles.composite(tiles[site.well], limits, grid.side)
        if not site.outlines:
            report.warn(f"well {site.well}: measure left no outlines")
        outlined_tiles.draw_outlines(tile, site.outlines)
        _write_name(tile, site)
        canvas.paste(tile, grid.corner(*grid.cells[site.well]))
    return canvas


def place(well: str) -> tuple[str, int]:
    """Return a well's row letter and column; DataError if the name is none."""
    named = WELL.fullmatch(well)
    if named is None:
        raise program.DataError(f"well {well!r}: a well is a letter and a number, as in A01")
    return named[1], int(named[2])


def layout(wells: Sequence[str]) -> Grid:
    """Return the grid of the rows and columns that hold a well."""
    rows = sorted({place(well)[0] for well in wells}, key=lambda row: (len(row), row))
    columns = sorted({place(well)[1] for well in wells})
    cells = {well: (rows.index(place(well)[0]), columns.index(place(well)[1])) for well in wells}
    wide = len(columns)
    if 2 * len(wells) < len(rows) * len(columns):
        wide = math.ceil(math.sqrt(len(wells)))
        ordered = sorted(cells, key=lambda well: cells[well])
        cells = {well: divmod(number, wide) for number, well in enumerate(ordered)}
        rows, columns = [], []
    side = min(LARGEST_TILE, (WIDEST - LEFT - MARGIN) // wide - 8)
    return Grid(rows, columns, cells, side)


def _draw_frame(canvas: Image.Image, grid: Grid, plate: str, channels: Mapping[str, str]) -> None:
    pen = ImageDraw.Draw(canvas)
    pen.text((LEFT, 20), f"Plate {plate}", INK, _font(34, bold=True))
    count = len(grid.cells)
    wells = f"{count} well{'s' if count > 1 else ''}, one site of each, one brightness scale for all"
    pen.text((LEFT, 62), wells, FAINT, _font(18))
    _draw_legend(pen, (LEFT, 92), channels)
    half, font = grid.side // 2, _font(20)
    for number, name in enumerate(grid.rows):
        pen.text((MARGIN, grid.corner(number, 0)[1] + half), name, FAINT, font, anchor="lm")
        for column in range(len(grid.columns)):
            x, y = grid.corner(number, column)
            pen.rectangle((x, y, x + grid.side - 1, y + grid.side - 1), EMPTY)
    for number, column in enumerate(grid.columns):
        x, y = grid.corner(0, number)
        pen.text((x + half, y - 6), f"{column:02d}", FAINT, font, anchor="mb")


def _draw_legend(pen: ImageDraw.ImageDraw, start: tuple[int, int], channels: Mapping[str, str]) -> None:
    x, y = start
    font = _font(18, bold=True)
    entries = [(channels[colour], TONES[colour]) for colour in TONES if colour in channels]
    entries += [("cell outline", outlined_tiles.CELL_OUTLINE), ("nucleus outline", outlined_tiles.NUCLEUS_OUTLINE)]
    for text, tone in entries:
        pen.rectangle((x, y + 4, x + 14, y + 18), tone)
        pen.text((x + 22, y), text, tone, font)
        x += 22 + int(font.getlength(text)) + 28


def _write_name(tile: Image.Image, site: Site) -> None:
    pen = ImageDraw.Draw(tile)
    font = _font(max(13, min(26, tile.size[0] // 9)), bold=True)
    text = f"{site.well}  {site.cells} cell{'' if site.cells == 1 else 's'}" if tile.size[0] > COUNTED else site.well
    box = pen.textbbox((5, 3), text, font)
    pen.rectangle((0, 0, box[2] + 5, box[3] + 4), (0, 0, 0))
    pen.text((5, 3), text, INK, font)


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)


if __name__ == "__main__":
    program.run(main)

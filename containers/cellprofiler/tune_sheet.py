"""Draw the sheet of candidates: for each some crops of the nuclei's channel, with the outlines that it finds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import images

CROP_WIDTHS = 9.0
"""A crop is as wide as so many nuclei."""
TILE = 250
GAP, MARGIN, HEAD, CAPTION = 4, 24, 96, 64
PER_ROW = 3
BACKGROUND, INK, FAINT, WARNING = (20, 22, 26), (236, 238, 240), (140, 146, 154), (255, 150, 90)
NUCLEUS, CELL = (255, 214, 90), (90, 200, 255)
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


class Panel(NamedTuple):
    """A candidate: its number, what is set, what it found on each site, and the folder with the outlines."""

    number: int
    title: str
    found: Mapping[str, Mapping[str, Any]]
    analysis: Path


def draw(plate: str, panels: Sequence[Panel], shown: Mapping[str, Path], width_px: float) -> Image.Image:
    """Return the sheet; `shown` are the images of the nuclei's channel by site."""
    side = math.ceil(math.sqrt(len(shown)))
    across = side * (TILE + GAP)
    down = math.ceil(len(shown) / side) * (TILE + GAP) + CAPTION
    lines = math.ceil(len(panels) / PER_ROW)
    size = (2 * MARGIN + PER_ROW * (across + MARGIN), HEAD + lines * (down + MARGIN))
    canvas = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, 16), f"Plate {plate}: choose by the outlines", INK, _font(30, bold=True))
    pen.text((MARGIN, 58), "left to right: a higher threshold; top to bottom: larger nuclei", FAINT, _font(18))
    _legend(pen, size[0])
    crops = {site: _Crop.of(path, width_px) for site, path in shown.items()}
    for place, panel in enumerate(panels):
        row, column = divmod(place, PER_ROW)
        corner = (MARGIN + column * (across + MARGIN), HEAD + row * (down + MARGIN))
        _caption(pen, panel, corner)
        for number, (site, crop) in enumerate(crops.items()):
            y, x = divmod(number, side)
            tile = _tile(crop, panel.analysis, site)
            canvas.paste(tile, (corner[0] + x * (TILE + GAP), corner[1] + CAPTION + y * (TILE + GAP)))
    return canvas


class _Crop(NamedTuple):
    """A part of an image: where it is (top, left, side), and its pixels as grey of 8 bits."""

    top: int
    left: int
    side: int
    grey: np.ndarray

    @classmethod
    def of(cls, path: Path, width_px: float) -> _Crop:
        pixels = images.read(path).astype(np.float32)
        side = int(min(*pixels.shape, max(32, round(CROP_WIDTHS * width_px))))
        top, left = ((length - side) // 2 for length in pixels.shape)
        low, high = np.percentile(pixels, (1, 99.7))
        level = np.sqrt(np.clip((pixels - low) / max(high - low, 1e-6), 0, 1))
        return cls(top, left, side, np.round(210 * level[top : top + side, left : left + side]).astype(np.uint8))

    def cut(self, whole: np.ndarray) -> np.ndarray:
        return whole[self.top : self.top + self.side, self.left : self.left + self.side]


def _tile(crop: _Crop, analysis: Path, site: str) -> Image.Image:
    tile = Image.fromarray(crop.grey).convert("RGB").resize((TILE, TILE), Image.Resampling.BILINEAR)
    for kind, colour in (("cell", CELL), ("nuclei", NUCLEUS)):
        for path in analysis.glob(f"*-{site}/outlines/*--{kind}_outlines.png"):
            with Image.open(path) as source:
                lines = crop.cut(np.asarray(source.convert("L"))) > 0
            cover = Image.fromarray((lines * 255).astype(np.uint8)).resize((TILE, TILE), Image.Resampling.BOX)
            strength = np.clip(np.asarray(cover, np.float32) * max(1.0, crop.side / TILE), 0, 255).astype(np.uint8)
            tile.paste(colour, (0, 0, TILE, TILE), Image.fromarray(strength))
    return tile


def _caption(pen: ImageDraw.ImageDraw, panel: Panel, corner: tuple[int, int]) -> None:
    counts = [site["nuclei"] for site in panel.found.values()]
    widths = [site["median"] for site in panel.found.values() if site["median"] is not None]
    width = f", {statistics.median(widths):.0f} px wide" if widths else ""
    pen.text(corner, f"{panel.number}", INK, _font(30, bold=True))
    pen.text((corner[0] + 44, corner[1]), panel.title, INK, _font(16, bold=True))
    pen.text((corner[0] + 44, corner[1] + 26), f"{statistics.mean(counts):.0f} nuclei a site{width}", FAINT, _font(16))


def _legend(pen: ImageDraw.ImageDraw, wide: int) -> None:
    for number, (text, tone) in enumerate((("nucleus", NUCLEUS), ("cell", CELL))):
        y = 20 + 28 * number
        pen.rectangle((wide - 130, y, wide - 116, y + 14), tone)
        pen.text((wide - 108, y - 3), text, tone, _font(18, bold=True))


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)

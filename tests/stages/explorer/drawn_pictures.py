"""Pictures of drawn cells, their outlines and their tiles: a few of each, which the wells of a drawn plate share."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX, TILE_PX, CELLS, ACROSS = 240, 48, 24, 8


def _places(active: int, number: int) -> np.ndarray:
    return np.random.default_rng(10 * number + active).integers(20, SIDE_PX - 20, (8 + 4 * active, 2))


@functools.cache
def picture(active: int, number: int, radius: int) -> bytes:
    """Return a picture of cells as JPEG; the wells of a plate share a few of them."""
    down, across = np.mgrid[:SIDE_PX, :SIDE_PX]
    light = np.random.default_rng(number).normal(12, 3, (SIDE_PX, SIDE_PX))
    for x, y in _places(active, number):
        light += 150 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * radius**2))
    return _encoded(light)


@functools.cache
def outline(active: int, number: int, radius: int) -> bytes:
    """Return circles around the cells of a picture as transparent PNG."""
    drawn = Image.new("LA", (SIDE_PX, SIDE_PX), (255, 0))
    pen = ImageDraw.Draw(drawn)
    for x, y in _places(active, number):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(255, 255))
    held = io.BytesIO()
    drawn.save(held, "PNG")
    return held.getvalue()


@functools.cache
def sheet(active: int, shift: int) -> bytes:
    """Return a sheet of tiles as JPEG."""
    down, across = np.mgrid[: CELLS // ACROSS * TILE_PX, : ACROSS * TILE_PX]
    away = (down % TILE_PX - TILE_PX / 2) ** 2 + (across % TILE_PX - TILE_PX / 2) ** 2
    return _encoded(170 * np.exp(-away / (2 * (6 + 2 * active + shift) ** 2)))


def _encoded(light: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).save(held, "JPEG", quality=80)
    return held.getvalue()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

"""Sites of drawn cells at any magnification, whose nuclei are known: how many, and how large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE_UM = 200.0
NUCLEUS_UM, CELL_UM = 24.0, 44.0  # widths
EDGE_UM = 0.8  # over which a nucleus fades
WHITE = 65535


@dataclass(frozen=True)
class Drawn:
    """A site's images by kind, from 0 to 1, and the area of each of its nuclei in pixels."""

    nuclei: np.ndarray
    cells: np.ndarray
    areas: list[int]

    def image(self, kind: str, bits: int) -> np.ndarray:
        """Return an image as a camera of so many bits records it, in a file of 8 or 16."""
        white = 2**bits - 1
        return (getattr(self, kind) * white).round().clip(0, white).astype(np.uint8 if bits <= 8 else np.uint16)


def draw(pixel_um: float, seed: int = 1, across: int = 4) -> Drawn:
    """Draw a square site with across x across cells, each nucleus whole: oblong, uneven inside, at a jittered place."""
    random = np.random.default_rng(seed)
    size = round(SIDE_UM / pixel_um)
    y, x = np.mgrid[:size, :size] * pixel_um
    nuclei, cells, areas = np.zeros((size, size)), np.zeros((size, size)), []
    chromatin = _chromatin(size, pixel_um, random)
    step = SIDE_UM / across
    for number in range(across**2):
        top, left = (number // across + 0.5) * step, (number % across + 0.5) * step
        top, left = (place + random.uniform(-0.1, 0.1) * step for place in (top, left))
        turn, width = random.uniform(0, np.pi), NUCLEUS_UM * random.uniform(0.85, 1.15)
        along = (x - left) * np.cos(turn) + (y - top) * np.sin(turn)
        over = (y - top) * np.cos(turn) - (x - left) * np.sin(turn)
        angle, phase = np.arctan2(over, along), random.uniform(0, 6, 2)
        lobes = 1 + 0.07 * np.sin(3 * angle + phase[0]) + 0.05 * np.sin(5 * angle + phase[1])
        radius = np.hypot(along / 1.15, over * 1.15) / (width / 2) / lobes
        nuclei += 0.1 * chromatin * np.clip((1 - radius) * width / 2 / EDGE_UM + 0.5, 0, 1)
        cells += 0.05 * np.clip(1.5 - np.hypot(x - left, y - top) / (CELL_UM / 2), 0, 1)
        areas.append(int((radius < 1).sum()))
    noise = 0.0004 * random.standard_normal((2, size, size))
    return Drawn(0.003 + nuclei + noise[0], 0.003 + np.maximum(cells, 0.3 * nuclei) + noise[1], areas)


def _chromatin(size: int, pixel_um: float, random: np.random.Generator) -> np.ndarray:
    """Return a random map around 1 whose spots are some micrometres wide at any magnification."""
    across = int(SIDE_UM / 3)
    coarse = random.uniform(0.3, 1.7, (across + 2, across + 2))
    at = np.linspace(0, across, size)
    whole, part = at.astype(int), at % 1
    rows = coarse[whole] * (1 - part)[:, None] + coarse[whole + 1] * part[:, None]
    return rows[:, whole] * (1 - part) + rows[:, whole + 1] * part

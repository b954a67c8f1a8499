"""Crops of a well's cells, sampled, on one sheet a channel, and what is known of each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scripts
import site_cells
import site_images
from pictures import Scale
from PIL import Image
from site_cells import Cells, Controls
from site_images import Site

COLUMNS = 6
"""Of a sheet."""


@dataclass(frozen=True)
class Gallery:
    """How galleries are made: cells a well, the side of a crop in pixels, the seed, and the quality of the JPEG."""

    cells: int
    size_px: int
    seed: int
    quality: int
    features: Sequence[str]
    scales: Mapping[str, Scale]
    controls: Controls

    def write(self, plate: str, sites: Sequence[Site], folder: Path) -> int:
        """Write a well's sheets, and the script that says what is on them; return the number of cells."""
        well = sites[0].well
        tables = {site.number: site_cells.read(site, self.features) for site in sites}
        chosen = sample(tables, self.cells, self.seed, well)
        sheets = {}
        for channel, scale in self.scales.items():
            crops = self._crops(channel, scale, sites, chosen, tables)
            sheets[channel] = f"{folder.name}/{well}_{channel}.jpg"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sheet(crops, self.size_px)).save(folder.parent / sheets[channel], quality=self.quality)
        told = self._told(chosen, tables)
        scripts.write(folder / f"{well}.js", f"cells/{plate}/{well}", {"sheets": sheets, **told})
        return len(chosen)

    def _crops(
        self,
        channel: str,
        scale: Scale,
        sites: Sequence[Site],
        chosen: Sequence[tuple[int, int]],
        tables: Mapping[int, Cells],
    ) -> list[np.ndarray]:
        images = {site.number: scale.grey(site_images.pixels(site.images[channel])) for site in sites}
        return [crop(images[site], tables[site].centres[at], self.size_px) for site, at in chosen]

    def _told(self, chosen: Sequence[tuple[int, int]], tables: Mapping[int, Cells]) -> dict[str, Any]:
        values = np.array([tables[site].values[at] for site, at in chosen], float).reshape(-1, len(self.features))
        distances = self.controls.distance(values)
        cells = [
            {
                "site": site,
                "object": int(tables[site].objects[at]),
                "x": scripts.number(tables[site].centres[at, 0], 6),
                "y": scripts.number(tables[site].centres[at, 1], 6),
                "distance": scripts.number(distance),
            }
            for (site, at), distance in zip(chosen, distances, strict=True)
        ]
        return {"cells": cells, "values": scripts.array(values, "f32")}


def sample(tables: Mapping[int, Cells], most: int, seed: int, well: str) -> list[tuple[int, int]]:
    """Return which cells of a well are shown: the site, and the place in its table, in the tables' order.

    All cells have the same chance. What is drawn depends on the seed, the well and its cells, and on no other well.
    """
    every = [(site, at) for site, cells in sorted(tables.items()) for at in range(len(cells.objects))]
    draw = np.random.default_rng([seed, zlib.crc32(well.encode())])
    kept = draw.choice(len(every), min(most, len(every)), replace=False) if every else np.zeros(0, int)
    return [every[at] for at in sorted(kept)]


def crop(picture: np.ndarray, centre: np.ndarray, size: int) -> np.ndarray:
    """Return the square around a point (x, y): its pixel (size // 2, size // 2) holds it; black beyond the picture."""
    left, top = (int(np.floor(value + 0.5)) - size // 2 for value in centre)
    height, width = picture.shape
    found = np.zeros((size, size), np.uint8)
    rows = slice(max(top, 0), min(top + size, height))
    columns = slice(max(left, 0), min(left + size, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        found[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = picture[rows, columns]
    return found


def sheet(crops: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return crops side by side, COLUMNS in a row; at least one row, which may be black."""
    rows = max(1, -(-len(crops) // COLUMNS))
    found = np.zeros((rows * size, COLUMNS * size), np.uint8)
    for at, each in enumerate(crops):
        row, column = divmod(at, COLUMNS)
        found[row * size : (row + 1) * size, column * size : (column + 1) * size] = each
    return found

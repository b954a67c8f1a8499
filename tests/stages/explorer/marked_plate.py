"""A plate in miniature: dark images, in which every cell is a square of a brightness of its own around its centre."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 90, 120
HALF = 4
"""A mark reaches so many pixels from its cell's centre."""
CHANNELS = ("DNA", "ER")
FEATURES = ("Cells_AreaShape_Area", "Nuclei_AreaShape_Area", "Cytoplasm_Intensity_MeanIntensity_ER")
WELLS = {"A01": "negcon", "A02": "", "B01": "negcon"}
SITES = (1, 2)
PER_SITE = 7


@dataclass(frozen=True)
class Cell:
    """A cell as its tables say it, and how bright its mark is in each channel (raw)."""

    well: str
    site: int
    number: int
    x: float
    y: float
    values: tuple[float, ...]
    bright: tuple[int, ...]


@dataclass(frozen=True)
class MarkedPlate:
    """The files of the plate, and its cells."""

    folder: Path
    name: str
    cells: Sequence[Cell]

    @classmethod
    def draw(cls, folder: Path, name: str) -> MarkedPlate:
        draw = np.random.default_rng(3)
        (folder / "images").mkdir(parents=True)
        cells = [cell for well in WELLS for site in SITES for cell in _draw_site(folder, name, well, site, draw)]
        rows = [
            {"Metadata_Plate": name, "Metadata_Well": well, "Metadata_Site": str(site)}
            | {f"FileName_Orig{channel}": f"{well}-{site}-{channel}.tiff" for channel in CHANNELS}
            for well in WELLS
            for site in SITES
        ]
        write(folder / "load_data.csv", rows)
        _write_profiles(folder, name, cells)
        return cls(folder, name, cells)

    def flags(self) -> dict[str, Any]:
        ends = ("augmented", "normalized_negcon", "normalized_feature_select_negcon_plate")
        return {
            "load_data": [self.folder / "load_data.csv"],
            "images": [self.folder / "images"],
            "analysis": [self.folder / "analysis"],
            "profiles": [self.folder / f"{self.name}_{end}.csv.gz" for end in ends],
            "sites": 2,
            "cells": 5,
            "crop_px": 20,
            "seed": 1,
            "jpeg_quality": 95,
            "pixel_um": "",
            "suspicious": "[]",
            "write_page": f"{self.name}_plate.js",
            "write_features": f"{self.name}_features.js",
            "write_images": "images",
            "write_outlines": "outlines",
            "write_cells": "cells",
        }

    def cell(self, well: str, site: int, number: int) -> Cell:
        (found,) = [each for each in self.cells if (each.well, each.site, each.number) == (well, site, number)]
        return found


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table, packed if its name says so."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _draw_site(folder: Path, plate: str, well: str, site: int, draw: np.random.Generator) -> list[Cell]:
    images = {channel: draw.integers(100, 120, (HEIGHT, WIDTH)).astype(np.uint16) for channel in CHANNELS}
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    cells = []
    # Not in the order of their places, and with gaps: the number is no row.
    for at, number in enumerate(draw.permutation(np.arange(1, 20))[:PER_SITE]):
        x, y = 12.3 + 15.4 * at + draw.uniform(-1, 1), draw.uniform(1, HEIGHT - 2)
        bright = tuple(int(value) for value in draw.integers(1500, 4000, len(CHANNELS)))
        column, row = round(x), round(y)
        top, left = max(row - HALF, 0), max(column - HALF, 0)
        for channel, value in zip(CHANNELS, bright, strict=True):
            images[channel][top : row + HALF + 1, left : column + HALF + 1] = value
        lines[top : row + HALF + 1, left : column + HALF + 1] = 255
        values = tuple(float(value) for value in draw.normal(100, 10, len(FEATURES)))
        cells.append(Cell(well, site, int(number), x, y, values, bright))
    for channel, image in images.items():
        tifffile.imwrite(folder / "images" / f"{well}-{site}-{channel}.tiff", image, compression="lzw")
    _write_measured(folder / "analysis" / f"{plate}-{well}-{site}", f"{well}_s{site}", cells, lines)
    return cells


def _write_measured(folder: Path, name: str, cells: Sequence[Cell], lines: np.ndarray) -> None:
    (folder / "outlines").mkdir(parents=True)
    edges = lines.copy()
    edges[1:-1, 1:-1][
        (lines[:-2, 1:-1] > 0) & (lines[2:, 1:-1] > 0) & (lines[1:-1, :-2] > 0) & (lines[1:-1, 2:] > 0)
    ] = 0
    for kind in ("cell", "nuclei"):
        Image.fromarray(edges).save(folder / "outlines" / f"{name}--{kind}_outlines.png")
    # A nucleus has another number than its cell, and the tables another order, as where objects were discarded.
    other = {cell.number: 100 - cell.number for cell in cells}
    write(
        folder / "Cells.csv",
        [
            {
                "ImageNumber": 1,
                "ObjectNumber": cell.number,
                "AreaShape_Area": cell.values[0],
                "Location_Center_X": cell.x,
                "Location_Center_Y": cell.y,
                "Parent_Nuclei": float(other[cell.number]),
            }
            for cell in cells
        ],
    )
    nuclei = [{"ObjectNumber": other[cell.number], "AreaShape_Area": cell.values[1]} for cell in cells]
    write(folder / "Nuclei.csv", nuclei[::-1])
    cytoplasm = [
        {"ObjectNumber": at, "Parent_Cells": cell.number, "Intensity_MeanIntensity_ER": cell.values[2]}
        for at, cell in enumerate(reversed(cells), 1)
    ]
    write(folder / "Cytoplasm.csv", cytoplasm)


def _write_profiles(folder: Path, plate: str, cells: Sequence[Cell]) -> None:
    rows = []
    for well, control in WELLS.items():
        own = np.array([cell.values for cell in cells if cell.well == well])
        metadata = {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_broad_sample": f"BRD-{well}"}
        metadata |= {"Metadata_control_type": control, "Metadata_Object_Count": len(own)}
        rows.append(metadata | dict(zip(FEATURES, own.mean(axis=0), strict=True)))
    for end in ("augmented", "normalized_negcon", "normalized_feature_select_negcon_plate"):
        write(folder / f"{plate}_{end}.csv.gz", rows)

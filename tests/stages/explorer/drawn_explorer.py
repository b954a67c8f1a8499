"""The folder of a drawn batch, in the form that the plate explorer's page reads: plates of any size, with pictures.

Half of the wells that are no control hold a compound that is active: its cells are larger, so that what the page says
of a well can be compared with what was drawn.
"""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.stages.explorer.drawn_pictures import ACROSS, CELLS, SIDE_PX, TILE_PX, outline, picture, put, sheet

EVIL = "</script><img src=x onerror='window.broken=1'>\"&'"
"""A word that would run, were it not escaped."""
PAGE = Path(__file__).resolve().parents[3] / "containers" / "explorer" / "page"
CHANNELS = {"DNA": "#3b6cff", "ER": "#2ec27e", "RNA": "#e5c700", "AGP": "#ff7a1a", "Mito": "#e0218a"}
MISSING = -32768
NEAREST = 10


def script(path: Path, name: str, value: object) -> None:
    """Write a value as the script that hands it to the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, allow_nan=False).replace("<", "\\u003c")
    path.write_text(f"explorer.add({json.dumps(name)},{text});\n", encoding="utf-8")


def packed(kind: str, numbers: np.ndarray) -> dict[str, str]:
    """Return an array of numbers as the page reads it: little endian, in base64."""
    form = {"f32": "<f4", "u32": "<u4", "u16": "<u2", "i16": "<i2", "u8": "u1"}[kind]
    return {"type": kind, "base64": base64.b64encode(np.ascontiguousarray(numbers, form).tobytes()).decode()}


def feature_names(count: int) -> list[str]:
    """Return names as CellProfiler gives them: size and shape, intensity, texture and correlation."""
    names = [f"{part}_AreaShape_{what}" for part in ("Cells", "Nuclei") for what in ("Area", "Eccentricity")]
    for part in ("Cells", "Nuclei", "Cytoplasm"):
        names.append(f"{part}_Correlation_Correlation_DNA_ER")
        for channel in CHANNELS:
            names.append(f"{part}_Intensity_MeanIntensity_{channel}")
    number = 0
    while len(names) < count:
        part, channel = ("Cells", "Nuclei", "Cytoplasm")[number % 3], list(CHANNELS)[number // 3 % 5]
        family = ("Texture", "Granularity", "RadialDistribution")[number // 15 % 3]
        names.append(f"{part}_{family}_Measure{number}_{channel}")
        number += 1
    return names[:count]


def described(name: str) -> dict[str, Any]:
    """Return what the page shows of a feature's name."""
    part, family = name.split("_")[:2]
    channels = [channel for channel in CHANNELS if name.endswith(f"_{channel}") or f"_{channel}_" in name]
    said = "how alike two channels are" if family == "Correlation" else f"the {family.lower()} as drawn"
    return {
        "compartment": part,
        "family": family,
        "channel": channels if len(channels) > 1 else channels[0] if channels else None,
        "unit": "px2" if name.endswith("Area") else None,
        "sentence": f"{name.split('_', 2)[2].replace('_', ' ')} of the {part.lower()}: {said}.",
    }


@dataclass
class DrawnExplorer:
    """A batch of drawn plates; wells of the first and last column are negative controls."""

    plates: int = 2
    rows: int = 4
    columns: int = 6
    features: int = 200
    points: int | None = None
    """Points of the map; more than there are wells are drawn as wells of plates that have no folder."""
    sites: int = 2
    word: str = ""
    """Stands in every name that comes from a user's tables."""
    pictures: bool = True
    cells: bool = True
    seed: int = 7
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = feature_names(self.features)

    def write(self, folder: Path) -> Path:
        """Write the whole folder; return the path of its index.html."""
        shutil.copytree(PAGE, folder, dirs_exist_ok=True)
        random = np.random.default_rng(self.seed)
        names = [f"P{number + 1}{'&' if self.word else ''}" for number in range(self.plates)]
        script(folder / "batch.js", "batch", self._batch(names))
        script(folder / "features.js", "features", {name: described(name) for name in self.names})
        script(folder / "map.js", "map", self._map(names, random))
        for number, name in enumerate(names):
            self._plate(folder / "plates" / name, number, name, random)
        return folder / "index.html"

    @property
    def wells(self) -> list[str]:
        """The wells of every plate, row by row."""
        letters = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *(f"A{letter}" for letter in "ABCDEF")]
        return [f"{letters[row]}{column + 1:02d}" for row in range(self.rows) for column in range(self.columns)]

    def perturbation(self, index: int) -> int:
        """Return the number of the perturbation of a well: 0 is the control; odd ones are active."""
        column = index % self.columns
        return 0 if column in (0, self.columns - 1) else 1 + index % max(2, self.rows * self.columns // 4)

    def metadata(self, index: int) -> dict[str, Any]:
        """Return what the layout says of a well."""
        number = self.perturbation(index)
        return {
            "broad_sample": f"compound {number}{self.word}" if number else f"DMSO{self.word}",
            "control_type": "" if number else "negcon",
            "dose_um": [0.1, 1.0, 10.0][index % 3] if number else None,
        }

    def _batch(self, plates: list[str]) -> dict[str, Any]:
        flag = {"what": f"Few cells in one well{self.word}", "well": "A02", "do": "Look at its pictures."}
        return {
            "batch": f"2026_12_Drawn{self.word}",
            "made": {"version": None},
            "report": None,
            "channels": [{"name": name, "color": color} for name, color in CHANNELS.items()],
            "objects": ["nuclei", "cells"] if self.pictures else [],
            "pixel_um": 0.65,
            "metadata": ["broad_sample", "control_type", "dose_um"],
            "quality": ["count_cells", "blur"],
            "perturbation": "broad_sample",
            "dose": "dose_um",
            "plates": [
                {
                    "plate": name, "folder": f"plates/{name}", "rows": self.rows, "columns": self.columns,
                    "wells": self.rows * self.columns, "flags": [flag] if number == 0 else [],
                    "summary": {"cells_per_site": 80.5 + number} | {f"blur_{channel}": -3.1234 for channel in CHANNELS},
                }
                for number, name in enumerate(plates)
            ],
            "map": {"points": self._points, "method": "umap", "seed": 1, "note": f"Of {self.features} drawn features."},
        }  # fmt: skip

    @property
    def _points(self) -> int:
        return self.points or self.plates * len(self.wells)

    def _map(self, plates: list[str], random: np.random.Generator) -> dict[str, Any]:
        here, count = self.plates * len(self.wells), self._points
        index = np.arange(count) % len(self.wells)
        number = np.array([self.perturbation(each) for each in range(len(self.wells))])[index]
        angle = number * 2.399963
        x, y = (np.sqrt(number + 1) * turn(angle) + random.normal(0, 0.25, count) for turn in (np.cos, np.sin))
        order = np.argsort(number, kind="stable")
        place = np.argsort(order)
        nearest = np.stack([order[(place + step) % count] for step in range(1, NEAREST + 1)], axis=1)
        likeness = np.tile(np.linspace(0.95, 0.4, NEAREST), (count, 1))
        columns = {}
        for column in ("broad_sample", "control_type", "dose_um"):
            values = [self.metadata(int(each))[column] for each in range(len(self.wells))]
            kinds = sorted({"" if value is None else str(value) for value in values})
            codes = np.array([kinds.index("" if value is None else str(value)) for value in values])[index]
            columns[column] = {"values": kinds, "codes": packed("u16", codes)}
        kinds = columns["broad_sample"]["values"]
        k = min(NEAREST, len(kinds) - 1)
        other = np.stack([(np.arange(len(kinds)) + step) % len(kinds) for step in range(1, k + 1)], axis=1)
        return (
            {
                "x": packed("f32", x),
                "y": packed("f32", y),
                "plate": packed("u16", np.minimum(np.arange(count) // len(self.wells), self.plates - 1)),
                "well": [self.wells[each] for each in index],
                "metadata": columns,
                "nearest": {"k": NEAREST, "point": packed("u32", nearest), "similarity": packed("f32", likeness)},
                "perturbation": {
                    "column": "broad_sample",
                    "names": kinds,
                    "nearest": {
                        "k": k,
                        "point": packed("u32", other),
                        "similarity": packed("f32", np.tile(np.linspace(0.9, 0.3, k), (len(kinds), 1))),
                    },
                },
            }
            if here
            else {}
        )

    def _plate(self, folder: Path, number: int, name: str, random: np.random.Generator) -> None:
        wells, values = [], random.normal(0, 1, (len(self.wells), self.features))
        for index, well in enumerate(self.wells):
            kind = self.perturbation(index)
            values[index, kind::7] += 6.0 * (kind % 2)
            wells.append(self._well(folder, index, well, random))
        values[3, :5] = np.nan
        script(
            folder / f"{name}_plate.js",
            f"plate/{name}",
            {
                "wells": wells,
                "channels": list(CHANNELS) if self.pictures else [],
                "objects": ["nuclei", "cells"] if self.pictures else [],
                "features": self.names,
                "controls": [well for index, well in enumerate(self.wells) if not self.perturbation(index)],
                "cells": self._about_cells() if self.cells else None,
                "brightness": {channel: {"low": 100, "high": 5300} for channel in CHANNELS},
            },
        )
        scaled = np.where(np.isfinite(values), np.round(values * 100), MISSING)
        script(
            folder / f"{name}_features.js",
            f"features/{name}",
            {
                "wells": self.wells,
                "values": packed("i16", scaled),
                "scale": packed("f32", np.full(self.features, 0.01)),
            },
        )
        for index, well in enumerate(self.wells if self.cells else []):
            script(folder / "cells" / f"{well}.js", f"cells/{name}/{well}", self._cells(folder, index, well, random))

    def _well(self, folder: Path, index: int, well: str, random: np.random.Generator) -> dict[str, Any]:
        sites = []
        for site in range(1, self.sites + 1) if self.pictures else ():
            drawn = {"site": site, "width": SIDE_PX, "height": SIDE_PX, "pictures": {}, "outlines": {}}
            active, number = self.perturbation(index) % 2, (index + site) % 3
            for shift, channel in enumerate(CHANNELS):
                drawn["pictures"][channel] = f"images/{well}_s{site}_{channel}.jpg"
                put(folder / drawn["pictures"][channel], picture(active, number, 4 + 3 * shift))
            for radius, kind in ((6, "nuclei"), (16, "cells")):
                drawn["outlines"][kind] = f"outlines/{well}_s{site}_{kind}.png"
                put(folder / drawn["outlines"][kind], outline(active, number, radius))
            sites.append(drawn)
        blur = None if index == 3 else round(float(random.normal(0.1, 0.02)), 4)
        return {
            "well": well, "row": index // self.columns + 1, "column": index % self.columns + 1,
            "metadata": self.metadata(index), "quality": {"count_cells": int(60 + 5 * (index % 9)), "blur": blur},
            "flags": [f"Few cells{self.word}"] if index == 1 else [], "sites": sites,
        }  # fmt: skip

    def _cells(self, folder: Path, index: int, well: str, random: np.random.Generator) -> dict[str, Any]:
        active = self.perturbation(index) % 2
        areas = random.normal(1200 + 900 * active, 200, CELLS)
        for shift, channel in enumerate(CHANNELS):
            put(folder / "cells" / f"{well}_{channel}.jpg", sheet(active, shift))
        cells = [
            {
                "site": 1 + number % self.sites, "object": number + 1, "x": 20.0 + number, "y": 30.0 + number,
                "distance": round(abs(float(area) - 1200) / 200, 3),
            }
            for number, area in enumerate(areas)
        ]  # fmt: skip
        values = np.stack([areas, areas / 4], axis=1)
        values[5, 1] = np.nan
        sheets = {channel: f"cells/{well}_{channel}.jpg" for channel in CHANNELS}
        return {"sheets": sheets, "cells": cells, "values": packed("f32", values)}

    def _about_cells(self) -> dict[str, Any]:
        return {
            "size_px": TILE_PX, "columns": ACROSS, "features": ["Cells_AreaShape_Area", "Nuclei_AreaShape_Area"],
            "wells": self.wells, "distance": "how far a cell's area lies from the controls', in standard deviations",
        }  # fmt: skip

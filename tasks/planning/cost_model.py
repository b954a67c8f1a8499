"""What the stages of a plate will cost, from its size alone: bytes of results and core-seconds (data/costs.toml)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tasks.dataset.layout import REPOSITORY
from tasks.errors import DefinitionError, unknown

COSTS = REPOSITORY / "data" / "costs.toml"


@dataclass(frozen=True)
class PlateSize:
    """How large a plate is; `here` says whether its images lie under the data root already."""

    images: int
    image_bytes: int
    sites: int
    wells: int
    channels: int
    height_pixels: int
    width_pixels: int
    cells_per_site: float
    here: bool
    shown_sites: int = 1
    """How many sites a well the explorer shows."""
    shown_cells: int = 24
    """How many cells of a well it samples, and the side of their pictures."""
    crop_px: int = 96

    @property
    def features(self) -> int:
        """Return the features of the single-cell tables, by our own pipeline."""
        each = _costs()["features"]
        pairs = self.channels * (self.channels - 1) // 2
        return int(each["constant"] + each["channel"] * self.channels + each["pair"] * pairs)

    def quantities(self) -> dict[str, float]:
        """Return what costs are given in."""
        pixels = self.height_pixels * self.width_pixels
        cells = self.sites * self.cells_per_site
        return {
            "image": self.images,
            "megapixel": self.images * pixels / 1e6,
            "site": self.sites,
            "well": self.wells,
            "channel_pixel": self.channels * pixels,
            "cell": cells,
            "cell_value": cells * self.features,
            "well_value": self.wells * self.features,
            **self._shown(pixels),
        }

    def _shown(self, pixels: int) -> dict[str, float]:
        """Return what the explorer shows: sites, their images, and the sheets of cells."""
        sites = min(self.sites, self.wells * self.shown_sites)
        sheets = self.wells * self.channels if self.shown_cells else 0
        return {
            "shown_site": sites,
            "shown_image": sites * self.channels,
            "shown_megapixel": sites * self.channels * pixels / 1e6,
            "sheet": sheets,
            "sheet_megapixel": sheets * self.shown_cells * self.crop_px**2 / 1e6,
        }


@dataclass(frozen=True)
class Cost:
    """Bytes and files that are published, core-seconds, and files that jobs read."""

    bytes: float = 0.0
    core_seconds: float = 0.0
    files: float = 0.0
    reads: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Cost)))


def of_stage(stage: str, size: PlateSize) -> Cost:
    """Return what a stage costs on a plate; raise DefinitionError if data/costs.toml does not know the stage."""
    costs = _costs()
    if stage not in costs:
        raise DefinitionError(unknown("stage", stage, costs, str(COSTS)))
    quantities = size.quantities()
    parts = {
        each.name: sum(times * quantities[name] for name, times in costs[stage].get(each.name, {}).items())
        for each in fields(Cost)
    }
    return Cost(**parts)


def of_measuring(size: PlateSize, engine: str, audited: int) -> Cost:
    """Return what `measure` costs with an engine; of `audited` sites, what stock takes beside fast."""
    fast, stock = of_stage("measure", size), of_stage("measure_by_stock", size)
    if engine == "stock":
        return replace(fast, core_seconds=stock.core_seconds)
    return fast + Cost(core_seconds=stock.core_seconds * min(audited, size.sites) / size.sites)


def of_requests(cost: Cost, jobs: int) -> tuple[float, float]:
    """Return how many PUT and GET requests to S3 so much takes, done there in so many jobs."""
    each = _costs()["requests"]
    puts = cost.files * each["puts_a_file"] + jobs * each["puts_a_job"]
    return puts, cost.reads * each["gets_a_read"] + jobs * each["gets_a_job"]


def published_size(images: int, cells_per_site: float | None) -> PlateSize:
    """Return the size of a plate like CPJUMP1's of which only the number of images is known."""
    like = _costs()["cpjump1"]
    sites = round(images / like["channels"])
    megapixels = like["height_pixels"] * like["width_pixels"] / 1e6
    return PlateSize(
        images=images,
        image_bytes=images * like["bytes_per_image"],
        sites=sites,
        wells=min(384, sites),
        channels=like["channels"],
        height_pixels=like["height_pixels"],
        width_pixels=like["width_pixels"],
        cells_per_site=cells_per_site or like["cells_per_megapixel"] * megapixels,
        here=False,
    )


def cells_per_site(height_pixels: int, width_pixels: int) -> float:
    """Return the cells of a site at CPJUMP1's density, where nothing better is known."""
    each: float = _costs()["cpjump1"]["cells_per_megapixel"]
    return each * height_pixels * width_pixels / 1e6


@functools.cache
def _costs() -> Mapping[str, Any]:
    return tomllib.loads(COSTS.read_text(encoding="utf-8"))

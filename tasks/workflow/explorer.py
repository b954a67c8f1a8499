"""The plate explorer: a folder of pages and pictures of a batch, which a browser opens from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import luigi

from tasks.execution.specs import StageSpec
from tasks.results import manifest
from tasks.settings import settings
from tasks.settings.parameters import Whole
from tasks.settings.settings import setting
from tasks.stage_tasks.plate_set import BatchTask
from tasks.stage_tasks.stage import StageTask
from tasks.workflow.image_analysis import WITHOUT_IMAGES, Measure, images_for, load_data_of
from tasks.workflow.profiles import (
    Annotate,
    NormalizeNegcon,
    QualityControl,
    SelectFeaturesNegcon,
    SelectFeaturesNegconBatch,
    disabled,
)


def option(name: str, default: int, least: int, most: int, unit: str, description: str) -> Any:
    """Return the parameter of a number in [explorer]."""
    given = {"default": default, "least": least, "most": most, "unit": unit, "description": description}
    return setting("explorer", name, Whole, **given)


class ExplorePlate(StageTask):
    """A plate's part of the explorer; of one that starts from single cells or profiles without pictures."""

    stage = "explore_plate"
    sites = option("sites", 1, 1, 100, "sites", "how many sites of a well are shown")
    cells = option("cells", 24, 0, 1000, "cells", "how many cells of a well's shown sites are sampled")
    crop_px = option("crop_px", 96, 16, 512, "px", "the side of a cell's picture")
    seed = option("seed", 1, 0, 2**31 - 1, "", "of the sample of cells")
    jpeg_quality = option("jpeg_quality", 85, 1, 95, "", "of pictures; more is larger and finer")

    @property
    def has_images(self) -> bool:
        """Say whether the plate is shown with pictures."""
        return self.start_from not in WITHOUT_IMAGES

    def requires(self) -> list[luigi.Task]:
        profiles = [self.clone(kind) for kind in (Annotate, NormalizeNegcon, SelectFeaturesNegcon)]
        pictured = [load_data_of(self), images_for(self), self.clone(Measure)] if self.has_images else []
        return [*pictured, *profiles]

    def spec(self) -> StageSpec:
        measure: Any = self.clone(Measure)
        found = manifest.read(measure.manifest_path()) if self.has_images else None
        pixel_um = measure.known_pixel_um if self.has_images else None
        known = {
            "pixel_um": f"{pixel_um:g}" if pixel_um else "",
            "suspicious": json.dumps(found.facts.get("suspicious", []) if found else []),
        }
        absent = disabled(images=self.has_images, outlines=self.has_images, cells=self.has_images and self.cells > 0)
        return super().spec().adding(parameters=known, disabled_outputs=absent)


class Explorer(BatchTask):
    """The explorer of a batch, or of the plates named: asked for by name, or switched on in luigi.cfg."""

    stage = "explore"
    neighbours = option("neighbours", 10, 1, 100, "wells", "how many nearest wells and perturbations are named")

    def requires(self) -> list[luigi.Task]:
        judged = [] if self.start_from in WITHOUT_IMAGES else [QualityControl(**self.same_set())]
        return [*self.each(ExplorePlate), SelectFeaturesNegconBatch(**self.same_set()), *judged]

    def spec(self) -> StageSpec:
        layout, batch = settings.load().layout, str(self.batch_id)
        of_batch = self.subject == batch
        folder = layout.published(self.definition.folder if of_batch else "explorer_sets", batch, self.subject)
        up = "" if of_batch else "../../"
        known = {
            "batch": batch,
            "plates_folder": f"{up}plates",
            "report": f"{up}../../report/{batch}/{batch}_report.html",
        }
        return super().spec().adding(parameters=known, folders=dict.fromkeys(self.definition.outputs, folder))

    def run(self) -> None:
        super().run()
        if self.set_tracking_url:  # a worker gives it: luigid's page then links to the explorer
            self.set_tracking_url(self.index().resolve().as_uri())

    def index(self) -> Path:
        """Return the page to open."""
        return self.output_folder("index") / "index.html"

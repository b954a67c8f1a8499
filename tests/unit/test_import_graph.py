"""Only a plate that needs it is imported: where the stage stands in the graph, and what it is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tifffile
from luigi.task import flatten

from tasks.dataset.layout import Layout
from tasks.planning import plate_sizes
from tasks.results import manifest
from tasks.results.manifest import Manifest
from tasks.settings import settings
from tasks.workflow import pipeline
from tasks.workflow.import_images import ImportImages
from tests.unit.conftest import AddPlate, LoadSettings
from tests.unit.drawn_exports import (
    BATCH,
    PLATE,
    SHAPE,
    WELLS,
    image,
    ome_tiff,
    zarr_2,
)


def reached(task: Any) -> set[str]:
    """Return the stages that a task needs."""
    own = {task.stage} if hasattr(task, "stage") else set()
    return own.union(*(reached(each) for each in flatten(task.requires())))


def stages_of(root: Layout) -> set[str]:
    return reached(pipeline.Montage(batch_id=BATCH, plate=PLATE))


@pytest.mark.parametrize(
    ("depth", "cfg", "imports"),
    [
        (1, "", False), (1, "[images]\nz = max\n", False), (3, "[images]\nz = 2\n", False),
        (3, "[images]\nz = max\n", True), (1, "[images]\nscale = 0:4095\n", True),
    ],
    ids=["plain", "max of one", "a plane", "max", "scale"],
)  # fmt: skip
def test_plain_files_are_imported_only_where_they_become_other_images(
    depth: int, cfg: str, imports: bool, luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    for well in WELLS:
        for channel in range(2):
            for z in range(depth):
                path = exported / f"ZStep_{z + 1}" / f"P1_{well}_s1_w{channel + 1}.tif"
                path.parent.mkdir(exist_ok=True)
                tifffile.imwrite(path, image(well, 1, channel, z))
    layout = luigi_cfg(cfg)
    add_plate("--yes", "--channels", "1=DNA,2=RNA")
    listing = pipeline.LoadData(batch_id=BATCH, plate=PLATE)
    (offers,) = [each for each in listing.requires() if not isinstance(each, pipeline.Platemap)]

    assert ("import_images" in stages_of(layout)) == imports
    assert isinstance(offers, ImportImages if imports else pipeline.Images)
    assert listing.spec().parameters["image_folder"].endswith(f"imported/{PLATE}" if imports else f"{PLATE}/Images")


def test_a_stack_is_imported_by_a_stage_of_its_sites_and_the_projection_is_in_its_fingerprint(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    digests = []
    for how in ("max", "mean"):
        luigi_cfg(f"[images]\nz = {how}\n")
        if how == "max":
            ome_tiff(exported, 3)
            add_plate("--yes")
        task = ImportImages(batch_id=BATCH, plate=PLATE)
        digests.append(task.fingerprint()["parameters"])

        assert task._units() == ("A01-1", "A01-2", "B12-1", "B12-2")

    assert digests == [{"z": how, "time": "", "scale": "", "exclude": ""} for how in ("max", "mean")]


def test_an_excluded_site_is_neither_imported_nor_missed(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    ome_tiff(exported, 1)
    luigi_cfg("[preflight]\nexclude = P1:A01-2 P1:B12 P2:A01\n")
    add_plate("--yes")
    task = ImportImages(batch_id=BATCH, plate=PLATE)

    assert task._units() == ("A01-1",)
    assert task.spec().parameters["exclude"] == "A01-2,B12"
    assert pipeline.LoadData(batch_id=BATCH, plate=PLATE).spec().parameters["exclude"] == "A01-2,B12"


def test_a_site_that_could_not_be_imported_is_left_out_by_name(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    layout = luigi_cfg("")
    ome_tiff(exported, 1)
    add_plate("--yes")
    path = layout.manifest("import_images", BATCH, PLATE)
    path.parent.mkdir(parents=True)
    facts = {"quarantined": {"B12-1": "cut off"}}
    manifest.write(
        path, Manifest("import_images", BATCH, PLATE, {}, {}, {}, "", "", 0.0, facts=facts), settings.load().store
    )

    assert pipeline.LoadData(batch_id=BATCH, plate=PLATE).spec().parameters["exclude"] == "B12-1"


def test_a_plan_knows_the_size_of_a_plate_that_is_imported(
    added_to: Layout, exported: Path, add_plate: AddPlate
) -> None:
    zarr_2(exported, 1)
    add_plate("--yes")
    size = plate_sizes.size(added_to, BATCH, PLATE, None)

    assert (size.images, size.sites, size.wells, size.channels) == (8, 4, 2, 2)
    assert (size.height_pixels, size.width_pixels) == SHAPE
    assert size.image_bytes > 8 * 16 * 24

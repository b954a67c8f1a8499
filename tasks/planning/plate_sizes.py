"""How large a plate is: from its images if they lie here, else from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagekit import file_names

from tasks.dataset import catalogue, planes
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.planning import cost_model
from tasks.planning.cost_model import PlateSize
from tasks.settings import settings
from tasks.workflow import pipeline
from tasks.workflow.inputs import Images, images_of


def size(layout: Layout, batch: str, plate: str, known: catalogue.Acquisition | None) -> PlateSize:
    """Return a plate's size: from its images if they lie here, else from the catalogue."""
    given = (known.conditions if known else {}).get(catalogue.CELLS_PER_SITE, "")
    cells = float(given) if re.fullmatch(r"\d+(\.\d+)?", given) else None
    try:
        folder = _seen(batch, plate)
    except MissingInputError:
        if known is None or known.images is None:
            raise
        return cost_model.published_size(known.images, cells)
    return _laid_size(folder, batch, plate, cells)


def _seen(batch: str, plate: str) -> Path:
    """Return the folder of a plate's images, of which names and sizes are here."""
    store = settings.load().store
    store.refresh()
    for folder in Images(batch_id=batch, plate=plate).folders():
        store.look(folder)
    found = images_of(batch, plate)
    if store.linked(found):
        raise MissingInputError(f"{found}: the images of plate {plate} lie in the gallery; their sizes are not known")
    store.look(found)
    return found


def _laid_size(folder: Path, batch: str, plate: str, cells: float | None) -> PlateSize:
    files, parts = _images(folder, batch, plate)
    height, width = _pixels(files[0], batch, plate)
    return PlateSize(
        images=len(parts),
        image_bytes=sum(_bytes(path) for path in dict.fromkeys(files)),
        sites=len({(part["well"], part.get("site")) for part in parts}),
        wells=len({part["well"] for part in parts}),
        channels=len({part["channel"] for part in parts}),
        height_pixels=height,
        width_pixels=width,
        cells_per_site=cells or cost_model.cells_per_site(height, width),
        here=True,
    )


def _pixels(file: Path, batch: str, plate: str) -> tuple[int, int]:
    """Return an image's height and width: from what add-plate noted, where a plate is imported, else from the file."""
    noted = planes.size(settings.load().layout, batch, plate)
    if noted:
        return noted
    import tifffile  # here, because every other verb starts sooner without it

    height, width = tifffile.TiffFile(settings.load().store.ensure_local(file)).pages[0].shape[:2]
    return height, width


def _bytes(path: Path) -> int:
    """Return the size of a file, or of the files of an array."""
    return sum(each.stat().st_size for each in (path.rglob("*") if path.is_dir() else (path,)) if each.is_file())


def _images(folder: Path, batch: str, plate: str) -> tuple[list[Path], list[Mapping[str, Any]]]:
    """Return the images that are measured, and of each its well, site and channel: by its index, or by their names."""
    listing: Any = pipeline.LoadData
    given = listing(batch_id=batch, plate=plate)
    index = planes.index_of(settings.load().layout, batch, plate)
    if index:
        rows = planes.rows(index, given.z, given.time)
        images = {(row["well"], row["site"], row["channel"]): row for row in rows}
        return [folder / row["file"] for row in rows], list(images.values())
    pattern, ignored = re.compile(given.pattern), file_names.split(given.ignore)
    names = (path for path in folder.iterdir() if not file_names.passed_over(path.name, ignored))
    matches = [(path, match.groupdict()) for path in names if (match := pattern.fullmatch(path.name))]
    if not matches:
        raise MissingInputError(f"{folder}: no image's name has the form {pattern.pattern} ([load_data] pattern)")
    parts: list[Mapping[str, Any]] = [
        {**part, "well": part.get("well") or (part["row"], part["column"])} for _, part in matches
    ]
    return [path for path, _ in matches], parts

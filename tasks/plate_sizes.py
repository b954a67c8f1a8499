"""How large a plate is: from its images if they lie here, else from the catalogue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tasks import catalogue, estimate, pipeline, settings
from tasks.errors import MissingInputError
from tasks.estimate import PlateSize
from tasks.layout import Layout
from tasks.sources import Images, images_of
from tasks.store.s3_store import S3Store


def size(layout: Layout, batch: str, plate: str, known: catalogue.Acquisition | None) -> PlateSize:
    """Return a plate's size: from its images if they lie here, else from the catalogue."""
    given = (known.conditions if known else {}).get(catalogue.CELLS_PER_SITE, "")
    cells = float(given) if re.fullmatch(r"\d+(\.\d+)?", given) else None
    try:
        folder = _seen(batch, plate)
    except MissingInputError:
        if known is None or known.images is None:
            raise
        return estimate.published_size(known.images, cells)
    return _laid_size(folder, batch, plate, cells)


def _seen(batch: str, plate: str) -> Path:
    """Return the folder of a plate's images, of which names and sizes are here."""
    store = settings.load().store
    store.refresh()
    for folder in Images(batch_id=batch, plate=plate).folders():
        store.look(folder)
    found = images_of(batch, plate)
    if isinstance(store, S3Store) and store.linked(found):
        raise MissingInputError(f"{found}: the images of plate {plate} lie in the gallery; their sizes are not known")
    store.look(found)
    return found


def _laid_size(folder: Path, batch: str, plate: str, cells: float | None) -> PlateSize:
    import tifffile  # here, because every other verb starts sooner without it

    listing: Any = pipeline.LoadData
    pattern = re.compile(listing(batch_id=batch, plate=plate).pattern)
    files = [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    if not files:
        raise MissingInputError(f"{folder}: no image's name has the form {pattern.pattern} ([load_data] pattern)")
    parts = [pattern.fullmatch(path.name).groupdict() for path in files]  # type: ignore[union-attr]
    wells = [part.get("well") or (part["row"], part["column"]) for part in parts]
    height, width = tifffile.TiffFile(settings.load().store.here(files[0])).pages[0].shape[:2]
    return PlateSize(
        images=len(files),
        image_bytes=sum(path.stat().st_size for path in files),
        sites=len(set(zip(wells, (part["site"] for part in parts), strict=True))),
        wells=len(set(wells)),
        channels=len({part["channel"] for part in parts}),
        height_pixels=height,
        width_pixels=width,
        cells_per_site=cells or estimate.cells_per_site(height, width),
        here=True,
    )

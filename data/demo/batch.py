"""Write the demo batch, or some of its wells, on all cores."""

import io
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from data.demo import camera, cells, geometry, publish, stains
from data.demo.plan import CHANNELS, PLATES, SEED, image_name, wells
from data.demo.tables import images_folder, tables


@dataclass(frozen=True)
class WellOfPlate:
    """One well to draw, and where its images go."""

    home: Path  # <root>/<project>/<source>
    plate: str
    well: str
    seed: int = SEED

    def images(self) -> list[Path]:
        """List the well's images below `home`, by channel."""
        names = [image_name(self.well, channel) for channel in range(1, len(CHANNELS) + 1)]
        return [images_folder(self.plate) / name for name in names]


def draw(one: WellOfPlate) -> list[NDArray[np.uint16]]:
    """Draw a well's five images; they depend on the seed, the plate's name and the well's name only."""
    rng = np.random.default_rng(camera.seed_of(one.seed, one.plate, one.well))
    shared = camera.optics(one.seed, one.plate)
    drawn = cells.draw(wells()[one.well], rng)
    painted = stains.Painter(drawn, geometry.lay(drawn, rng), rng).paint()
    return [camera.expose(painted[channel], channel, one.well, shared, rng) for channel in CHANNELS]


def encode(image: NDArray[np.uint16]) -> bytes:
    """Encode an image as the microscope does: one LZW strip of 16-bit grey, without date or software."""
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        image,
        photometric="minisblack",
        compression="lzw",
        rowsperstrip=image.shape[0],
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


def write_well(one: WellOfPlate) -> dict[str, int]:
    """Draw a well, write the images that differ, and give their sizes in bytes."""
    sizes = {}
    for place, image in zip(one.images(), draw(one), strict=True):
        content = encode(image)
        publish.write(one.home / place, content)
        sizes[str(place)] = len(content)
    return sizes


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_batch(
    home: Path, plates: Sequence[str] = PLATES, only_wells: Sequence[str] = (), seed: int = SEED
) -> Iterator[tuple[int, int]]:
    """Write tables and images below `home`; yield (wells written, wells to write), from (0, n) on."""
    for place, content in tables().items():
        publish.write(home / place, content)
    recipe = publish.recipe(seed)
    sizes = publish.stamped_sizes(home, recipe)
    wanted = [WellOfPlate(home, plate, well, seed) for plate in plates for well in only_wells or wells()]
    due = [one for one in wanted if not all(publish.is_there(home, image, sizes) for image in one.images())]
    yield 0, len(due)
    if not due:
        return
    # spawn: it works beside threads, and the same way on every system.
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        for done, written in enumerate(pool.map(write_well, due), start=1):
            sizes |= written
            yield done, len(due)
    publish.stamp(home, recipe, sizes)

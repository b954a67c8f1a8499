"""Draw a plate in forms that hold several planes in a file, and run the program that imports them.

The plates are drawn by tifffile and zarr: nothing here uses what reads them.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from tasks.dataset import layout as layouts
from tasks.dataset.layout import Layout

BATCH, PLATE = "screen_1", "P1"
WELLS, SITES, CHANNELS = ("A01", "B12"), (1, 2), ("DNA", "RNA")
SHAPE = (16, 24)
FOLDER = layouts.CONTAINERS / "instruments"
Pixels = np.ndarray[Any, Any]


def image(well: str, site: int, channel: int, z: int = 0) -> Pixels:
    """Return a plane that no other is: `channel` and `z` from 0."""
    seed = WELLS.index(well) * 1000 + site * 100 + channel * 10 + z
    return np.random.default_rng(seed).integers(0, 60_000, SHAPE).astype(np.uint16)


def stack(well: str, site: int, depth: int) -> Pixels:
    """Return a site as (z, channel, height, width)."""
    return np.stack([np.stack([image(well, site, channel, z) for channel in range(2)]) for z in range(depth)])


def projected(how: str, depth: int) -> dict[tuple[str, int, str], Pixels]:
    """Return what every image is to be, by what numpy does to the whole stack."""
    does = {"": lambda planes: planes[0], "max": lambda planes: planes.max(axis=0), "2": lambda planes: planes[1]}
    does["mean"] = lambda planes: np.rint(planes.astype(float).mean(axis=0)).astype(planes.dtype)
    return {
        (well, site, name): does[how](stack(well, site, depth)[:, number])
        for well in WELLS for site in SITES for number, name in enumerate(CHANNELS)
    }  # fmt: skip


def write_tiff(path: Path, pixels: Pixels) -> None:
    """Write a plain grey TIFF."""
    tifffile.imwrite(path, pixels, photometric="minisblack")


def ome_tiff(folder: Path, depth: int) -> None:
    """Write a file a site, its wells in the names, its channels in OME-XML."""
    for well in WELLS:
        for site in SITES:
            tifffile.imwrite(
                folder / f"P1_{well}_s{site}.ome.tif", stack(well, site, depth), compression="zlib",
                metadata={"axes": "ZCYX", "Channel": {"Name": ["Hoechst", "SYTO 14"]}, "PhysicalSizeX": 0.65},
            )  # fmt: skip


def hyperstack(folder: Path, depth: int) -> None:
    """Write a file a site as ImageJ does: channels before planes, nothing compressed."""
    for well in WELLS:
        for site in SITES:
            tifffile.imwrite(
                folder / f"P1_{well}_s{site}.tif", stack(well, site, depth), imagej=True, metadata={"axes": "ZCYX"}
            )


def pages(folder: Path, depth: int) -> None:
    """Write a file a channel, in the names of an ImageXpress, a page a plane."""
    for well in WELLS:
        for site in SITES:
            for channel in range(2):
                path = folder / f"P1_{well}_s{site}_w{channel + 1}.tif"
                tifffile.imwrite(
                    path, stack(well, site, depth)[:, channel], photometric="minisblack", compression="zstd"
                )


def zarr_2(folder: Path, depth: int) -> None:
    write_zarr(folder / "P1.zarr", depth, 2)


def zarr_3(folder: Path, depth: int) -> None:
    write_zarr(folder / "P1.zarr", depth, 3)


def write_zarr(root: Path, depth: int, version: int, kind: str = "<u2") -> None:
    """Write an OME-Zarr plate, 0.4 or 0.5, wells in no order, with a smaller copy of every image."""

    def group(path: Path, **attributes: Any) -> None:
        own = attributes if version == 2 else {"ome": {"version": "0.5", **attributes}}
        zarr.open_group(path, mode="w", zarr_format=version, attributes=own)  # type: ignore[arg-type]

    wells = [{"path": f"{well[0]}/{well[1:]}", "rowIndex": ord(well[0]) - 65} for well in reversed(WELLS)]
    group(root, plate={"name": "P1", "wells": wells, "rows": [{"name": "A"}], "columns": [{"name": "01"}]})
    axes = [{"name": name} for name in "cz"] + [{"name": name, "unit": "micrometer"} for name in "yx"]
    datasets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [1, 1, size, size]}]}
        for level, size in enumerate((0.65, 1.3))
    ]
    for well in WELLS:
        at = root / well[0] / well[1:]
        group(at, well={"images": [{"path": str(site)} for site in SITES]})
        for site in SITES:
            labels = [{"label": name} for name in ("Hoechst", "SYTO 14")]
            group(at / str(site), multiscales=[{"axes": axes, "datasets": datasets}], omero={"channels": labels})
            pixels = stack(well, site, depth).swapaxes(0, 1)
            for level in range(2):
                own = pixels[..., :: level + 1, :: level + 1]
                array = zarr.create_array(
                    at / str(site) / str(level), shape=own.shape, chunks=(1, 1, 8, 16), dtype=kind,
                    zarr_format=version,  # type: ignore[arg-type]
                )  # fmt: skip
                array[:] = own


def ome_set(folder: Path) -> None:
    """Write what a program writes that has a file a channel, all described in one companion file."""
    blocks, images = "", ""
    for number, (well, site) in enumerate((well, site) for well in WELLS for site in SITES):
        blocks = ""
        for channel in range(2):
            name = f"site{number}_c{channel}.ome.tif"
            tifffile.imwrite(
                folder / name, image(well, site, channel), metadata=None, description=(
                    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
                    '<BinaryOnly MetadataFile="plate.companion.ome" UUID="urn:uuid:1"/></OME>'
                ),
            )  # fmt: skip
            blocks += f'<TiffData FirstC="{channel}" IFD="0"><UUID FileName="{name}">urn:uuid:2</UUID></TiffData>'
        images += (
            f'<Image ID="Image:{number}"><Pixels ID="P:{number}" DimensionOrder="XYZCT" Type="uint16" SizeX="24" '
            f'SizeY="16" SizeC="2" SizeZ="1" SizeT="1" PhysicalSizeX="0.5"><Channel Name="DAPI"/>'
            f'<Channel Name="SYTO"/>{blocks}</Pixels></Image>'
        )
    wells = "".join(
        f'<Well Row="{ord(well[0]) - 65}" Column="{int(well[1:]) - 1}">'
        + "".join(f'<WellSample Index="0"><ImageRef ID="Image:{2 * place + site - 1}"/></WellSample>' for site in SITES)
        + "</Well>"
        for place, well in enumerate(WELLS)
    )
    (folder / "plate.companion.ome").write_text(
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Plate ID="Plate:0" Name="P1">{wells}</Plate>{images}</OME>'
    )


FORMS: Mapping[str, tuple[Callable[[Path, int], None], tuple[str, ...]]] = {
    "OME-TIFF": (ome_tiff, ()),
    "ImageJ": (
        hyperstack,
        ("--pattern", r"(?P<plate>P1)_(?P<well>[A-Z]\d\d)_s(?P<site>\d)\.tif", "--channels", "1=DNA,2=RNA"),
    ),
    "pages": (pages, ("--channels", "1=DNA,2=RNA")),
    "OME-Zarr 0.4": (zarr_2, ()),
    "OME-Zarr 0.5": (zarr_3, ()),
}


class Done:
    """How the program ended, and what it left."""

    def __init__(self, code: int, said: str, out: Path) -> None:
        self.code, self.said, self.images = code, said, out / "files"
        self.units = {
            each["unit"]: each["state"] for each in map(json.loads, (out / "units.jsonl").read_text().splitlines())
        }
        self.pixels = {
            (path.stem.split("_")[0], int(path.stem.split("_")[1][1:]), path.stem.split("_")[2]): tifffile.imread(path)
            for path in sorted(self.images.glob("*"))
        }


def same(made: Mapping[Any, Pixels], wanted: Mapping[Any, Pixels]) -> bool:
    return made.keys() == wanted.keys() and all(
        each.dtype == wanted[key].dtype and np.array_equal(each, wanted[key]) for key, each in made.items()
    )


def words(layout: Layout, out: Path, z: str, scale: str, shard: str, exclude: str) -> list[str]:
    """Return the command of import_images."""
    given = {
        "plate": PLATE, "images": layout.images_of(BATCH, PLATE), "planes": layout.planes(BATCH, PLATE), "z": z,
        "time": "", "scale": scale, "write_images": out / "files", "output": out, "shard": shard, "exclude": exclude,
    }  # fmt: skip
    return ["import_images.py", *(str(word) for name, value in given.items() for word in (f"--{name}", value))]


def run() -> int:
    """Run import_images here; return its exit code."""
    try:
        runpy.run_path(str(FOLDER / "import_images.py"), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    return 0

"""import_images in the environment of its own image: every form, by the libraries of the lock."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from tasks.instruments import czi
from tests.unit.drawn_exports import PLATE, WELLS, image

CZI_FILES = Path(__file__).parents[2] / "czi_files"
CONTAINERS = Path(__file__).parents[3] / "containers"
STACK = np.random.default_rng(0).integers(0, 60_000, (3, 16, 24)).astype(np.uint16)
COLUMNS = ("file", "source", "well", "site", "channel", "z", "time", "x_m", "y_m", "at")


def write(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Write the stack in every form; return channel -> file, and which part each plane is."""
    pages = ["0", "1", "2"]
    tifffile.imwrite(folder / "ome.tif", STACK, ome=True, compression="zlib", metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "imagej.tif", STACK, imagej=True)
    forms = {"OME": ("ome.tif", pages), "ImageJ": ("imagej.tif", pages)}
    for compression in ("zstd", "lzw", "lerc", "jpeg2000", "jpegxl"):
        name = f"{compression}.tif"
        exact = (
            {"level": 0}
            if compression in ("lerc", "jpeg2000")
            else {"lossless": True}
            if compression == "jpegxl"
            else {}
        )
        tifffile.imwrite(folder / name, STACK, photometric="minisblack", compression=compression, compressionargs=exact)
        forms[compression] = (name, pages)
    for version in (2, 3):
        array = zarr.create_array(
            folder / f"plate{version}/A/01/0/0", shape=(1, *STACK.shape), chunks=(1, 2, 8, 16), dtype="uint16",
            zarr_format=version,
        )  # fmt: skip
        array[0] = STACK
        forms[f"Zarr{version}"] = (f"plate{version}/A/01/0/0", ["0,0", "0,1", "0,2"])
    for path in sorted(CZI_FILES.glob("*.czi")):
        shutil.copy(path, folder)
        found = [each for each in czi.named(folder, [path.name]) if (each.site, each.channel) == (1, "1")]
        forms[path.stem.replace("_", "")] = (path.name, [each.at for each in sorted(found, key=lambda each: each.z)])
    return forms


@pytest.mark.parametrize("z", ["max", "2"])
def test_every_form_is_read_by_what_the_lock_installs(instruments_python: Path, tmp_path: Path, z: str) -> None:
    images, index, out = tmp_path / "images", tmp_path / "P1.csv", tmp_path / "out"
    images.mkdir()
    forms = write(images)
    with open(index, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for channel, (name, parts) in forms.items():
            table.writerows((name, name, "A01", 1, channel, 1 + n, 1, "", "", part) for n, part in enumerate(parts))
    flags: dict[str, Any] = {
        "plate": "P1", "images": images, "planes": index, "z": z, "time": "", "scale": "", "exclude": "",
        "write_images": out / "files", "output": out, "shard": "A01-1",
    }  # fmt: skip
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    program = str(CONTAINERS / "instruments/import_images.py")
    own = {**os.environ, "PYTHONPATH": str(CONTAINERS)}
    done = subprocess.run([instruments_python, program, *words], env=own, capture_output=True, text=True)
    stacks = {f"{PLATE}{well}": np.stack([image(well, 1, 0, n) for n in range(3)]) for well in WELLS}
    wanted = {
        channel: stack.max(axis=0) if z == "max" else stack[1]
        for channel, stack in {**dict.fromkeys(forms, STACK), **stacks}.items()
    }

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (out / "files").iterdir()} == {f"A01_s1_{channel}.tiff" for channel in forms}
    for path in (out / "files").iterdir():
        assert np.array_equal(tifffile.imread(path), wanted[path.stem.split("_")[2]]), path.name

"""A plate gives the same well profiles in whatever form an instrument exports it: from add-plate to the averages.

The forms are written by tifffile and zarr. The plain plate and one that is imported are measured; of the others the
imported images and their list are compared, for the same bytes are measured to the same numbers (test_audit.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from data.demo.plan import BATCH as DEMO
from data.demo.plan import CHANNELS, FOUR_WELLS, PLATES
from tests.integration.toolkit import Toolkit

pytestmark = pytest.mark.engine("process")

BATCH, WELLS, NAMES = "forms", FOUR_WELLS[:2], ("DNA", "RNA")
Pixels = np.ndarray[Any, Any]
Images = Mapping[str, Pixels]
"""Well -> its channels' images: (channel, height, width)."""


def stack(images: Pixels) -> Pixels:
    """Return three planes, (z, channel, height, width): each has a third of the pixels, and their max is the image."""
    places = np.indices(images.shape[-2:]).sum(axis=0) % 3
    return np.stack([np.where(places == z, images, images // 2) for z in range(3)])


def plain(folder: Path, images: Images) -> None:
    """Write a grey TIFF a channel, in the names of an ImageXpress."""
    for well, channels in images.items():
        for number, image in enumerate(channels, start=1):
            tifffile.imwrite(folder / f"plain_{well}_s1_w{number}.tif", image, compression="lzw")


def ome_tiff(folder: Path, images: Images) -> None:
    for well, channels in images.items():
        tifffile.imwrite(
            folder / f"ometiff_{well}_s1.ome.tif", stack(channels), compression="zlib",
            metadata={"axes": "ZCYX", "Channel": {"Name": list(NAMES)}},
        )  # fmt: skip


def hyperstack(folder: Path, images: Images) -> None:
    for well, channels in images.items():
        tifffile.imwrite(folder / f"imagej_{well}.tif", stack(channels), imagej=True, metadata={"axes": "ZCYX"})


def ome_zarr(folder: Path, images: Images) -> None:
    """Write an OME-Zarr 0.5 plate."""

    def group(path: Path, **attributes: Any) -> None:
        zarr.open_group(path, mode="w", zarr_format=3, attributes={"ome": {"version": "0.5", **attributes}})

    root = folder / "omezarr.zarr"
    group(root, plate={"name": "omezarr", "wells": [{"path": f"{well[0]}/{well[1:]}"} for well in images]})
    axes = [{"name": name} for name in "zcyx"]
    for well, channels in images.items():
        at = root / well[0] / well[1:]
        group(at, well={"images": [{"path": "1"}]})
        scales = {"axes": axes, "datasets": [{"path": "0"}]}
        group(at / "1", multiscales=[scales], omero={"channels": [{"label": name} for name in NAMES]})
        zarr.create_array(at / "1/0", data=stack(channels), chunks=(1, 1, 256, 256), zarr_format=3)


FORMS: Mapping[str, tuple[Callable[[Path, Images], None], tuple[str, ...]]] = {
    "plain": (plain, ("--channels", "1=DNA,2=RNA")),
    "ometiff": (ome_tiff, ()),
    "imagej": (hyperstack, ("--pattern", r"(?P<plate>imagej)_(?P<well>[A-Z]\d\d)\.tif", "--channels", "1=DNA,2=RNA")),
    "omezarr": (ome_zarr, ()),
}
MEASURED, IMPORTED = ("plain", "ometiff"), ("ometiff", "imagej", "omezarr")


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolkit]:
    """Add two wells of the demo in every form; measure two of the plates, import and list the others."""
    drawn = Toolkit(tmp_path_factory.mktemp("drawn"), "process")
    drawn.draw(PLATES[0], ",".join(WELLS))
    images: dict[str, dict[str, Pixels]] = {well: {} for well in WELLS}
    for path in drawn.images(DEMO, PLATES[0]).iterdir():
        row, column, number = (int(part) for part in re.findall(r"r(\d+)c(\d+)f.*-ch(\d+)", path.name)[0])
        images[f"{chr(64 + row)}{column:02d}"][CHANNELS[number - 1]] = tifffile.imread(path)
    pixels = {well: np.stack([own[name] for name in NAMES]) for well, own in images.items()}
    made = Toolkit(tmp_path_factory.mktemp("forms"), "process", {"images": {"z": "max"}})
    for form, (write, flags) in FORMS.items():
        export = made.folder / "exports" / form
        export.mkdir(parents=True)
        write(export, pixels)
        added = made.tasks("add-plate", str(export), "--batch-id", BATCH, "--yes", *flags)
        assert added.returncode == 0, added.stdout + added.stderr
        done = made.luigi("Aggregate" if form in MEASURED else "LoadData", "--batch-id", BATCH, "--plate", form)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    yield made


def test_a_plate_whose_planes_are_projected_has_the_profiles_of_the_plain_one(forms: Toolkit) -> None:
    averages = [forms.profiles(plate, "", BATCH).drop(columns="Metadata_Plate") for plate in MEASURED]

    assert list(averages[0].Metadata_Well) == sorted(WELLS)
    assert averages[0].shape[1] > 1000
    pd.testing.assert_frame_equal(*averages, check_exact=True)


@pytest.mark.parametrize("form", IMPORTED[1:])
def test_other_forms_become_the_same_images_and_the_same_list(form: str, forms: Toolkit) -> None:
    folders = [forms.dataset / "images" / BATCH / "imported" / plate for plate in (IMPORTED[0], form)]
    lists = [
        forms.dataset / "workspace/load_data_csv" / BATCH / plate / "load_data.csv" for plate in (IMPORTED[0], form)
    ]
    own, other = ({path.name: path.read_bytes() for path in folder.glob("*.tiff")} for folder in folders)

    assert len(own) == len(WELLS) * len(NAMES)
    assert own == other
    assert lists[0].read_text().replace(IMPORTED[0], form) == lists[1].read_text()

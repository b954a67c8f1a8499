"""The contact sheet shows one site, a channel beside the other."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tasks.commands import contact_sheet
from tasks.commands.added import Added
from tasks.dataset.layout import Layout
from tasks.instruments.plate import FoundPlate
from tasks.instruments.reader import Plane, Told
from tests.unit.conftest import AddPlate
from tests.unit.drawn_exports import BATCH, PLATE, hyperstack, ome_tiff, pages, zarr_2


def sheet(layout: Layout) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(layout.planes(BATCH, PLATE).with_suffix(".png").read_bytes())))


def test_it_shows_every_channel_of_a_site_between_black_and_white(
    added_to: Layout, exported: Path, add_plate: AddPlate
) -> None:
    left, right = np.zeros((600, 800), np.uint16), np.full((600, 800), 7000, np.uint16)
    left[:, 400:], right[:300] = 5000, 200
    tifffile.imwrite(exported / "P1_A01_s1_w1.tif", left)
    tifffile.imwrite(exported / "P1_A01_s1_w2.tif", right)
    code, printed, _ = add_plate("--yes", "--channels", "1=DNA,2=RNA")
    picture = sheet(added_to)

    assert code == 0
    assert f"{added_to.planes(BATCH, PLATE).with_suffix('.png')}: A01, site 1, plane 1: DNA | RNA" in printed
    assert picture.shape == (150, 200 + 4 + 200)
    assert np.array_equal(picture[:, :200], np.where(np.arange(200) < 100, 0, 255) * np.ones((150, 1)))
    assert np.array_equal(picture[:, 204:], np.where(np.arange(150) < 75, 0, 255)[:, None] * np.ones((1, 200)))


@pytest.mark.parametrize("form", [ome_tiff, hyperstack, pages])
def test_it_shows_the_middle_plane_of_a_stack(form, added_to: Layout, exported: Path, add_plate: AddPlate) -> None:
    form(exported, 3)
    pattern = ["--pattern", r"(?P<plate>P1)_(?P<well>[A-Z]\d\d)_s(?P<site>\d)\.tif"] if form is hyperstack else []
    _, printed, _ = add_plate("--yes", "--channels", "1=DNA,2=RNA", *pattern)

    assert "B12, site 1, plane 2: DNA | RNA" in printed
    assert sheet(added_to).shape == (16, 24 + 4 + 24)


def test_without_a_sheet_the_plate_is_added_and_why_is_said(
    added_to: Layout, exported: Path, add_plate: AddPlate
) -> None:
    zarr_2(exported, 1)
    code, printed, _ = add_plate("--yes")

    assert code == 0
    assert "no contact sheet: other images than TIFF are read by the stage import_images only" in printed
    assert not added_to.planes(BATCH, PLATE).with_suffix(".png").exists()


def test_a_site_of_a_large_plate_is_chosen_without_listing_its_channels_for_every_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planes = [Plane("x.tif", f"A{well:02d}", 1, channel) for well in range(1, 25) for channel in "12"]
    asked: list[FoundPlate] = []
    monkeypatch.setattr(FoundPlate, "channels", property(lambda found: asked.append(found) or ["1", "2"]))
    large = Added("P1", FoundPlate("P1", Path(), tuple(planes), Told(), {}, {}, (), ()), {"1": "DNA", "2": "RNA"}, [])

    assert [plane.well for plane in contact_sheet.chosen(large)] == ["A13", "A13"]
    assert len(asked) == 1

"""What the explorer shows of a plate is what lies there: pictures, outlines, crops and values, by planted marks."""

from __future__ import annotations

import base64
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.stages.explorer.conftest import Outcome, Shown
from tests.stages.explorer.marked_plate import CHANNELS, FEATURES, HALF, HEIGHT, WELLS, WIDTH, MarkedPlate, write

Explored = Callable[..., Outcome]
KINDS = {"f32": "<f4", "i16": "<i2", "u16": "<u2", "u32": "<u4"}
NEAR = 6
"""Of 255: a JPEG of quality 95 keeps a flat square as near as this."""


def numbers(told: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(told["base64"]), KINDS[told["type"]])


def grey(raw: float, scale: dict[str, int]) -> float:
    """Return how bright a raw value is shown, by the scale that the page tells."""
    return 255 * min(max((raw - scale["low"]) / (scale["high"] - scale["low"]), 0), 1)


def test_a_crop_shows_the_cell_whose_row_stands_beside_it(shown: Shown) -> None:
    plate, done = shown
    page = done.script("P1_plate.js")
    size, columns = page["cells"]["size_px"], page["cells"]["columns"]

    for well in WELLS:
        told = done.script(f"cells/{well}.js")
        assert len(told["cells"]) == 5
        for channel in CHANNELS:
            sheet = np.asarray(Image.open(done.folder / told["sheets"][channel]))
            for at, cell in enumerate(told["cells"]):
                planted = plate.cell(well, cell["site"], cell["object"])
                row, column = at // columns * size + size // 2, at % columns * size + size // 2
                expected = grey(planted.bright[CHANNELS.index(channel)], page["brightness"][channel])
                assert (cell["x"], cell["y"]) == pytest.approx((planted.x, planted.y), abs=1e-3)
                mark = sheet[row - 1 : row + 2, column - 1 : column + 2].astype(float)
                assert mark.mean() == pytest.approx(expected, abs=NEAR)
                # The mark's edges are where they were planted, to the pixel.
                left, right = max(round(planted.x) - HALF, 0), round(planted.x) + HALF
                assert sheet[row, column + right - round(planted.x)] > expected / 2
                assert sheet[row, column + right + 1 - round(planted.x)] < expected / 2
                assert sheet[row, column + left - round(planted.x)] > expected / 2
                assert sheet[row, column + left - 1 - round(planted.x)] < expected / 2


def test_the_values_beside_a_crop_are_those_of_its_cell_nucleus_and_cytoplasm(shown: Shown) -> None:
    plate, done = shown
    page = done.script("P1_plate.js")

    assert page["cells"]["features"] == list(FEATURES)
    for well in WELLS:
        told = done.script(f"cells/{well}.js")
        values = numbers(told["values"]).reshape(len(told["cells"]), -1)
        planted = [plate.cell(well, cell["site"], cell["object"]).values for cell in told["cells"]]
        assert values == pytest.approx(np.array(planted), rel=1e-6)


def test_the_distance_to_the_controls_is_what_a_slow_count_says(shown: Shown) -> None:
    plate, done = shown
    controls = [cell.values for cell in plate.cells if WELLS[cell.well] == "negcon"]

    for well in WELLS:
        for cell in done.script(f"cells/{well}.js")["cells"]:
            squares = []
            for at, value in enumerate(plate.cell(well, cell["site"], cell["object"]).values):
                column = sorted(values[at] for values in controls)
                middle = (column[len(column) // 2 - 1] + column[len(column) // 2]) / 2
                apart = sorted(abs(each - middle) for each in column)
                spread = 1.4826 * (apart[len(apart) // 2 - 1] + apart[len(apart) // 2]) / 2
                squares.append(min(10, abs(value - middle) / spread) ** 2)
            assert cell["distance"] == pytest.approx(math.sqrt(sum(squares) / len(squares)), rel=1e-4)


def test_pictures_and_outlines_have_every_pixel_of_the_site_in_its_place(shown: Shown) -> None:
    plate, done = shown
    page = done.script("P1_plate.js")

    for well in page["wells"]:
        assert [site["site"] for site in well["sites"]] == [1, 2]
        for site in well["sites"]:
            assert (site["width"], site["height"]) == (WIDTH, HEIGHT)
            for channel in CHANNELS:
                raw = tifffile.imread(plate.folder / "images" / f"{well['well']}-{site['site']}-{channel}.tiff")
                picture = np.asarray(Image.open(done.folder / site["pictures"][channel]))
                scale = page["brightness"][channel]
                expected = np.vectorize(lambda value, scale=scale: grey(value, scale))(raw)
                assert picture.shape == raw.shape
                assert np.abs(picture - expected).mean() < 2
            for kind, name in (("cells", "cell"), ("nuclei", "nuclei")):
                folder = plate.folder / "analysis" / f"P1-{well['well']}-{site['site']}" / "outlines"
                drawn = np.asarray(Image.open(folder / f"{well['well']}_s{site['site']}--{name}_outlines.png")) > 0
                picture = Image.open(done.folder / site["outlines"][kind]).convert("RGBA")
                assert np.array_equal(np.asarray(picture)[..., 3] == 255, drawn)
                assert np.array_equal(np.asarray(picture)[..., 3] == 0, ~drawn)


def test_outlines_surround_the_marks_that_they_are_of(shown: Shown) -> None:
    plate, done = shown
    for cell in plate.cells:
        picture = Image.open(done.folder / f"outlines/{cell.well}_s{cell.site}_cells.png").convert("RGBA")
        line = np.asarray(picture)[..., 3] > 0
        row, column = round(cell.y), round(cell.x)
        if HALF < row < HEIGHT - HALF - 1:
            assert not line[row, column]
            assert line[row - HALF, column] and line[row + HALF, column]


def test_one_scale_shows_a_channel_in_the_whole_plate_from_its_darkest_to_its_brightest(shown: Shown) -> None:
    plate, done = shown
    page = done.script("P1_plate.js")
    for channel in CHANNELS:
        files = sorted((plate.folder / "images").glob(f"*-{channel}.tiff"))
        values = np.sort(np.concatenate([tifffile.imread(path).ravel() for path in files]))
        low, high = (int(values[math.ceil(share * len(values)) - 1]) for share in (0.005, 0.998))
        assert page["brightness"][channel] == {"low": low, "high": high}


def test_a_sample_follows_its_seed_and_the_number_asked_for(plate: MarkedPlate, explored: Explored) -> None:
    def drawn(**flags: Any) -> list[tuple[int, int]]:
        told = explored(plate, **flags).script("cells/A02.js")["cells"]
        return [(cell["site"], cell["object"]) for cell in told]

    first = drawn()
    assert drawn() == first
    assert drawn(seed=2) != first
    assert len(drawn(cells=1000)) == sum(cell.well == "A02" for cell in plate.cells)
    assert {site for site, _ in drawn(sites=1, cells=1000)} == {1}


def test_profiles_are_told_to_three_thousandths_and_a_gap_is_a_gap(plate: MarkedPlate, explored: Explored) -> None:
    rows = [
        {"Metadata_Plate": "P1", "Metadata_Well": well, "Metadata_broad_sample": "B", "Metadata_control_type": ""}
        | {"Cells_AreaShape_Area": value, "Nuclei_AreaShape_Area": other}
        for well, value, other in (("A01", 2.5, ""), ("A02", -1234.5, 0.0), ("B01", 0.001, 0.0))
    ]
    write(plate.folder / "P1_normalized_negcon.csv.gz", rows)
    told = explored(plate).script("P1_features.js")
    steps = numbers(told["values"]).reshape(3, 2)

    assert told["wells"] == ["A01", "A02", "B01"]
    assert steps[:, 0] * numbers(told["scale"])[0] == pytest.approx([2.5, -100, 0.001], abs=2e-3)
    assert steps[:, 1].tolist() == [-32768, 0, 0]


def test_a_plate_without_images_has_no_pictures_and_all_its_profiles(without_pictures: Shown) -> None:
    _, done = without_pictures
    page = done.script("P2_plate.js")

    assert page["cells"] is None and page["channels"] == [] and page["objects"] == []
    assert [well["well"] for well in page["wells"]] == list(WELLS)
    assert page["wells"][0]["metadata"]["broad_sample"] == "BRD-A01"
    assert not (done.folder / "images").exists() and not (done.folder / "cells").exists()


def test_a_well_that_was_left_out_and_one_without_a_profile_say_so(plate: MarkedPlate, explored: Explored) -> None:
    shutil.rmtree(plate.folder / "analysis" / "P1-A02-1")
    shutil.rmtree(plate.folder / "analysis" / "P1-A02-2")
    table = plate.folder / "P1_augmented.csv.gz"
    write(
        table,
        [{"Metadata_Plate": "P1", "Metadata_Well": "A01", "Metadata_broad_sample": "B", "Metadata_control_type": ""}],
    )
    wells = {well["well"]: well for well in explored(plate).script("P1_plate.js")["wells"]}

    assert {*wells} == {"A01", "B01"}
    assert wells["A01"]["flags"] == []
    assert "has no profile" in wells["B01"]["flags"][0]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "images/A02-1-ER.tiff").write_bytes(b"II*"), "A02-1-ER.tiff: cannot be read"),
        (lambda folder: (folder / "analysis/P1-A02-1/Cells.csv").write_text("a\n1\n"), "P1-A02-1/Cells.csv: no table"),
        (
            lambda folder: tifffile.imwrite(folder / "images/A02-1-ER.tiff", np.zeros((4, 4), np.uint16)),
            "other channels of its site are not",
        ),
        (
            lambda folder: Image.new("L", (3, 3)).save(folder / "analysis/P1-A02-1/outlines/A02_s1--cell_outlines.png"),
            "A02_s1--cell_outlines.png: is 3 x 3",
        ),
    ],
    ids=["image", "table", "size", "outline"],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    plate: MarkedPlate, explored: Explored, spoil: Callable[[Path], Any], said: str
) -> None:
    spoil(plate.folder)
    done = explored(plate)

    assert done.code == 65
    assert said in done.stderr
    assert not (done.folder / "out/result.json").exists()

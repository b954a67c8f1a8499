"""Principal components by another way, and every feature of a real plate in words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stages.explorer import conftest  # noqa: F401  (its path to the programs)

import feature_words  # isort: skip
import galleries  # isort: skip
import pictures  # isort: skip
import similarity  # isort: skip

CHANNELS = ("DNA", "ER", "RNA", "AGP", "Mito", "HighZBF", "LowZBF", "Brightfield")


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (5, 1), (1, 4), (3, 0)], ids=str)
def test_the_plane_holds_the_first_two_principal_components(shape: tuple[int, int]) -> None:
    unit = similarity.directions(np.random.default_rng(1).normal(size=shape))
    centred = unit - unit.mean(axis=0) if unit.size else unit
    left, strengths, axes = np.linalg.svd(centred, full_matrices=False)
    found = similarity.plane(unit)

    assert found.shape == (shape[0], 2)
    for axis in range(2):
        has = axis < len(strengths) and strengths[axis] > 1e-9
        expected = left[:, axis] * strengths[axis] if has else np.zeros(shape[0])
        sign = np.sign(axes[axis][np.argmax(np.abs(axes[axis]))]) if has else 1
        assert found[:, axis] == pytest.approx(sign * expected, abs=1e-7)


def test_neighbours_do_not_depend_on_how_many_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = similarity.directions(np.random.default_rng(2).integers(0, 3, (50, 4)).astype(float))
    whole = similarity.nearest(unit, 6)
    monkeypatch.setattr(similarity, "BLOCK", 7)
    parts = similarity.nearest(unit, 6)

    assert np.allclose(whole.cosine, parts.cosine, atol=1e-6)
    assert all(row not in found for row, found in enumerate(parts.rows.tolist()))


@given(st.floats(-30, 150), st.floats(-30, 150), st.sampled_from([16, 17, 40]))
@settings(max_examples=60, deadline=None)
def test_a_crop_holds_each_pixel_of_the_picture_where_it_belongs(x: float, y: float, size: int) -> None:
    picture = (1 + np.arange(90 * 120).reshape(90, 120) % 250).astype(np.uint8)
    found = galleries.crop(picture, np.array([x, y]), size)

    for row in range(size):
        for column in range(0, size, 5):
            at = (int(np.floor(y + 0.5)) + row - size // 2, int(np.floor(x + 0.5)) + column - size // 2)
            inside = 0 <= at[0] < 90 and 0 <= at[1] < 120
            assert found[row, column] == (picture[at] if inside else 0)


def test_a_blurred_image_has_the_lower_slope() -> None:
    noise = np.random.default_rng(0).integers(0, 4000, (64, 96)).astype(np.uint16)
    blurred = noise
    for _ in range(3):
        blurred = (
            blurred // 4 + np.roll(blurred, 1, 0) // 4 + np.roll(blurred, 1, 1) // 4 + np.roll(blurred, -1, 0) // 4
        )

    assert pictures.slope(noise) == pytest.approx(0, abs=0.3)  # white noise has as much of every frequency
    assert pictures.slope(blurred) < pictures.slope(noise) - 1
    assert pictures.slope(np.full((64, 64), 7, np.uint16)) == 0


def test_pixels_are_saturated_that_have_the_cameras_greatest_value() -> None:
    channel = pictures.Channel()
    channel.add("A01", np.array([[0, 4095], [4095, 1]], np.uint16))
    channel.add("A02", np.array([[0, 4094], [3, 1]], np.uint16))
    brighter = pictures.Channel()
    brighter.add("A01", np.array([[0, 4095], [5000, 1]], np.uint16))

    assert (channel.saturated("A01"), channel.saturated("A02")) == (50.0, 0.0)
    assert brighter.saturated("A01") == 0  # the camera goes further than 4095


@pytest.mark.parametrize(
    ("name", "family", "channels", "unit", "said"),
    [
        ("Nuclei_AreaShape_Area", "AreaShape", (), "px2", "Of the nucleus: the area."),
        ("Cells_AreaShape_Zernike_4_2", "AreaShape", (), None, "moment of order 4, repetition 2"),
        ("Cells_Correlation_Pearson_X", "Correlation", (), None, "The cell: Correlation Pearson X."),
        (
            "Cells_Correlation_Manders_ER_DNA",
            "Correlation",
            ("ER", "DNA"),
            None,
            "part of ER that lies where DNA is bright",
        ),
        ("Cytoplasm_Granularity_3_Mito", "Granularity", ("Mito",), "%", "Mito in the cytoplasm is grains of size 3"),
        ("Cells_RadialDistribution_FracAtD_AGP_2of4", "RadialDistribution", ("AGP",), None, "ring 2 of 4"),
        ("Cells_Texture_Contrast_RNA_5_02_256", "Texture", ("RNA",), None, "texture of 5 px, looking upright"),
        ("Cells_Neighbors_FirstClosestDistance_5", "Neighbors", (), "px", "neighbours within 5 px"),
        (
            "Nuclei_Intensity_MeanIntensity_HighZBF",
            "Intensity",
            ("HighZBF",),
            None,
            "brightness of HighZBF in the nucleus",
        ),
        ("efficientnet_12", "Deep", (), None, "by itself it has no meaning"),
        ("Nuclei_Mystery_Thing", "Mystery", (), None, "The nucleus: Mystery Thing."),
    ],
)
def test_a_name_is_read_as_a_sentence(
    name: str, family: str, channels: tuple[str, ...], unit: str | None, said: str
) -> None:
    found = feature_words.of_feature(name, CHANNELS)

    assert (found.family, found.channels) == (family, channels)
    assert found.channel == (channels[0] if channels else None)
    assert said in found.sentence
    if unit:
        assert found.unit == unit
    assert re.fullmatch(r"[A-Z].*\.", found.sentence) and "  " not in found.sentence


def test_a_channel_whose_name_holds_another_is_not_taken_for_it() -> None:
    found = feature_words.explain(["Cells_Correlation_K_DNA_DNA_2"], ["DNA", "DNA_2"])

    assert found["Cells_Correlation_K_DNA_DNA_2"]["channels"] == ("DNA", "DNA_2")

"""CPJUMP1's published features: against a slow, obvious computation, and on the real site of DeepProfiler's tests."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.stages.deepprofiler.plate import Plate, features, profile

NETWORK = "imagenet_efficientnet_b0"
ORDER = ("DNA", "ER", "RNA", "AGP", "Mito")
PLACES = ((30.25, 90.5), (178.9, 3.0))  # x, y
NETWORK_ALONE = """
import sys
import numpy as np
import efficientnet.tfkeras as efficientnet
shown = np.load(sys.argv[2])
model = efficientnet.EfficientNetB0(input_shape=(224, 224, 3), include_top=False, weights=None, pooling="avg")
model.load_weights(sys.argv[1], by_name=True)
np.save(sys.argv[3], np.stack([model.predict(one[np.newaxis], verbose=0)[0] for one in shown]))
"""


def crop(image: np.ndarray, x: float, y: float, box: int = 96) -> np.ndarray:
    """Return the box around (x, y) with its pixels one at a time: bilinear, and 0 outside the image.

    The corners are fractions of the image; each is stretched over the image's size less one.
    """
    height, width = image.shape
    top, left = (y - box / 2) / height * (height - 1), (x - box / 2) / width * (width - 1)
    bottom, right = (y + box / 2) / height * (height - 1), (x + box / 2) / width * (width - 1)
    out = np.zeros((box, box))
    for row in range(box):
        for column in range(box):
            down, across = top + row * (bottom - top) / (box - 1), left + column * (right - left) / (box - 1)
            if 0 <= down <= height - 1 and 0 <= across <= width - 1:
                out[row, column] = between(image, down, across)
    return out


def resize(image: np.ndarray, side: int = 224) -> np.ndarray:
    """Return an image with another side: every pixel's centre falls between the old pixels' centres."""
    out, scale = np.zeros((side, side)), len(image) / side
    for row in range(side):
        for column in range(side):
            down, across = ((at + 0.5) * scale - 0.5 for at in (row, column))
            out[row, column] = between(image, max(down, 0), max(across, 0))
    return out


def between(image: np.ndarray, down: float, across: float) -> float:
    top, left = math.floor(down), math.floor(across)
    bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
    upper = image[top, left] * (1 - across + left) + image[top, right] * (across - left)
    lower = image[bottom, left] * (1 - across + left) + image[bottom, right] * (across - left)
    return upper * (1 - down + top) + lower * (down - top)


def scaled(image: np.ndarray, least: float = 0.0, most: float = 1.0) -> np.ndarray:
    return least + (image - image.min()) / (image.max() - image.min()) * (most - least)


@pytest.fixture(scope="module")
def juts_out(tmp_path_factory: pytest.TempPathFactory) -> Plate:
    """A plate with two cells, of which the second juts out of the image."""
    plate = Plate(tmp_path_factory.mktemp("two") / "plate")
    plate.draw(["A01-1"], cells=2)
    plate.locate("A01-1", [[repr(x), repr(y)] for x, y in PLACES])
    return plate


@pytest.fixture(scope="module")
def expected(juts_out: Plate, deepprofiler_python: Path, seeded) -> np.ndarray:
    """Its features by the slow computation: cells x features."""
    shown = []
    for x, y in PLACES:
        for channel in ORDER:
            image = tifffile.imread(juts_out.image("A01-1", channel)).astype(float)
            shown.append(np.repeat(scaled(resize(scaled(crop(image, x, y))), -1, 1)[..., np.newaxis], 3, axis=2))
    np.save(juts_out.folder / "shown.npy", np.stack(shown).astype("float32"))
    paths = [seeded(NETWORK), juts_out.folder / "shown.npy", juts_out.folder / "alone.npy"]
    subprocess.run([deepprofiler_python, "-c", NETWORK_ALONE, *map(str, paths)], check=True, capture_output=True)
    return np.load(juts_out.folder / "alone.npy").reshape(2, 5 * 1280)


def test_features_are_those_of_each_channel_by_itself(image: str, juts_out, expected, seeded, tmp_path):
    done = profile(image, juts_out, seeded(NETWORK), tmp_path / "out", features=NETWORK)
    ours = features(tmp_path / "out")["A01-1"]

    assert done.code == 0, done.stderr
    assert ours.shape == (2, 6400)
    assert ours.dtype == np.float32
    # Of each channel of each cell: drawn weights turn the last bit of a pixel into the third digit of a feature.
    for mine, theirs in zip(
        ours.reshape(10, 1280).astype(float), expected.reshape(10, 1280).astype(float), strict=True
    ):
        assert np.abs(mine - theirs).max() < 0.02 * theirs.std()
        assert mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs) > 0.9999


def test_the_size_of_batches_and_of_shards_makes_no_other_features(image: str, seeded, tmp_path):
    plate = Plate(tmp_path / "plate")
    plate.draw(["A01-1", "A02-1"], cells=3)
    plate.locate("A02-1", [])
    found = []
    for size in (5, 128):
        out = tmp_path / str(size)
        done = profile(image, plate, seeded(NETWORK), out, features=NETWORK, batch_size=size)
        assert (done.code, done.units["A02-1"]) == (0, ("ok", "no cells")), done.stderr
        found.append(features(out))

    assert list(found[0]) == ["A01-1"]
    np.testing.assert_allclose(found[0]["A01-1"], found[1]["A01-1"], rtol=1e-3, atol=1e-4)

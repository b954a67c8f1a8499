"""Turn stains into what a microscope's camera records: 16-bit counts."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.demo.cells import SIZE
from data.demo.fields import Map, filtered, gaussian_pass
from data.demo.plan import CHANNELS, LAYOUT

BLACK = 130.0  # counts without light
READ_NOISE = 7.0  # counts
SHOT_NOISE = 0.3  # counts of variance a count of light; the real images' background has 0.25
SHARPNESS = 0.75  # Gaussian blur of the optics, pixels
HAZE, HAZE_WIDTH = 0.09, 22.0  # share of out-of-focus light, and its blur in pixels
BACKGROUND = {"Mito": 950.0, "AGP": 560.0, "RNA": 520.0, "ER": 330.0, "DNA": 500.0}  # counts where light is best
MOTTLE = 0.012  # unevenness of the background, as a share
DARKEST = 0.52  # light in the corners, as a share of the best
PLATE_SPREAD = 0.09  # deviation of a stain between plates, as a share
WELL_SPREAD = 0.05  # and between wells
EDGE_EFFECT = 0.05  # a stain's change over the plate's width or height, as a share


def seed_of(*words: object) -> int:
    """Derive a seed from names, so that a well's random numbers depend on no other well."""
    text = "/".join(str(word) for word in words)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


@dataclass(frozen=True)
class Optics:
    """What all wells of a plate share."""

    light: dict[str, Map]  # the illumination, 1 at its best
    gain: dict[str, float]  # of each stain
    slope: dict[str, tuple[float, float]]  # a stain's change down and across the plate


def optics(seed: int, plate: str) -> Optics:
    """Draw a plate's illumination and staining."""
    rng = np.random.default_rng(seed_of(seed, plate, "optics"))
    light, gain, slope = {}, {}, {}
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) - 0.5
    for channel in CHANNELS:
        down, across, squeeze = rng.uniform(-0.14, 0.14), rng.uniform(-0.14, 0.14), rng.uniform(0.85, 1.15)
        distance = (x - across) ** 2 * squeeze + (y - down) ** 2 / squeeze
        light[channel] = 1 - (1 - DARKEST) * distance / distance.max()
        gain[channel] = float(np.exp(PLATE_SPREAD * rng.standard_normal()))
        slope[channel] = (EDGE_EFFECT * rng.uniform(-1, 1), EDGE_EFFECT * rng.uniform(-1, 1))
    return Optics(light, gain, slope)


def position(well: str, slope: tuple[float, float]) -> float:
    """Say how much a well's place on the plate changes a stain."""
    row, column = ord(well[0]) - ord("A"), int(well[1:]) - 1
    down, across = row / (len(LAYOUT) - 1), column / (len(LAYOUT[0]) - 1)
    return 1 + slope[0] * (down - 0.5) + slope[1] * (across - 0.5)


def expose(stain: Map, channel: str, well: str, shared: Optics, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Record one channel of a well."""
    gain = shared.gain[channel] * position(well, shared.slope[channel]) * np.exp(WELL_SPREAD * rng.standard_normal())
    focus = SHARPNESS * np.exp(0.1 * rng.standard_normal())
    blur = (1 - HAZE) * gaussian_pass.__wrapped__(SIZE, focus) + HAZE * gaussian_pass(SIZE, HAZE_WIDTH)
    mottle = filtered(rng.standard_normal((SIZE, SIZE)), gaussian_pass(SIZE, 4.0)) * 14.0
    background = BACKGROUND[channel] * np.exp(0.04 * rng.standard_normal()) * (1 + MOTTLE * mottle)
    light = shared.light[channel] * (background + gain * np.maximum(filtered(stain, blur), 0))
    noise = np.sqrt(SHOT_NOISE * light + READ_NOISE**2) * rng.standard_normal((SIZE, SIZE))
    counts: NDArray[np.float64] = np.clip(np.rint(BLACK + light + noise), 0, np.iinfo(np.uint16).max)
    return counts.astype(np.uint16)

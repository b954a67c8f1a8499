"""Random textures and spots over a square map."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]


@cache
def squared_frequency(size: int) -> Map:
    """Give the squared angular frequency (radians/pixel) at every point of a real 2-D Fourier transform."""
    rows = 2 * np.pi * np.fft.fftfreq(size)
    columns = 2 * np.pi * np.fft.rfftfreq(size)
    return rows[:, None] ** 2 + columns[None, :] ** 2


@cache
def gaussian_pass(size: int, sigma: float) -> Map:
    """Give the transfer function of a Gaussian blur of `sigma` pixels."""
    return np.exp(-0.5 * sigma**2 * squared_frequency(size))


def filtered(picture: Map, transfer: Map) -> Map:
    """Multiply the picture's spectrum by a transfer function."""
    return np.fft.irfft2(np.fft.rfft2(picture) * transfer, s=picture.shape)


def texture(rng: np.random.Generator, size: int, fine: float, coarse: float) -> Map:
    """Draw a random texture between two scales (Gaussian sigmas, pixels), of mean 0 and deviation 1."""
    band = gaussian_pass(size, fine) - gaussian_pass(size, coarse)
    drawn = filtered(rng.standard_normal((size, size)), band)
    drawn /= drawn.std()
    return drawn


def smooth_step(values: Map, low: float, high: float) -> Map:
    """Rise from 0 at `low` to 1 at `high`, without corners."""
    ramp = np.clip((values - low) / (high - low), 0.0, 1.0)
    return ramp * ramp * (3 - 2 * ramp)


def spots(size: int, x: Map, y: Map, sigma: Map, height: Map) -> Map:
    """Add up Gaussian spots; those beyond the border are cut."""
    painted = np.zeros((size, size))
    if not len(x):
        return painted
    reach = int(np.ceil(3 * sigma.max()))
    offsets = np.arange(-reach, reach + 1)
    columns = np.round(x).astype(int)[:, None] + offsets
    rows = np.round(y).astype(int)[:, None] + offsets
    across = np.exp(-0.5 * ((columns - x[:, None]) / sigma[:, None]) ** 2)
    down = np.exp(-0.5 * ((rows - y[:, None]) / sigma[:, None]) ** 2) * height[:, None]
    inside = ((rows >= 0) & (rows < size))[:, :, None] & ((columns >= 0) & (columns < size))[:, None, :]
    where = (rows[:, :, None] * size + columns[:, None, :])[inside]
    values = (down[:, :, None] * across[:, None, :])[inside]
    return painted + np.bincount(where, values, size * size).reshape(size, size)

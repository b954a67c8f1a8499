"""Pictures and objects on which fast and stock measurements might differ: ties, blanks, edges, crowds, odd sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Random = np.random.Generator


@dataclass
class Scene:
    """Channels and label images of one site; `masks` hold the pixels of a channel that count."""

    channels: dict[str, np.ndarray]
    objects: dict[str, np.ndarray]
    masks: dict[str, np.ndarray] = field(default_factory=dict)


def cells(random: Random, shape: tuple[int, int], count: int, radius: float) -> np.ndarray:
    """Return round objects, numbered from 1; later ones cover earlier ones, and some numbers may go missing."""
    labels = np.zeros(shape, np.int32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for number in range(1, count + 1):
        centre = random.uniform(0, shape[0]), random.uniform(0, shape[1])
        labels[np.hypot(y - centre[0], x - centre[1]) < random.uniform(0.5, 1) * radius] = number
    return labels


def textured(random: Random, shape: tuple[int, int]) -> np.ndarray:
    """Return a picture with spots of many sizes."""
    picture = random.uniform(0, 0.2, shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(25):
        centre, size = (random.uniform(0, side) for side in shape), random.uniform(1, 15)
        top, left = centre
        picture += random.uniform(0, 0.3) * np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * size**2))
    return picture.clip(0, 1).astype(np.float32)


def scene(random: Random, shape: tuple[int, int] = (97, 131), edit: Callable = lambda picture: picture) -> Scene:
    """Return two channels, edited, under nuclei and under cells that surround them."""
    nuclei = cells(random, shape, 7, 10)
    grown = cells(random, shape, 7, 22)
    channels = {name: edit(textured(random, shape)).astype(np.float32) for name in ("DNA", "RNA")}
    return Scene(channels, {"Nuclei": nuclei, "Cells": np.where(nuclei > 0, nuclei, grown)})


def under(labels: np.ndarray) -> Callable[[Random], Scene]:
    """Return a scene of these objects only."""
    return lambda random: Scene(scene(random, labels.shape).channels, {"Nuclei": labels})


def checkerboard(picture: np.ndarray) -> np.ndarray:
    y, x = np.indices(picture.shape)
    return 0.2 + 0.4 * ((y + x) % 2)


def one_pixel_off(picture: np.ndarray) -> np.ndarray:
    flat = np.full(picture.shape, 0.9)
    flat[tuple(side // 3 for side in picture.shape)] = 0.95
    return flat


def numbered(shape: tuple[int, int], side: int) -> np.ndarray:
    """Return squares that touch each other and the borders, each an object."""
    y, x = np.indices(shape) // side
    return (y * (shape[1] // side + 1) + x + 1).astype(np.int32)


def single_pixels(shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    labels[::7, ::9] = np.arange(1, labels[::7, ::9].size + 1).reshape(labels[::7, ::9].shape)
    return labels


def missing_numbers() -> np.ndarray:
    labels = numbered((60, 60), 20)
    return np.where(np.isin(labels, (2, 5, 6)), 0, labels).astype(np.int32)


SCENES: dict[str, Callable[[Random], Scene]] = {
    "random": scene,
    "ties": lambda random: scene(random, edit=lambda picture: np.round(picture * 8) / 8),
    "8-bit": lambda random: scene(random, edit=lambda picture: np.round(picture * 255) / 255),
    "blank": lambda random: scene(random, edit=np.zeros_like),
    "flat": lambda random: scene(random, edit=lambda picture: np.full_like(picture, 0.25)),
    "saturated": lambda random: scene(random, edit=lambda picture: (picture * 6).clip(0, 1)),
    "dim": lambda random: scene(random, edit=lambda picture: picture * 0.02),
    "one pixel off": lambda random: scene(random, edit=one_pixel_off),
    "checkerboard": lambda random: scene(random, edit=checkerboard),
    "negative": lambda random: scene(random, edit=lambda picture: picture - 0.2),
    "negative zeros": lambda random: scene(random, edit=lambda picture: -np.zeros_like(picture)),
    "noise": lambda random: scene(random, edit=lambda picture: random.uniform(0, 1, picture.shape)),
    "odd size": lambda random: scene(random, (65, 64)),
    "small": lambda random: scene(random, (13, 12)),
    "wide": lambda random: scene(random, (9, 200)),
    "no object": under(np.zeros((50, 60), np.int32)),
    "one object": under(np.ones((50, 60), np.int32)),
    "single pixels": under(single_pixels()),
    "touching": under(numbered((64, 70), 16)),
    "missing numbers": under(missing_numbers()),
    "crowd": under(numbered((90, 90), 5)),
}


def masked(random: Random) -> Scene:
    found = scene(random)
    found.masks = {"RNA": textured(random, (97, 131)) > 0.1}
    return found


def of_another_size(random: Random) -> Scene:
    found = scene(random)
    found.objects = {name: labels[:-7, :-9] for name, labels in found.objects.items()}
    return found


def not_finite(random: Random) -> Scene:
    found = scene(random)
    found.channels["RNA"][5, 5] = np.nan
    return found


# What the fast way does not cover: the words that a module then says.
UNCOVERED: dict[str, tuple[Callable[[Random], Scene], str]] = {
    "masked": (masked, "it is masked"),
    "of another size": (of_another_size, "the objects' image is (90, 122), the image (97, 131)"),
    "not finite": (not_finite, "it holds values that are not finite"),
}

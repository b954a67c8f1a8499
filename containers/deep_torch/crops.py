"""What a network is shown of a cell: the box around its nucleus as DeepProfiler cuts and scales it, in PyTorch."""

from __future__ import annotations

from typing import Tuple

import torch
from deepkit.networks import Network
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-7  # a crop of one grey value becomes 0, not 0 / 0


def shown(image: Tensor, cells: Tensor, network: Network) -> Tensor:
    """Return the crops of cells at (x, y) of an image (height, width, channels), float32: (crops, planes, side, side).

    One a cell; of a network that sees each channel by itself, one a cell and channel, in this order.
    """
    cut = scaled(crop(image, cells, network.box_pixels))
    if not network.apart:
        return cut
    apart = cut.flatten(0, 1).unsqueeze(1)
    side = (network.input_pixels, network.input_pixels)
    return scaled(functional.interpolate(apart, side, mode="bilinear", align_corners=False)).mul_(2.0).sub_(1.0)


def crop(image: Tensor, cells: Tensor, box: int) -> Tensor:
    """Return the boxes around cells: (cells, channels, box, box).

    As TensorFlow's crop_and_resize has it, a box of n pixels is stretched between the centres of its first and last
    pixel; what is outside the image is 0.
    """
    height, width, channels = image.shape
    top, bottom, down, inside_rows = _between(cells[:, 1], height, box)
    left, right, across, inside_columns = _between(cells[:, 0], width, box)
    # First every row of the image that the box touches, between its pixels; then between these rows.
    first = top[:, :1]
    rows = (first + torch.arange(box + 2, device=image.device)).clamp(max=height - 1)
    pixels = image.reshape(height * width, channels)
    before, behind = (functional.embedding(rows[:, :, None] * width + at[:, None, :], pixels) for at in (left, right))
    lines = _mix(before, behind, across[:, None, :, None]).view(-1, box * channels)
    start = torch.arange(len(cells), device=image.device)[:, None] * (box + 2) - first
    upper, lower = (functional.embedding(start + at, lines) for at in (top, bottom))
    found = _mix(upper, lower, down[:, :, None]).view(-1, box, box, channels)
    found *= (inside_rows[:, :, None] & inside_columns[:, None, :])[..., None]
    return found.permute(0, 3, 1, 2).contiguous()


def scaled(crops: Tensor) -> Tensor:
    """Return crops with every plane of every crop scaled to 0..1."""
    least, most = (value[..., None, None] for value in torch.aminmax(crops.flatten(2), dim=2))
    return (crops - least).div_(most - least + EPSILON)


def _between(centres: Tensor, length: int, box: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return where every pixel of every box falls along an axis, each (cells, box).

    The image's pixel before it and the one behind it, how far it is from the first (0 to 1), whether it is inside.
    """
    start, end = ((centres + half).float() / length for half in (-box / 2, box / 2))
    step = (end - start) * (length - 1) / (box - 1)
    at = start[:, None] * (length - 1) + torch.arange(box, device=centres.device) * step[:, None]
    inside = (at >= 0) & (at <= length - 1)
    at = at.clamp(0, length - 1)
    before = at.floor()
    return before.long(), at.ceil().long(), at - before, inside


def _mix(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Return what lies between two tensors, in the second's memory: the arithmetic of TensorFlow, bit for bit."""
    return second.sub_(first).mul_(share).add_(first)

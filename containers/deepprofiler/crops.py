"""What a network is shown of a cell: the box around its nucleus as DeepProfiler cuts and scales it, in TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from deepkit.networks import Network

EPSILON = 1e-7  # a crop of one grey value becomes 0, not 0 / 0


def photographs(network: Network, pixels: np.ndarray, cells: np.ndarray) -> Any:
    """Return what the network is shown: (channels x cells, side, side, 3) in -1..1, channel by channel."""
    import tensorflow as tf

    crops = crop(pixels, cells, network.box_pixels)
    side = network.input_pixels
    resized = tf.image.resize(crops, (side, side), method="bilinear")
    apart = tf.reshape(tf.transpose(resized, [3, 0, 1, 2]), (-1, side, side, 1))
    least = tf.reduce_min(apart, axis=(1, 2, 3), keepdims=True)
    most = tf.reduce_max(apart, axis=(1, 2, 3), keepdims=True)
    return tf.repeat((apart - least) / (most - least + EPSILON) * 2.0 - 1.0, 3, axis=3)


def crop(pixels: np.ndarray, cells: np.ndarray, box: int) -> Any:
    """Return the boxes around cells, each channel of each scaled to 0..1, as DeepProfiler cuts them.

    TensorFlow stretches a box of n pixels between the centres of its first and last pixel; what is outside the image
    is 0, and takes part in the scaling.
    """
    import tensorflow as tf

    height, width = pixels.shape[:2]
    x, y = cells[:, 0], cells[:, 1]
    corners = np.stack([y - box / 2, x - box / 2, y + box / 2, x + box / 2], axis=1).astype("float32")
    corners /= np.array([height, width, height, width], dtype="float32")
    image = tf.convert_to_tensor(pixels[np.newaxis].astype("float32"))
    cut = tf.image.crop_and_resize(image, corners, np.zeros(len(cells), dtype="int32"), (box, box))
    least = tf.reduce_min(cut, axis=(1, 2), keepdims=True)
    most = tf.reduce_max(cut, axis=(1, 2), keepdims=True)
    return (cut - least) / (most - least + EPSILON)

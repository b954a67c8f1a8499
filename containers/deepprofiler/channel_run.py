"""Profile fields as CPJUMP1 was published: each channel of a crop by itself, shown to a network that knows photographs.

DeepProfiler 0.5 cannot do it any more; the steps of its older versions, with the same Keras network: a box around the
nucleus, each channel scaled to 0..1, resized bilinearly to what the network takes, repeated to three planes and scaled
to -1..1; the last activation averaged over the crop; the channels' features one after the other.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence, Tuple

import embeddings
import networks
import numpy as np
from fields import Field, Unusable, load

NETWORK = networks.NETWORKS["imagenet_efficientnet_b0"]
EPSILON = 1e-7  # a crop of one grey value becomes 0, not 0 / 0


def run(
    fields: Sequence[Field],
    size: Tuple[int, int],
    checkpoint: Path,
    project: Path,
    device: str,
    batch_size: int,
    ended: Callable[[str, float], None],
) -> Tuple[Iterator[Tuple[Field, np.ndarray]], Mapping[str, Any]]:
    """Return the features of every field, and facts of the run; `ended` is told of every site and its seconds."""
    networks.quiet()
    import tensorflow

    name = networks.require_device(device)
    model = networks.build(NETWORK)
    layers = networks.require_match(model, checkpoint)
    model.load_weights(str(checkpoint), by_name=True)
    forward = pooled(model)
    facts = {"device": name, "tensorflow": tensorflow.__version__, "checkpoint_layers": layers}
    place = "/CPU:0" if name == "cpu" else "/GPU:0"

    def each() -> Iterator[Tuple[Field, np.ndarray]]:
        for field in fields:
            started = time.monotonic()
            with tensorflow.device(place):
                found = features(forward, load(field), field.cells, batch_size)
            fault = embeddings.fault(found, len(field.cells), NETWORK.features)
            if fault:
                raise Unusable(f"{field.name}: {fault}")
            ended(field.name, time.monotonic() - started)
            yield field, found

    return each(), facts


def pooled(model: Any) -> Callable[[Any], Any]:
    """Return the network as a function of what it is shown: its last activation, averaged over the crop."""
    import tensorflow as tf

    shape = (None, NETWORK.input_pixels, NETWORK.input_pixels, 3)

    # As a graph: run eagerly it keeps every layer's output, 15 GB where 2 do.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def forward(shown: Any) -> Any:
        return tf.reduce_mean(model(shown, training=False), axis=(1, 2))

    return forward


def features(forward: Callable[[Any], Any], pixels: np.ndarray, cells: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the features (cells x features) of the cells at (x, y) of an image, height x width x channels."""
    channels = len(NETWORK.channels)
    at_once = max(1, batch_size // channels)
    parts = []
    for start in range(0, len(cells), at_once):
        shown = photographs(pixels, cells[start : start + at_once])
        parts.append(np.concatenate(np.split(forward(shown).numpy(), channels), axis=1))
    return np.concatenate(parts)


def photographs(pixels: np.ndarray, cells: np.ndarray) -> Any:
    """Return what the network is shown: (channels x cells, side, side, 3) in -1..1, channel by channel."""
    import tensorflow as tf

    crops = crop(pixels, cells)
    side = NETWORK.input_pixels
    resized = tf.image.resize(crops, (side, side), method="bilinear")
    apart = tf.reshape(tf.transpose(resized, [3, 0, 1, 2]), (-1, side, side, 1))
    least = tf.reduce_min(apart, axis=(1, 2, 3), keepdims=True)
    most = tf.reduce_max(apart, axis=(1, 2, 3), keepdims=True)
    return tf.repeat((apart - least) / (most - least + EPSILON) * 2.0 - 1.0, 3, axis=3)


def crop(pixels: np.ndarray, cells: np.ndarray, box: int = NETWORK.box_pixels) -> Any:
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

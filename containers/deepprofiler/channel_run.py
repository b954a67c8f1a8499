"""Profile fields as CPJUMP1 was published: each channel of a crop by itself, shown to a network that knows photographs.

DeepProfiler 0.5 cannot do it any more; the steps of its older versions, with the same Keras network: a box around the
nucleus, each channel scaled to 0..1, resized bilinearly to what the network takes, repeated to three planes and scaled
to -1..1; the last activation averaged over the crop; the channels' features one after the other.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Tuple

import networks
import numpy as np
from crops import photographs
from deepkit import devices
from deepkit.fields import load
from deepkit.networks import NETWORKS
from deepkit.profiling import Made, Work

NETWORK = NETWORKS["imagenet_efficientnet_b0"]


def run(work: Work) -> Tuple[Made, Mapping[str, Any]]:
    """Return the features of every field, and facts of the run."""
    networks.quiet()
    import tensorflow

    name = networks.require_device(work.device)
    model = networks.build(NETWORK)
    layers = networks.require_match(model, work.checkpoint)
    model.load_weights(str(work.checkpoint), by_name=True)
    forward = pooled(model)
    facts = {"device": name, "tensorflow": tensorflow.__version__, "checkpoint_layers": layers}
    place = "/CPU:0" if name == "cpu" else "/GPU:0"
    exhausted = tensorflow.errors.ResourceExhaustedError

    def each() -> Made:
        for field in work.fields:
            started = time.monotonic()
            with tensorflow.device(place), devices.enough_memory(work.batch_size, exhausted):
                found = features(forward, load(field), field.cells, work.batch_size)
            work.ended(field.name, time.monotonic() - started)
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
        shown = photographs(NETWORK, pixels, cells[start : start + at_once])
        parts.append(np.concatenate(np.split(forward(shown).numpy(), channels), axis=1))
    return np.concatenate(parts)

"""The networks that turn a cell's crop into features, and the checkpoints that hold their weights.

What is wrong with a checkpoint or a device is a CheckError: no site is to blame, so none is tried by itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from stagekit import program

RANDOM = "platewright_random_weights"
"""The attribute of a checkpoint that was drawn, not trained."""

Shapes = List[Tuple[int, ...]]


@dataclass(frozen=True)
class Network:
    """An EfficientNet-B0: what it sees of a cell, and what of it are the features."""

    channels: Tuple[str, ...]
    box_pixels: int
    """The side of the square around a nucleus, in pixels of the image."""
    input_pixels: int
    planes: int
    """The channels that the network takes at once; 3: each channel by itself, repeated."""
    layer: str
    features: int
    """How many a cell has, all channels together."""


NETWORKS: Mapping[str, Network] = {
    # Cell Painting CNN (Zenodo 7114558), by DeepProfiler 0.5.
    "cell_painting_cnn": Network(("DNA", "RNA", "ER", "AGP", "Mito"), 128, 128, 5, "block6a_activation", 672),
    # What CPJUMP1 published: trained on photographs, so every channel is shown as one.
    "imagenet_efficientnet_b0": Network(("DNA", "ER", "RNA", "AGP", "Mito"), 96, 224, 3, "top_activation", 6400),
}


def quiet() -> None:
    """Let TensorFlow use the cores that this job has, and say errors only. Before it is imported."""
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def build(network: Network) -> Any:
    """Return the network as a Keras model without weights of its own, up to its last activation."""
    import efficientnet.tfkeras as efficientnet

    shape = (network.input_pixels, network.input_pixels, network.planes)
    return efficientnet.EfficientNetB0(input_shape=shape, include_top=False, weights=None)


def require_device(device: str) -> str:
    """Return what TensorFlow computes on; CheckError if that is to be a GPU and it sees none."""
    import tensorflow

    found = tensorflow.config.list_physical_devices("GPU")
    if device == "gpu" and not found:
        built = tensorflow.test.is_built_with_cuda()
        why = "its driver or libraries do not answer" if built else "this TensorFlow is built for the CPU"
        message = f"a GPU was asked for and TensorFlow {tensorflow.__version__} sees none: {why}"
        raise program.CheckError(f"{message}; python -m tasks doctor says more, [deep_profile] device = cpu goes on")
    if device == "cpu" or not found:
        return "cpu"
    details = tensorflow.config.experimental.get_device_details(found[0])
    return str(details.get("device_name", found[0].name))


def require_match(model: Any, path: Path) -> str:
    """Return of how many layers a checkpoint has the weights (130 of 130); CheckError unless it is all of them.

    Keras takes a file that matches no layer without a word, and leaves the network random.
    """
    wanted = {
        layer.name: [tuple(map(int, weight.shape)) for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }
    held = read_shapes(path)
    lacking = [name for name, shapes in wanted.items() if held.get(name) != shapes]
    if lacking:
        first = lacking[0]
        has = (
            f"has {held[first]}" if first in held else f"has none; its layers are {', '.join(list(held)[:4]) or 'none'}"
        )
        message = f"{path.name}: {len(wanted) - len(lacking)} of the network's {len(wanted)} layers have weights in it"
        message = f"{message}: {first} needs {wanted[first]}, the file {has}"
        raise program.CheckError(f"{message}; give [deep_profile] checkpoint this network's own")
    return f"{len(wanted)} of {len(wanted)}"


def read_shapes(path: Path) -> Dict[str, Shapes]:
    """Return the shapes of every layer's weights in a checkpoint, in Keras' order."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            top = file.get("model_weights", file)  # of a whole model, or of weights alone
            layers = [_text(name) for name in top.attrs.get("layer_names", [])]
            names = {layer: [_text(name) for name in top[layer].attrs.get("weight_names", [])] for layer in layers}
            return {layer: [tuple(top[layer][name].shape) for name in own] for layer, own in names.items() if own}
    except (OSError, KeyError) as error:
        raise program.CheckError(f"{path.name}: no whole checkpoint of Keras (HDF5): {error}") from error


def is_random(path: Path) -> bool:
    """Say whether a checkpoint was drawn for tests."""
    import h5py

    with h5py.File(path, "r") as file:
        return RANDOM in file.attrs


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)

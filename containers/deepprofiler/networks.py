"""The networks in Keras, and what TensorFlow computes them on.

A device that is not to be had is a CheckError: no site is to blame, so none is tried by itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from deepkit import checkpoints
from deepkit.networks import Network
from stagekit import program


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
    """Return of how many layers of a Keras model a checkpoint has the weights; CheckError unless it is all."""
    layers = [layer for layer in model.layers if layer.weights]
    wanted = {layer.name: [tuple(map(int, weight.shape)) for weight in layer.weights] for layer in layers}
    return checkpoints.require_match(wanted, path)

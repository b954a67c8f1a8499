"""The checkpoints of Keras (HDF5) that hold a network's weights; one that is not this network's is refused.

What is wrong with a checkpoint is a CheckError: no site is to blame, so none is tried by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple, TypeVar

import h5py
import numpy as np
from stagekit import program

RANDOM = "platewright_random_weights"
"""The attribute of a checkpoint that was drawn, not trained."""

Shapes = List[Tuple[int, ...]]
Kept = TypeVar("Kept")


def require_match(wanted: Mapping[str, Shapes], path: Path) -> str:
    """Return of how many layers a checkpoint has the weights (130 of 130); CheckError unless it is all of them.

    Keras takes a file that matches no layer without a word, and leaves the network random.
    """
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
    return _each(path, lambda dataset: tuple(dataset.shape))


def read(path: Path) -> Dict[str, List[np.ndarray]]:
    """Return every layer's weights in a checkpoint, in Keras' order."""
    return _each(path, np.asarray)


def is_random(path: Path) -> bool:
    """Say whether a checkpoint was drawn for tests."""
    with h5py.File(path, "r") as file:
        return RANDOM in file.attrs


def _each(path: Path, of: Callable[[Any], Kept]) -> Dict[str, List[Kept]]:
    """Return what a function says of the weights of every layer that has any."""
    try:
        with h5py.File(path, "r") as file:
            top = file.get("model_weights", file)  # of a whole model, or of weights alone
            layers = [_text(name) for name in top.attrs.get("layer_names", [])]
            names = {layer: [_text(name) for name in top[layer].attrs.get("weight_names", [])] for layer in layers}
            return {layer: [of(top[layer][name]) for name in own] for layer, own in names.items() if own}
    except (OSError, KeyError) as error:
        raise program.CheckError(f"{path.name}: no whole checkpoint of Keras (HDF5): {error}") from error


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)

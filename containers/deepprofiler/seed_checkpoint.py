"""Draw a checkpoint for tests and the demo: the network's architecture, weights from a seed.

Its batch normalizations know the statistics of real crops; with those of Keras' start features would all be about 1e-5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import crops
import networks
import numpy as np
from deepkit import checkpoints
from deepkit.fields import listed, load, read
from deepkit.networks import NETWORKS, Network
from stagekit import program

MOST_CELLS = 96  # crops that the statistics are of: enough for the 16 pixels that a channel has in the last layers
MOST_SITES = 8
LEAST_VARIANCE = 0.5  # of the layer's mean


def main() -> None:
    """Read the flags, draw, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--locations", required=True, type=Path, help="the folder of <Well>-<Site>-Nuclei.csv")
    flags.add_argument("--barcode", required=True, help="the plate whose crops are seen")
    flags.add_argument("--features", required=True, choices=sorted(NETWORKS))
    flags.add_argument("--seed", required=True, type=int)
    flags.add_argument("--write_checkpoint", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        network = NETWORKS[args.features]
        sites = listed(args.load_data, args.images, network.channels, args.barcode)
        fields, _ = read(sites, args.locations, report)
        chosen = [field for field in fields if len(field.cells)][:MOST_SITES]
        if not chosen:
            raise program.DataError(f"{args.barcode}: no site has a cell to take statistics of")
        networks.quiet()
        each = -(-MOST_CELLS // len(chosen))
        seen = np.concatenate([_shown(network, load(field), field.cells[:each]) for field in chosen])
        write(draw(network, seen, args.seed), args.write_checkpoint, args.seed)
        report.fact("crops", len(seen))


def _shown(network: Network, pixels: np.ndarray, cells: np.ndarray) -> np.ndarray:
    if not network.apart:
        return crops.crop(pixels, cells, network.box_pixels).numpy()
    return crops.photographs(network, pixels, cells[: max(1, len(cells) // len(network.channels))]).numpy()


def draw(network: Network, seen: np.ndarray, seed: int) -> Any:
    """Return the network with weights drawn from a seed, and batch statistics of these crops."""
    model = networks.build(network)
    rng = np.random.default_rng(seed)
    normalizations: List[Any] = []
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.0  # the statistics become those of the one batch that it sees
            normalizations.append(layer)
        elif layer.weights:
            layer.set_weights([_weights(rng, weight) for weight in layer.get_weights()])
        elif hasattr(layer, "rate"):
            layer.rate = 0.0  # a dropout would be another one each time
    model(seen, training=True)
    for layer in normalizations:
        scale, shift, mean, variance = layer.get_weights()
        # What hardly varies in these crops may do so in others, and would then drown all else.
        layer.set_weights([scale, shift, mean, np.maximum(variance, LEAST_VARIANCE * variance.mean())])
    return model


def _weights(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    if like.ndim == 1:
        return np.zeros_like(like)
    inputs = int(np.prod(like.shape[:-1] if like.shape[-1] > 1 else like.shape[:-2]))
    return rng.normal(0, np.sqrt(2 / inputs), like.shape).astype("float32")


def write(model: Any, path: Path, seed: int) -> None:
    """Write a checkpoint that says of itself that it was drawn."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    model.save_weights(str(path), save_format="h5")
    with h5py.File(path, "a") as file:
        file.attrs[checkpoints.RANDOM] = f"seed {seed}"


if __name__ == "__main__":
    program.run(main)

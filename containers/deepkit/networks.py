"""The networks that turn a cell's crop into features: what each sees of it, and what of it the features are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple


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

    @property
    def apart(self) -> bool:
        """Say whether each channel is shown by itself."""
        return self.planes != len(self.channels)


NETWORKS: Mapping[str, Network] = {
    # Cell Painting CNN (Zenodo 7114558), by DeepProfiler 0.5.
    "cell_painting_cnn": Network(("DNA", "RNA", "ER", "AGP", "Mito"), 128, 128, 5, "block6a_activation", 672),
    # What CPJUMP1 published: trained on photographs, so every channel is shown as one.
    "imagenet_efficientnet_b0": Network(("DNA", "ER", "RNA", "AGP", "Mito"), 96, 224, 3, "top_activation", 6400),
}

"""EfficientNet-B0 in plain PyTorch, with the weights of a checkpoint of Keras.

What Keras' layers do is kept: its names, its padding, its batch normalizations, which are folded into the convolutions
before them. A network ends at the layer whose activation, averaged over the crop, are the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, Mapping, Sequence

import numpy as np
import torch
from deepkit.checkpoints import Shapes
from deepkit.networks import Network
from torch import Tensor, nn
from torch.nn import functional

STEM_FILTERS, TOP_FILTERS = 32, 1280
# repeats, kernel, stride of the first, expansion, filters
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
SQUEEZE = 4  # an excitation sees a quarter of the block's input filters
EPSILON = 1e-3  # of Keras' batch normalizations

Weights = Mapping[str, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Block:
    """One inverted bottleneck: its name and shape."""

    name: str
    kernel: int
    stride: int
    inputs: int
    inner: int
    outputs: int


def blocks() -> Iterator[Block]:
    """Yield the network's blocks from crop to features."""
    inputs = STEM_FILTERS
    for number, (repeats, kernel, stride, expansion, outputs) in enumerate(STAGES, start=1):
        for letter in "abcd"[:repeats]:
            first = letter == "a"
            yield Block(f"block{number}{letter}", kernel, stride if first else 1, inputs, expansion * inputs, outputs)
            inputs = outputs


def layers(planes: int) -> Dict[str, Shapes]:
    """Return the shapes of all layers' weights, as Keras lays them: height, width, inputs, outputs."""
    found: Dict[str, Shapes] = {"stem_conv": [(3, 3, planes, STEM_FILTERS)], "stem_bn": [(STEM_FILTERS,)] * 4}
    for block in blocks():
        name, squeezed = block.name, block.inputs // SQUEEZE
        if block.inner != block.inputs:
            found[f"{name}_expand_conv"] = [(1, 1, block.inputs, block.inner)]
            found[f"{name}_expand_bn"] = [(block.inner,)] * 4
        found[f"{name}_dwconv"] = [(block.kernel, block.kernel, block.inner, 1)]
        found[f"{name}_bn"] = [(block.inner,)] * 4
        found[f"{name}_se_reduce"] = [(1, 1, block.inner, squeezed), (squeezed,)]
        found[f"{name}_se_expand"] = [(1, 1, squeezed, block.inner), (block.inner,)]
        found[f"{name}_project_conv"] = [(1, 1, block.inner, block.outputs)]
        found[f"{name}_project_bn"] = [(block.outputs,)] * 4
        last = block.outputs
    return found | {"top_conv": [(1, 1, last, TOP_FILTERS)], "top_bn": [(TOP_FILTERS,)] * 4}


class Convolution(nn.Module):
    """A convolution that pads as Keras' "same" does: with a stride of 2 and an even side, by one pixel more behind.

    PyTorch pads both sides alike, so such a kernel begins with a row and a column of zeros, which see that pixel.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.stride, self.padding, self.groups = stride, kernel.shape[-1] // 2, groups
        if stride == 2:
            kernel = np.pad(kernel, ((0, 0), (0, 0), (1, 0), (1, 0)))
        self.weight, self.bias = (nn.Parameter(_tensor(values), requires_grad=False) for values in (kernel, bias))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)


class Bottleneck(nn.Module):
    """A block; `seen` is what it has computed before its excitation."""

    def __init__(self, block: Block, weights: Weights) -> None:
        super().__init__()
        name = block.name
        expands = block.inner != block.inputs
        self.expand = normalized(weights, f"{name}_expand_conv", f"{name}_expand_bn") if expands else None
        self.depthwise = normalized(weights, f"{name}_dwconv", f"{name}_bn", block.stride)
        self.reduce, self.excite = (plain(weights, f"{name}_se_{part}") for part in ("reduce", "expand"))
        self.project = normalized(weights, f"{name}_project_conv", f"{name}_project_bn")
        self.adds = block.stride == 1 and block.inputs == block.outputs

    def seen(self, x: Tensor) -> Tensor:
        if self.expand is not None:
            x = functional.silu(self.expand(x), inplace=True)
        return functional.silu(self.depthwise(x), inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.seen(x)
        squeezed = functional.silu(self.reduce(seen.mean((2, 3), keepdim=True)), inplace=True)
        out = self.project(seen * torch.sigmoid(self.excite(squeezed)))
        return out + x if self.adds else out


class EfficientNet(nn.Module):
    """The network up to the layer that has the features, which it returns: crops x features."""

    def __init__(self, network: Network, weights: Weights) -> None:
        super().__init__()
        # A channel by itself is one plane, of which Keras is shown three copies.
        self.stem = normalized(weights, "stem_conv", "stem_bn", 2, repeated=network.apart)
        self.last, self.top = None, None
        self.blocks = nn.ModuleList()
        for block in blocks():
            bottleneck = Bottleneck(block, weights)
            if network.layer == f"{block.name}_activation":
                self.last = bottleneck
                break
            self.blocks.append(bottleneck)
        else:
            self.top = normalized(weights, "top_conv", "top_bn")

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.stem(x), inplace=True)
        for block in self.blocks:
            x = block(x)
        x = self.last.seen(x) if self.last is not None else functional.silu(self.top(x), inplace=True)
        return x.mean((2, 3))


def normalized(weights: Weights, name: str, normalization: str, stride: int = 1, repeated: bool = False) -> Convolution:
    """Return a convolution that has its batch normalization folded in; `repeated`: all planes are the same one."""
    kept = weights[name][0].astype("float64")
    scale, shift, mean, variance = (value.astype("float64") for value in weights[normalization])
    depthwise = kept.shape[2:] == (len(scale), 1)
    kernel = kept.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))  # outputs, inputs, height, width
    if repeated:
        kernel = kernel.sum(axis=1, keepdims=True)
    factor = scale / np.sqrt(variance + EPSILON)
    folded = kernel * factor[:, np.newaxis, np.newaxis, np.newaxis]
    return Convolution(folded, shift - mean * factor, stride, len(scale) if depthwise else 1)


def plain(weights: Weights, name: str) -> Convolution:
    """Return a convolution that has a bias of its own."""
    kernel, bias = weights[name]
    return Convolution(kernel.transpose((3, 2, 0, 1)), bias)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype="float32"))

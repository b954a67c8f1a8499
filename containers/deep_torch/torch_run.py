"""Profile fields in PyTorch: the cells of several sites in one batch, while threads decode the next images."""

from __future__ import annotations

import ctypes
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Iterator, List, Mapping, Sequence, Tuple

import crops
import efficientnet
import numpy as np
import torch
from deepkit import checkpoints, devices, prefetch
from deepkit.fields import Field, load
from deepkit.networks import Network
from deepkit.profiling import Made, Work
from stagekit import program
from torch import Tensor

MOST_CROPS_ON_CPU = 32  # more leave the caches; fewer than 16 take PyTorch's slow convolutions
IN_FLIGHT = 2  # batches that a GPU has been given and that were not fetched

Fetch = Callable[[], np.ndarray]
Part = Tuple[int, int, int]
"""Of a batch: the number of a field, and its cells from the first to before the last."""


@dataclass(frozen=True)
class Computer:
    """A network on a device, and how many crops it always sees at once."""

    network: Network
    model: Callable[[Tensor], Tensor]
    place: torch.device
    cells: int

    @property
    def crops(self) -> int:
        return self.cells * (len(self.network.channels) if self.network.apart else 1)

    def features(self, seen: Tensor) -> Tensor:
        """Return the features of crops. Whatever their number a batch is whole: its size may turn the last bit."""
        lacking = self.crops - len(seen)
        filled = torch.cat([seen, seen.new_zeros(lacking, *seen.shape[1:])]) if lacking else seen
        made = self.model(filled.contiguous(memory_format=torch.channels_last))[: len(seen)]
        return made.reshape(-1, self.network.features)


def run(network: Network, work: Work) -> Tuple[Made, Mapping[str, Any]]:
    """Return the features of every field, and facts of the run."""
    name = require_device(work.device)
    layers = checkpoints.require_match(efficientnet.layers(network.planes), work.checkpoint)
    set_up()
    facts = {"device": name, "torch": torch.__version__, "checkpoint_layers": layers}
    return features(computer(network, work), work), facts


def require_device(device: str) -> str:
    """Return what PyTorch computes on; CheckError if that is to be a GPU and it sees none."""
    if device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        built = torch.version.cuda is not None
        why = "its driver does not answer" if built else "this PyTorch is built for the CPU"
        message = f"a GPU was asked for and PyTorch {torch.__version__} sees none: {why}"
        raise program.CheckError(f"{message}; python -m tasks doctor says more, [deep_profile] device = cpu goes on")
    return str(torch.cuda.get_device_name())


def set_up() -> None:
    """Compute in whole single precision and always in the same way, with the cores that this job has."""
    torch.set_num_threads(prefetch.cores())
    # A GPU rounds to 10 bits (TF32) where it may.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    # The C library keeps what is freed: each layer's memory anew from the kernel takes a third of the time.
    for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
        ctypes.CDLL(None).mallopt(option, value)


def computer(network: Network, work: Work) -> Computer:
    """Return the network with a checkpoint's weights, where it is to compute."""
    place = torch.device("cuda" if work.device == "gpu" else "cpu")
    most = work.batch_size if place.type == "cuda" else min(work.batch_size, MOST_CROPS_ON_CPU)
    cells = max(1, most // len(network.channels)) if network.apart else most
    model = efficientnet.EfficientNet(network, checkpoints.read(work.checkpoint)).eval()
    return Computer(network, model.to(place, memory_format=torch.channels_last), place, cells)


def features(on: Computer, work: Work) -> Made:
    """Yield the features of every field, in order."""
    rows: List[np.ndarray] = []
    started = time.monotonic()
    for parts, made in computed(on, work.fields):
        for number, start, stop in parts:
            field = work.fields[number]
            rows.append(made[: stop - start])
            made = made[stop - start :]
            if stop == len(field.cells):
                work.ended(field.name, time.monotonic() - started)
                yield field, np.concatenate(rows)
                rows, started = [], time.monotonic()


def computed(on: Computer, fields: Sequence[Field]) -> Iterator[Tuple[List[Part], np.ndarray]]:
    """Yield every batch with its features (cells x features), while a GPU computes the next ones."""
    waiting: Deque[Tuple[List[Part], Fetch]] = deque()
    cut = cutter(on, fields)
    for parts in batches([len(field.cells) for field in fields], on.cells):
        with torch.inference_mode(), devices.enough_memory(on.crops, torch.cuda.OutOfMemoryError):
            waiting.append((parts, _coming(on.features(torch.cat([cut(part) for part in parts])))))
        if len(waiting) > (IN_FLIGHT if on.place.type == "cuda" else 0):
            yield _fetched(*waiting.popleft())
    while waiting:
        yield _fetched(*waiting.popleft())


def batches(counts: Sequence[int], at_once: int) -> Iterator[List[Part]]:
    """Yield which cells of which fields are computed together: `at_once`, but for the last batch."""
    batch: List[Part] = []
    room = at_once
    for number, count in enumerate(counts):
        start = 0
        while start < count:
            stop = min(count, start + room)
            batch.append((number, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield batch
                batch, room = [], at_once
    if batch:
        yield batch


def cutter(on: Computer, fields: Sequence[Field]) -> Callable[[Part], Tensor]:
    """Return a function that cuts the crops of cells; fields are asked for in order, and decoded ahead."""
    images = enumerate(prefetch.ahead(load, fields, prefetch.cores()))
    held: List[Tuple[int, Any]] = [(-1, None)]

    def cut(part: Part) -> Tensor:
        number, start, stop = part
        while held[0][0] != number:
            at, pixels = next(images)
            held[0] = at, _laid(on.place, pixels)
        cells = torch.from_numpy(fields[number].cells[start:stop]).to(on.place, non_blocking=True)
        return crops.shown(held[0][1], cells, on.network)

    return cut


def _laid(place: torch.device, pixels: np.ndarray) -> Tensor:
    """Return an image on the device, in single precision: it travels as it is, with half the bytes."""
    image = torch.from_numpy(pixels)
    return (image.pin_memory() if place.type == "cuda" else image).to(place, non_blocking=True).to(torch.float32)


def _coming(made: Tensor) -> Fetch:
    """Return what waits until features are here, and for nothing that a GPU was given after them."""
    if made.device.type != "cuda":
        return made.numpy
    here, copied = made.to("cpu", non_blocking=True), torch.cuda.Event()
    copied.record()

    def fetch() -> np.ndarray:
        copied.synchronize()
        return here.numpy()

    return fetch


def _fetched(parts: List[Part], fetch: Fetch) -> Tuple[List[Part], np.ndarray]:
    return parts, fetch()

"""What deep features cost in PyTorch on a GPU: images and cells a second, where the time goes, what the limits are.

    python tests/bench/deep_profile_gpu.py [--device gpu] [--sites 64] [--cells 150] [--batch 512] [--network NAME ...]

Needs a Python with PyTorch, tifffile and h5py (with imagecodecs the images are LZW, as the microscope's), and nothing
else of the toolkit: images, places of cells and weights are drawn. With `--device cpu` it runs anywhere. Each part is
measured alone; together they overlap on a GPU, and the largest is what bounds the whole. CPJUMP1 took 8 h for 280,000
images on one V100, 9.7 images a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "containers"))
sys.path.insert(0, str(Path(__file__).parents[2] / "containers/deep_torch"))

import crops
import efficientnet
import h5py
import numpy as np
import tifffile
import torch
import torch_run
from deepkit import embeddings, prefetch
from deepkit.fields import Field, load
from deepkit.networks import NETWORKS, Network
from deepkit.profiling import Work

ANCHOR = 9.7
SIDE = 1080  # pixels
DISTINCT = 8  # sites that are drawn; the others are links to them
MATRIX = 4096  # side of the product that says what the chip can do


def compression() -> str | None:
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        return None
    return "lzw"


def lay(folder: Path, sites: int, cells: int, channels: tuple[str, ...]) -> list[Field]:
    """Draw sites with noise of the microscope's depth, and cells anywhere in them."""
    rng = np.random.default_rng(0)
    for number in range(min(sites, DISTINCT)):
        for channel in channels:
            image = rng.normal(2000, 300, (SIDE, SIDE)).clip(0, 65535).astype("uint16")
            tifffile.imwrite(folder / f"{number}-{channel}.tiff", image, compression=compression())
    found = []
    for number in range(sites):
        paths = tuple(folder / f"{number % DISTINCT}-{channel}.tiff" for channel in channels)
        found.append(Field("A01", str(number + 1), paths, rng.uniform(0, SIDE - 1, (cells, 2))))
    return found


def draw(network: Network, path: Path) -> Path:
    """Write a checkpoint as Keras does, with drawn weights and batch statistics that change nothing."""
    rng = np.random.default_rng(0)
    shapes = efficientnet.layers(network.planes)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in shapes]
        for name, own in shapes.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{number}".encode() for number in range(len(own))]
            for number, shape in enumerate(own):
                spread = np.sqrt(2 / np.prod(shape[:3])) if len(shape) > 1 else 0
                still = float(name.endswith("bn") and number in (0, 3))  # scale and variance are 1
                group.create_dataset(f"{number}", data=rng.normal(still, spread, shape).astype("float32"))
    return path


def seconds(act: Callable[[], object], device: torch.device, least: float = 1.0) -> float:
    """Return what a call takes on the device, over a second of calls after one that warms it up."""
    act()
    wait(device)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < least:
        act()
        wait(device)
        count += 1
    return (time.perf_counter() - started) / count


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def operations(on: torch_run.Computer, seen: torch.Tensor) -> float:
    """Return the multiplications and additions of a batch, of the convolutions alone."""
    counted: list[float] = []

    def count(layer: torch.nn.Module, given: object, made: torch.Tensor) -> None:
        counted.append(2.0 * made.numel() * layer.weight[0].numel())

    hooks = [part.register_forward_hook(count) for part in on.model.modules() if hasattr(part, "groups")]
    on.features(seen)
    for hook in hooks:
        hook.remove()
    return sum(counted)


def parts(on: torch_run.Computer, field: Field, scratch: Path) -> Iterator[tuple[str, float, str]]:
    """Yield what one site takes in each part by itself (seconds), and a remark."""
    place, cores = on.place, prefetch.cores()
    pixels = load(field)
    decode = seconds(lambda: load(field), torch.device("cpu"))
    yield "decode", decode / cores, f"{len(field.images) / decode:.0f} images/s a core, {cores} cores"
    copy = seconds(lambda: torch_run._laid(place, pixels), place)
    yield "copy", copy, f"{pixels.nbytes / copy / 1e9:.1f} GB/s, and to single precision"
    image = torch_run._laid(place, pixels)
    cells = torch.from_numpy(np.resize(field.cells, (on.cells, 2))).to(place)
    share = len(field.cells) / on.cells
    yield "crop", share * seconds(lambda: crops.shown(image, cells, on.network), place), ""
    seen = crops.shown(image, cells, on.network)
    network = seconds(lambda: on.features(seen), place)
    rate = operations(on, seen) / network / 1e12
    a, b = (torch.rand(MATRIX, MATRIX, device=place) for _ in range(2))
    most = 2 * MATRIX**3 / seconds(lambda: a @ b, place) / 1e12
    yield "network", share * network, f"{rate:.2f} TFLOP/s, {rate / most:.0%} of a matrix product's {most:.2f}"
    made = on.features(seen).cpu().numpy()
    made = np.resize(made, (len(field.cells), on.network.features))
    write = seconds(lambda: embeddings.write(scratch / "a.npz", made, field.cells, {}), torch.device("cpu"))
    yield "write", write / cores, f"{cores} cores"


def whole(network: Network, work: Work) -> tuple[float, int]:
    """Return the seconds of a run from its first image to its last feature, and its cells: nothing is written."""
    made, _ = torch_run.run(network, work)
    next(made)  # the device is warm, and the first images are there
    started = time.perf_counter()
    cells = sum(len(features) for _, features in made)
    return time.perf_counter() - started, cells


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--device", choices=["cpu", "gpu"], default="gpu" if torch.cuda.is_available() else "cpu")
    flags.add_argument("--sites", type=int, default=64)
    flags.add_argument("--cells", type=int, default=150)
    flags.add_argument("--batch", type=int, nargs="*", default=[128, 512])
    flags.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    flags.add_argument("--network", nargs="*", choices=sorted(NETWORKS), default=sorted(NETWORKS))
    args = flags.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.cores)
    print(f"{torch_run.require_device(args.device)}, PyTorch {torch.__version__}, {args.cores} cores, ", end="")
    print(f"{args.sites} sites of {args.cells} cells, images {compression() or 'not compressed'}")
    torch_run.set_up()
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        for network_name in args.network:
            network = NETWORKS[network_name]
            fields = lay(folder, args.sites, args.cells, network.channels)
            checkpoint = draw(network, folder / f"{network_name}.hdf5")
            for batch in args.batch:
                work = Work(fields, (SIDE, SIDE), checkpoint, args.device, batch, folder, lambda name, took: None)
                took, cells = whole(network, work)
                images = cells / args.cells * len(network.channels) / took
                rate = f"{images:.1f} images/s ({images / ANCHOR:.1f} x CPJUMP1's), {cells / took:.0f} cells/s"
                print(f"{network_name}, batch {batch}: {rate}, {1000 * took * args.cells / cells:.1f} ms a site")
                for part, each, remark in parts(torch_run.computer(network, work), fields[0], folder):
                    print(f"    {part:<9}{1000 * each:>9.1f} ms a site   {remark}", flush=True)


if __name__ == "__main__":
    main()

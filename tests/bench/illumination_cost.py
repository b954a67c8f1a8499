"""Measure what illumination costs with both engines: the real wells, all channels; and a plate of 100 drawn sites.

    python tests/bench/illumination_cost.py [--images DIR] [--sites 100]

CPU seconds, and whether the functions are the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime.images import environments  # noqa: E402
from tests.bench.cellprofiler_cost import illumination  # noqa: E402
from tests.stages.cellprofiler.plates import NUMBERS, REAL_IMAGES, Plate, make_plate, real_sites  # noqa: E402


def drawn_plate(folder: Path, sites: int, size: int = 1080) -> Plate:
    """Write sites of noise under one shading, in one channel: noise is as costly to decode as cells are."""
    plate = make_plate(folder, channels=("DNA",), sites=tuple((f"A{n:02d}", "1") for n in range(1, sites + 1)))
    y, x = np.mgrid[:size, :size] / size - 0.5
    random = np.random.default_rng(1)
    for well, site in plate.sites:
        picture = random.integers(300, 3000, (size, size)) * (1 - 0.5 * np.hypot(y, x))
        tifffile.imwrite(plate.image(well, site, "DNA"), picture.astype(np.uint16), compression="lzw")
    return plate


def compare(python: Path, plate: Plate, folder: Path, name: str) -> str:
    """Return a line: what both engines take of a plate, and how far their functions are apart."""
    spent, functions = {}, {}
    for engine in ("stock", "fast"):
        spent[engine] = illumination(python, plate, folder / engine, engine)
        written = sorted(plate.illumination.glob("*_Illum*.npy"))
        functions[engine] = {path.name: np.load(path) for path in written}
        for path in written:
            path.unlink()
    apart = max(np.abs(functions["fast"][name] - function).max() for name, function in functions["stock"].items())
    seconds = {engine: cost.cpu_seconds for engine, cost in spent.items()}
    memory = f"{spent['stock'].peak_mb:.0f}, {spent['fast'].peak_mb:.0f} MB"
    ratio = seconds["stock"] / seconds["fast"]
    times = f"stock {seconds['stock']:.1f}, fast {seconds['fast']:.1f} CPU seconds (ratio {ratio:.1f})"
    return f"{name}: {times}; {memory}; largest difference {apart:.1e}"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--sites", type=int, default=100)
    args = flags.parse_args()
    environments.make("cellprofiler")
    python = environments.python("cellprofiler")
    with tempfile.TemporaryDirectory(prefix="illumination-cost-") as scratch:
        folder = Path(scratch)
        real = Plate(folder / "real", tuple(NUMBERS), real_sites(args.images), at=args.images.resolve())
        real.illumination.mkdir(parents=True)
        real.write_tables()
        print(compare(python, real, folder / "of-real", f"{len(real.sites)} real wells, {len(NUMBERS)} channels"))
        drawn = drawn_plate(folder / "drawn", args.sites)
        print(compare(python, drawn, folder / "of-drawn", f"{args.sites} drawn sites, 1 channel"))


if __name__ == "__main__":
    main()

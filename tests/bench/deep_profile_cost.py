"""What deep features cost without a GPU, by DeepProfiler on TensorFlow and in PyTorch: CPU seconds, images a second.

    python tests/bench/deep_profile_cost.py [sites] [rounds] [network ...]

The sites are copies of the four real CPJUMP1 ones where their files are here, with a cell at each of 150 drawn places:
as many as a site of CPJUMP1 has. The weights are drawn. CPJUMP1 took 8 h for 280,000 images on one V100, 9.7 images/s.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tasks.runtime.images import environments
from tests import real_files
from tests.stages.deepprofiler.plate import CHANNELS, IMAGES, NETWORKS, Plate, call, profile, write_csv

ANCHOR = 9.7
CELLS = 150
NUMBERS = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5}


def lay(folder: Path, sites: int) -> Plate:
    """Return a plate of so many sites, in turn of the four real wells."""
    plate = Plate(folder, "BENCH")
    plate.images.mkdir(parents=True)
    plate.locations.mkdir()
    originals = sorted((real_files.REAL_DATA / "images").glob("*-ch1sk*.tiff"))
    rng = np.random.default_rng(0)
    rows = []
    for number in range(sites):
        site = f"A{number // 9 + 1:02d}-{number % 9 + 1}"
        for channel in CHANNELS:
            name = originals[number % 4].name.replace("-ch1", f"-ch{NUMBERS[channel]}")
            plate.image(site, channel).symlink_to((originals[0].parent / name).resolve())
        plate.locate(site, rng.uniform(0, 1079, (CELLS, 2)).tolist())
        rows.append([plate.barcode, *site.split("-"), *(plate.image(site, name).name for name in CHANNELS)])
    header = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", *(f"FileName_Orig{name}" for name in CHANNELS)]
    write_csv(plate.load_data, [header, *rows])
    return plate


def drawn(network: str, plate: Plate, scratch: Path) -> Path:
    """Return a checkpoint with drawn weights."""
    checkpoint = scratch / f"{network}.hdf5"
    flags = {"barcode": plate.barcode, "features": network, "seed": 0, "write_checkpoint": checkpoint}
    made = call("deepprofiler", "seed_checkpoint", scratch / "seed", network, **plate.inputs, **flags)
    assert made.code == 0, made.stderr
    return checkpoint


@dataclass
class Spent:
    """What the runs of an image took on top of its start: a run of one site is taken off one of all."""

    start: list[float] = field(default_factory=list)
    site: list[float] = field(default_factory=list)
    memory_gb: float = 0.0

    def told(self) -> str:
        each = min(self.site)
        spread = max(self.site) / each - 1
        costs = f"{min(self.start):>9.1f}{each:>12.2f}{1000 * each / CELLS:>13.2f}"
        return f"{costs}{len(CHANNELS) / each:>10.2f}{CELLS / each:>9.1f}{self.memory_gb:>6.1f}{spread:>8.0%}"


def measure(image: str, network: str, plate: Plate, checkpoint: Path, sites: int, spent: Spent, scratch: Path) -> None:
    """Run an image on one site and on all."""
    used = []
    for shard in (f"1/{sites}", "1/1"):
        # In a process of its own, whose children are this run alone.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            seconds, memory_gb = apart.submit(run, image, network, plate, checkpoint, scratch, shard).result()
        used.append(seconds)
    spent.site.append((used[1] - used[0]) / (sites - 1))
    spent.start.append(used[0] - spent.site[-1])
    spent.memory_gb = max(spent.memory_gb, memory_gb)


def run(image: str, network: str, plate: Plate, checkpoint: Path, scratch: Path, shard: str) -> tuple[float, float]:
    """Return the CPU seconds of a run, and the memory of its largest process (GB)."""
    out = scratch / image / network
    done = profile(image, plate, checkpoint, out, forked=False, features=network, shard=shard)
    assert done.code == 0, done.stderr
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main() -> None:
    """Measure both engines in turn, so that what else the machine does meets them alike; the best round is told."""
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    networks = sys.argv[3:] or list(NETWORKS)
    for image in IMAGES:
        environments.make(image)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        plate = lay(scratch / "plate", sites)
        names = ("start s", 9), ("CPU s/site", 12), ("CPU ms/cell", 13), ("images/s", 10), ("cells/s", 9), ("GB", 6)
        header = "".join(f"{name:>{width}}" for name, width in names)
        print(f"{'network':<26}{'image':<14}{header}{'spread':>8}")
        for network in networks:
            checkpoint = drawn(network, plate, scratch)
            found = {image: Spent() for image in IMAGES}
            for _ in range(rounds):
                for image, spent in found.items():
                    measure(image, network, plate, checkpoint, sites, spent, scratch)
            for image, spent in found.items():
                print(f"{network:<26}{image:<14}{spent.told()}", flush=True)
    print(f"images and cells of one core; CPJUMP1 on a V100: {ANCHOR} images/s")


if __name__ == "__main__":
    main()

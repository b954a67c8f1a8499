"""What deep features cost without a GPU: CPU seconds a site and a cell, images a second of a core, memory.

    python tests/bench/deep_profile_cost.py [sites] [network ...]

The sites are copies of the four real CPJUMP1 ones where their files are here, with a cell at each of 150 drawn places:
as many as a site of CPJUMP1 has. The weights are drawn. CPJUMP1 took 8 h for 280,000 images on one V100, 9.7 images/s.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from tasks.runtime import environments
from tests import real_files
from tests.stages.deepprofiler.plate import CHANNELS, Plate, call, profile, write_csv

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


def spent() -> tuple[float, float]:
    """Return the CPU seconds of ended children, and the largest one's memory (GB)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main() -> None:
    """Measure a run of one site and one of all: the difference is what a site costs, without the start."""
    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    networks = sys.argv[2:] or ["cell_painting_cnn", "imagenet_efficientnet_b0"]
    environments.make("deepprofiler")
    python = environments.python("deepprofiler")
    print(f"{'network':<26}{'start s':>9}{'CPU s/site':>12}{'CPU ms/cell':>13}{'images/s':>10}{'cells/s':>9}{'GB':>6}")
    with tempfile.TemporaryDirectory() as scratch:
        plate = lay(Path(scratch) / "plate", sites)
        for network in networks:
            checkpoint = Path(scratch) / f"{network}.hdf5"
            flags = {"barcode": plate.barcode, "features": network, "seed": 0, "write_checkpoint": checkpoint}
            made = call(python, "seed_checkpoint", Path(scratch) / "seed", network, **plate.inputs, **flags)
            assert made.code == 0, made.stderr
            used = []
            for shard in (f"1/{sites}", "1/1"):
                before = spent()
                done = profile(python, plate, checkpoint, Path(scratch) / shard[2:], features=network, shard=shard)
                assert done.code == 0, done.stderr
                used.append(spent()[0] - before[0])
            each = (used[1] - used[0]) / (sites - 1)
            told = f"{network:<26}{used[0] - each:>9.1f}{each:>12.2f}{1000 * each / CELLS:>13.2f}"
            print(f"{told}{5 / each:>10.2f}{CELLS / each:>9.1f}{spent()[1]:>6.1f}", flush=True)
    print(f"images and cells of one core; CPJUMP1 on a V100: {ANCHOR} images/s")


if __name__ == "__main__":
    main()

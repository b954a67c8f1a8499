"""Run in the image's environment: write and read the same values in CellProfiler's store of measurements and in ours.

python store_both_ways.py SEED...       prints how many answers were compared; a difference is an error
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "containers/cellprofiler/plugins"))

import _measurement_store  # noqa: E402
from cellprofiler_core.measurement import _measurements  # noqa: E402
from cellprofiler_core.preferences import set_headless  # noqa: E402

OBJECTS, FEATURES, NUMBERS = ("Image", "Cells", "Nuclei"), ("Area", "Mean", "Name"), (1, 2, 5)
VALUES = (
    [1.5, 2.5, np.nan],
    [1, 2],
    [],
    np.array([3, 4], np.int8),
    np.array([0.1, 0.2], np.float32),
    np.array([], np.float64),
    ["a", "b"],
    np.array([7], np.uint16),
)


def write(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    value = VALUES[step.randrange(len(VALUES))]
    store.add_measurement(*chosen[:2], step.choice([3, 2.5, "x"]) if chosen[0] == "Image" else value, chosen[2])
    return None


def read(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    return store.get_measurement(*chosen)


def read_all(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    return store.get_measurement(chosen[0], chosen[1], list(NUMBERS))


def look(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    names = {name: store.get_feature_names(name) for name in store.get_object_names()}
    known = store.has_feature(*chosen[:2])
    kind = str(store.hdf5_dict.get_feature_dtype(*chosen[:2])) if known else ""
    return names, known, store.has_measurements(*chosen), kind, list(store.get_image_numbers())


def indices(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    """Ask for what only HDF5 has: the values then go there."""
    return list(store.hdf5_dict.get_indices(*chosen[:2]))


def remove(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    return store.remove_measurement(*chosen)


def copied(store, step: random.Random, chosen: tuple[str, str, int]) -> object:
    return read_all(_measurements.Measurements(copy=store), step, chosen)


ACTS = [write] * 8 + [read] * 6 + [read_all] * 3 + [look] * 3 + [indices, remove, copied]


def answer(store, seed: int, step: int) -> str:
    """Do one act, the same for the same seed and step; return the answer or the error as text."""
    chance = random.Random(1000 * seed + step)
    chosen = chance.choice(OBJECTS), chance.choice(FEATURES), chance.choice(NUMBERS)
    act = chance.choice(ACTS)
    try:
        return f"{act.__name__} {chosen}: {act(store, chance, chosen)!r}"
    except Exception as error:
        return f"{act.__name__} {chosen}: {type(error).__name__}"


def main() -> None:
    set_headless()
    compared = 0
    stock_init, stock_dict = _measurements.Measurements.__init__, _measurements.HDF5Dict
    for seed in map(int, sys.argv[1:]):
        both = []
        for install in (lambda: None, _measurement_store.install):
            _measurements.Measurements.__init__, _measurements.HDF5Dict = stock_init, stock_dict
            install()
            store = _measurements.Measurements()
            both.append([answer(store, seed, step) for step in range(80)])
            store.close()
        for step, own in enumerate(both[0]):
            other = both[1][step]
            if own.endswith(": OSError"):  # CellProfiler's store cannot hold it: what follows is not defined
                break
            if own != other:
                sys.exit(f"seed {seed}: CellProfiler's store says\n{own}\nand ours\n{other}")
            compared += 1
    print(compared)


if __name__ == "__main__":
    main()

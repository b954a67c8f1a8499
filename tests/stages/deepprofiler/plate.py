"""A plate of drawn cells for the deepprofiler stages, and how its programs are called."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tasks.runtime.images import environments
from tests.stages import warm

ROOT = Path(__file__).parents[3]
CONTAINERS = ROOT / "containers"
PROGRAMS = CONTAINERS / "deepprofiler"
IMAGES = ("deepprofiler", "deep_torch")
"""One an engine of `[deep_profile] engine`."""
LIBRARIES = {"deepprofiler": ("tensorflow", "h5py", "tifffile"), "deep_torch": ("torch", "h5py", "tifffile")}
"""What the programs import, and takes long. Neither library starts a thread before it computes."""
VARIABLES = (
    ("OMP_NUM_THREADS", "1"),
    ("TF_CPP_MIN_LOG_LEVEL", "2"),
    ("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
    ("TF_NUM_INTEROP_THREADS", "1"),
    ("TF_NUM_INTRAOP_THREADS", "1"),
)
"""What networks.py says before it imports TensorFlow."""
NETWORKS = ("cell_painting_cnn", "imagenet_efficientnet_b0")
BARCODE = "00117013"  # a number to every careless reader
CHANNELS = ("Mito", "AGP", "RNA", "ER", "DNA")
CENTRE = ("Nuclei_Location_Center_X", "Nuclei_Location_Center_Y")
SIDE = 180  # pixels
SITES = ("A01-1", "A01-2", "B02-1")


@dataclass
class Outcome:
    """What a program did."""

    code: int
    stderr: str
    units: dict[str, tuple[str, str]] = field(default_factory=dict)
    """site -> state, reason"""
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass
class Plate:
    """A folder with a plate's images, load_data and locations."""

    folder: Path
    barcode: str = BARCODE

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def locations(self) -> Path:
        return self.folder / "locations"

    @property
    def load_data(self) -> Path:
        return self.folder / "load_data.csv"

    @property
    def inputs(self) -> dict[str, Path]:
        return {"load_data": self.load_data, "images": self.images, "locations": self.locations}

    def image(self, site: str, channel: str) -> Path:
        return self.images / f"{site}-{channel}.tiff"

    def located(self, site: str) -> Path:
        return self.locations / f"{site}-Nuclei.csv"

    def draw(self, sites: Sequence[str] = SITES, cells: int = 5, side: int = SIDE) -> None:
        """Write every site's images, as LZW TIFFs of 16 bits, and where its cells are."""
        self.images.mkdir(parents=True, exist_ok=True)
        self.locations.mkdir(exist_ok=True)
        for number, site in enumerate(sites):
            rng = np.random.default_rng(number)
            centres = rng.uniform(20, side - 20, (cells, 2))
            for channel in CHANNELS:
                tifffile.imwrite(self.image(site, channel), pixels(rng, centres, side), compression="lzw")
            self.locate(site, [[repr(x), repr(y)] for x, y in centres.tolist()])
        header = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", *(f"FileName_Orig{name}" for name in CHANNELS)]
        rows = [[self.barcode, *site.split("-"), *(self.image(site, name).name for name in CHANNELS)] for site in sites]
        write_csv(self.load_data, [header, *rows])

    def locate(self, site: str, centres: Sequence[Sequence[str]]) -> None:
        write_csv(self.located(site), [CENTRE, *centres])


def pixels(rng: np.random.Generator, centres: np.ndarray, side: int) -> np.ndarray:
    """Return a blob for every cell, each of its own size and brightness, on a noisy ground."""
    rows, columns = np.mgrid[:side, :side]
    image = rng.normal(500, 20, (side, side))
    for x, y in centres:
        width = rng.uniform(4, 14)
        image += rng.uniform(2000, 9000) * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
    return image.clip(0, 65535).astype("uint16")


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with open(path, "w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)


def call(
    image: str,
    program: str,
    output: Path,
    plate: str = BARCODE,
    programs: Path | None = None,
    forked: bool = True,
    **flags: object,
) -> Outcome:
    """Run a program of an image, or of a folder, as a stage is run; or start it, libraries and all, as a stage is."""
    environments.make(image)
    programs = programs or CONTAINERS / image
    words = [str(programs / f"{program}.py"), "--plate", plate, "--output", str(output)]
    words += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "PYTHONPATH": str(CONTAINERS), "OMP_NUM_THREADS": "1"}
    python = environments.python(image)
    process = warm.process(python, LIBRARIES[image], VARIABLES) if forked else warm.Cold(python)
    done = process.run(words, environment)
    result, units = output / "result.json", output / "units.jsonl"
    told = json.loads(result.read_text()) if result.exists() else {}
    lines = [json.loads(line) for line in units.read_text().splitlines()] if units.exists() else []
    return Outcome(
        done.returncode, done.stderr, {line["unit"]: (line["state"], line["reason"]) for line in lines}, **told
    )


def profile(
    image: str,
    plate: Plate,
    checkpoint: Path,
    output: Path,
    programs: Path | None = None,
    forked: bool = True,
    **flags: object,
) -> Outcome:
    """Run an image's deep_profile, or that of a folder, on a plate; features lie below output/files."""
    given = {"features": "cell_painting_cnn", "batch_size": 128, "device": "cpu", "checkpoint_sha256": ""}
    given |= {"shard": "1/1", "write_embeddings": output / "files", "checkpoint": checkpoint, **plate.inputs}
    return call(image, "deep_profile", output, plate.barcode, programs, forked, **(given | flags))


def features(output: Path) -> dict[str, np.ndarray]:
    """Return the features of every site that has a file."""
    paths = sorted((output / "files").rglob("*.npz"))
    return {f"{path.parent.name}-{path.stem}": np.load(path)["features"] for path in paths}

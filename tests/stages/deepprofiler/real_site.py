"""The real CPJUMP1 site in the source package of DeepProfiler 0.5.1: five images and 109 nuclei."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.stages.deepprofiler.plate import CHANNELS, Plate, write_csv

CACHE = Path(__file__).parents[3] / ".environments" / "source-of-deepprofiler-0.5.1"
SHA256 = "a2deab70fcd2871844cbacd921eb7365d88e62a11280996d51034839a6627f15"
BELOW = "deepprofiler-0.5.1/tests/data/cpg0000/BR00116991/A01-1/"
NUMBERS = {"Mito": 2, "AGP": 1, "RNA": 3, "ER": 4, "DNA": 5}  # as the plate's Index.idx.xml names the channels


def lay(folder: Path) -> Plate:
    """Return the plate of that one site; skips where the package cannot be fetched."""
    source = _source()
    plate = Plate(folder, "BR00116991")
    plate.images.mkdir(parents=True)
    plate.locations.mkdir()
    for channel, number in NUMBERS.items():
        plate.image("A01-1", channel).write_bytes((source / f"r01c01f01p01-ch{number}sk1fk1fl1.tiff").read_bytes())
    with open(source / "Nuclei.csv", newline="") as lines:
        plate.locate("A01-1", [[row["AreaShape_Center_X"], row["AreaShape_Center_Y"]] for row in csv.DictReader(lines)])
    header = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", *(f"FileName_Orig{name}" for name in CHANNELS)]
    images = [plate.image("A01-1", name).name for name in CHANNELS]
    write_csv(plate.load_data, [header, ["BR00116991", "A01", "1", *images]])
    return plate


def _source() -> Path:
    """Return the folder of the site, fetched once from the package registry and checked."""
    if not (CACHE / BELOW).is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ["download", "-q", "--no-deps", "--no-binary", ":all:", "deepprofiler==0.5.1", "-d", str(CACHE)]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"DeepProfiler's source package cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
        package = CACHE / "deepprofiler-0.5.1.tar.gz"
        assert hashlib.sha256(package.read_bytes()).hexdigest() == SHA256
        with tarfile.open(package) as files:
            files.extractall(CACHE, [each for each in files if each.name.startswith(BELOW)], filter="data")
    return CACHE / BELOW

"""Small plates for CellProfiler's programs: crops of real images where they are at hand, and drawn cells elsewhere."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from tasks.workflow import segmentation
from tests import real_files
from tests.stages import warm

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "containers" / "cellprofiler"
REAL_IMAGES = real_files.REAL_DATA / "images"
NUMBERS = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5, "HighZBF": 6, "LowZBF": 7, "Brightfield": 8}
PLATE = "BR00117013"
LIBRARIES = (
    "javabridge",
    "bioformats.formatreader",
    "boto3",
    "cellprofiler_core.pipeline",
    "cellprofiler_core.worker",
    "cellprofiler_core.utilities.zmq",
    "centrosome.filter",
    "inflect",
    "mahotas.features",
    "matplotlib.figure",
)
"""What CellProfiler imports, and takes long; not its modules, among which it looks for plugins. No Java is started."""
ONE_THREAD = (("OPENBLAS_NUM_THREADS", "1"), ("OMP_NUM_THREADS", "1"))
"""As each CellProfiler is run."""


@dataclass(frozen=True)
class Plate:
    """A plate on disk: its images, load_data tables and (flat) illumination functions."""

    folder: Path
    channels: tuple[str, ...]
    sites: tuple[tuple[str, str], ...]
    at: Path | None = None  # where the images are, if not beside the tables

    @property
    def images(self) -> Path:
        return self.at or self.folder / "images"

    @property
    def illumination(self) -> Path:
        return self.folder / "illumination"

    def image(self, well: str, site: str, channel: str) -> Path:
        row, column = ord(well[0]) - 64, int(well[1:])
        name = f"r{row:02d}c{column:02d}f{int(site):02d}p01-ch{NUMBERS[channel]}sk1fk1fl1.tiff"
        return self.images / name

    def table(self, with_illumination: bool) -> Path:
        return self.folder / ("load_data_with_illum.csv" if with_illumination else "load_data.csv")

    def write_tables(self) -> None:
        for illuminated in (False, True):
            lines = [self._line(well, site, illuminated) for well, site in self.sites]
            with open(self.table(illuminated), "w", newline="") as out:
                table = csv.DictWriter(out, list(lines[0]))
                table.writeheader()
                table.writerows(lines)

    def _line(self, well: str, site: str, illuminated: bool) -> dict[str, str]:
        line = {"Metadata_Plate": PLATE, "Metadata_Well": well, "Metadata_Site": site}
        for channel in self.channels:
            line[f"FileName_Orig{channel}"] = self.image(well, site, channel).name
            line[f"PathName_Orig{channel}"] = "/far/away/images"
            if illuminated:
                line[f"FileName_Illum{channel}"] = f"{PLATE}_Illum{channel}.npy"
                line[f"PathName_Illum{channel}"] = "/far/away/illum"
        return line


def drawn_cells(seed: int, size: int) -> np.ndarray:
    """Return a grey picture of round cells on a grid, jittered and noisy."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    picture = np.full((size, size), 300.0)
    for top in range(32, size - 16, 48):
        for left in range(32, size - 16, 48):
            centre = (top + random.integers(-6, 7), left + random.integers(-6, 7))
            distance = np.hypot(y - centre[0], x - centre[1])
            picture += 6000 * np.clip(1.3 - distance / 14, 0, 1)
    return (picture + random.normal(0, 30, picture.shape)).clip(0, 65535).astype(np.uint16)


def make_plate(folder: Path, channels=("DNA", "RNA"), sites=(("A01", "1"), ("B02", "1")), size: int = 128) -> Plate:
    """Write a plate of drawn cells."""
    plate = Plate(folder, tuple(channels), tuple(sites))
    plate.images.mkdir(parents=True)
    plate.illumination.mkdir()
    for place, (well, site) in enumerate(plate.sites):
        for channel in plate.channels:
            picture = drawn_cells(place, size) // (1 + NUMBERS[channel] % 3)
            tifffile.imwrite(plate.image(well, site, channel), picture, compression="lzw")
    for channel in plate.channels:
        np.save(plate.illumination / f"{PLATE}_Illum{channel}.npy", np.ones((size, size), np.float32))
    plate.write_tables()
    return plate


def real_sites(images: Path) -> tuple[tuple[str, str], ...]:
    """Return the (well, site) pairs that a folder of images holds."""
    names = sorted({path.name[:9] for path in images.glob("*.tiff")})
    places = [re.match(r"r(\d+)c(\d+)f(\d+)", name) for name in names]
    return tuple((f"{chr(64 + int(place[1]))}{int(place[2]):02d}", str(int(place[3]))) for place in places if place)


def crop_plate(folder: Path, channels: tuple[str, ...], wells: int = 4, size: int = 192) -> Plate:
    """Write crops of real wells, with flat illumination functions."""
    real_files.needed()
    sites = real_sites(REAL_IMAGES)[:wells]
    plate = Plate(folder, channels, sites)
    plate.images.mkdir(parents=True)
    plate.illumination.mkdir()
    for well, site in sites:
        for channel in channels:
            name = plate.image(well, site, channel).name
            whole = tifffile.imread(REAL_IMAGES / name)
            tifffile.imwrite(plate.images / name, whole[400 : 400 + size, 400 : 400 + size], compression="lzw")
    for channel in channels:
        np.save(plate.illumination / f"{PLATE}_Illum{channel}.npy", np.ones((size, size), np.float32))
    plate.write_tables()
    return plate


def shaded_functions(plate: Plate, size: int) -> None:
    """Write illumination functions that are brighter towards the edge, another for each channel."""
    plate.illumination.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:size, :size] / size - 0.5
    for channel in plate.channels:
        function = 1 + 0.4 * np.hypot(y, x) + 0.01 * NUMBERS[channel]
        np.save(plate.illumination / f"{PLATE}_Illum{channel}.npy", function)


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and what it left below its --output."""

    code: int
    stderr: str
    output: Path
    stdout: str = ""

    @property
    def files(self) -> Path:
        return self.output / "files"

    @property
    def analysis(self) -> Path:
        return self.files / "analysis"

    def units(self) -> dict[str, str]:
        """Return each unit's state."""
        path = self.output / "units.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {record["unit"]: record["state"] for record in records}

    def facts(self) -> dict[str, object]:
        return json.loads((self.output / "result.json").read_text())["facts"]

    def cellprofiler_started(self) -> bool:
        return "Times reported are CPU" in self.stderr or "Image # 1" in self.stderr


@dataclass(frozen=True)
class Programs:
    """The image's programs, run with its interpreter as the host runs them."""

    python: Path
    scratch: Path
    containers: Path = REPOSITORY / "containers"
    forked: bool = True
    """Fork the program and its CellProfiler; else start both, libraries and all, as a stage is."""

    def run(self, program: str, *words: object) -> Outcome:
        output = Path(words[words.index("--output") + 1])
        temporary = self.scratch / "tmp"
        temporary.mkdir(exist_ok=True)
        command = [str(self.containers / "cellprofiler" / program), *map(str, words)]
        own = {"PYTHONPATH": str(self.containers)}
        environment = {**os.environ, **own, "TMPDIR": str(temporary), "MPLCONFIGDIR": str(temporary)}
        process = warm.process(self.python, LIBRARIES, ONE_THREAD) if self.forked else warm.Cold(self.python)
        ran = process.run(command, environment, self.scratch)
        return Outcome(ran.returncode, ran.stderr, output, ran.stdout)

    def illumination(
        self,
        plate: Plate,
        output: Path,
        shard: str = "1/1",
        pipeline: Path | None = None,
        engine: str = "fast",
        max_failed_fraction: float = 0.0,
    ) -> Outcome:
        return self.run(
            "illumination.py", "--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images,
            "--pipeline", pipeline or FOLDER / "pipelines/illumination.cppipe", "--engine", engine,
            "--write_illumination", output / "files", "--output", output, "--shard", shard,
            "--max_failed_fraction", max_failed_fraction,
        )  # fmt: skip

    def measure(
        self,
        plate: Plate,
        output: Path,
        shard: str = "1/1",
        pipeline: Path | None = None,
        engine: str = "fast",
        audit_sites: int = 0,
        cells: Mapping[str, str] | None = None,
        masks: Path | None = None,
        tables: str = "csv",
        cell_values: str = "float64",
    ) -> Outcome:
        found = {**segmentation.plain(), **(cells or {}), **({"masks": str(masks)} if masks else {})}
        return self.run(
            "measure.py", "--plate", PLATE, "--load_data_with_illum", plate.table(True), "--images", plate.images,
            "--illumination", plate.illumination, "--pipeline", pipeline or FOLDER / "pipelines/analysis.cppipe",
            "--engine", engine, "--audit_sites", audit_sites, "--shard", shard,
            "--tables", tables, "--cell_values", cell_values,
            "--write_analysis", output / "files/analysis", "--output", output, *words_of(found),
        )  # fmt: skip

    def import_masks(
        self, plate: Plate, labels: Path, output: Path, nuclei_channel: str = "DNA", unpaired: str = "stop"
    ) -> Outcome:
        return self.run(
            "import_masks.py", "--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images,
            "--labels", labels, "--nuclei_channel", nuclei_channel, "--unpaired", unpaired,
            "--write_masks", output / "files", "--output", output, "--shard", "1/1",
        )  # fmt: skip

    def montage(self, plate: Plate, analysis: Path, output: Path) -> Outcome:
        return self.run(
            "montage.py", "--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images,
            "--analysis", analysis, "--write_montage", output / f"files/{PLATE}_montage.png", "--output", output,
        )  # fmt: skip


def words_of(flags: Mapping[str, str]) -> list[str]:
    """Return flags as words of a command line."""
    return [word for name, value in flags.items() for word in (f"--{name}", value)]


def rendered(
    programs: Programs,
    channels: tuple[str, ...],
    name: str = "analysis.cppipe",
    cells: Mapping[str, str] | None = None,
) -> str:
    """Return the text of one of our pipelines, as the programs render it; `cells` is what `measure` is told."""
    flags = words_of({**segmentation.plain(), **(cells or {})})
    return _rendered(programs.python, channels, name, tuple(flags))


@functools.cache
def _rendered(python: Path, channels: tuple[str, ...], name: str, flags: tuple[str, ...]) -> str:
    words = f"""
import argparse, pathlib, pipelines, segmentation
text = pipelines.read(pathlib.Path({str(FOLDER / "pipelines" / name)!r}))
flags = argparse.ArgumentParser()
segmentation.add_flags(flags)
text = segmentation.fill('x', text, flags.parse_args({list(flags)!r}), {list(channels)!r})
"""
    show = f"print(pipelines.render('x', text, {list(channels)!r}).text, end='')"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), str(REPOSITORY / "containers")])}
    ran = subprocess.run(
        [python, "-c", f"{words}\n{show}"], env=environment, capture_output=True, text=True, check=False
    )
    return ran.stdout or ran.stderr


def second_pipeline(programs: Programs, target: Path) -> Path:
    """Write a pipeline of other modules and settings than ours, for eight channels, and return where."""
    ours = target.with_suffix(".ours")
    ours.write_text(rendered(programs, tuple(NUMBERS)))
    script = Path(__file__).with_name("second_pipeline.py")
    subprocess.run([programs.python, script, ours, target], cwd=target.parent, capture_output=True, check=True)
    return target


def without_modules(text: str, *names: str) -> str:
    """Return a pipeline without these modules."""
    head, *modules = re.split(r"\n(?=\w+:\[module_num)", text)
    return "\n".join([head, *(module for module in modules if module.split(":")[0] not in names)])

"""Call a program of the gallery image in this process, on a plate of tiny TIFFs."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks.dataset import layout
from tasks.workflow import pipeline
from tests.unit.fakes import PLATE, lay_table

FOLDER = layout.CONTAINERS / "gallery"
Row = Mapping[str, str]


def name(row: int, column: int, channel: int, field: int = 1, plane: int = 1) -> str:
    return f"r{row:02d}c{column:02d}f{field:02d}p{plane:02d}-ch{channel}sk1fk1fl1.tiff"


def lay(folder: Path, names: Iterable[str], shape: tuple[int, ...] = (8, 8), kind: type = np.uint16) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for each in names:
        tifffile.imwrite(folder / each, np.zeros(shape, kind), compression="lzw")
    return folder


def claim_many_pixels(path: Path) -> None:
    """Make a TIFF of some hundred bytes claim to be 3.6 billion pixels."""
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16), compression="lzw")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[tag].overwrite(60_000, dtype="I")
    assert path.stat().st_size < 1000


@dataclass
class Done:
    """How a program ended, and what it left."""

    code: int
    said: str
    files: Path

    @property
    def result(self) -> dict[str, object]:
        return json.loads((self.files.parent / "result.json").read_text())

    def table(self, name: str, separator: str = ",") -> list[Row]:
        with open(self.files / name, newline="") as handle:
            return list(csv.DictReader(handle, delimiter=separator))

    @property
    def faults(self) -> list[tuple[str, ...]]:
        """Return severity, rule, unit and file of every fault."""
        rows = self.table("preflight.tsv", "\t")
        return [(row["severity"], row["rule"], row["unit"], row["file"]) for row in rows]


@dataclass
class Gallery:
    """A plate's folder of images and its platemap, and the programs that look at them."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    flags: dict[str, str] = field(default_factory=dict)
    planes: list[Path] = field(default_factory=list)
    """The index of an added plate."""
    z: str = ""
    time: str = ""
    imported: str = "false"

    @property
    def images(self) -> Path:
        return self.folder / "Images"

    def lay(self, *names: str, **how: object) -> None:
        lay(self.images, names, **how)  # type: ignore[arg-type]

    def map(self, *wells: str) -> None:
        lay_table(self.folder / "map.txt", "\t", ["well_position", "broad_sample"], [[well, ""] for well in wells])

    def run(self, program: str = "load_data.py", **flags: str) -> Done:
        out = self.folder / "out"
        (out / "files").mkdir(parents=True, exist_ok=True)
        outputs = {"load_data": "load_data.csv", "load_data_with_illum": "load_data_with_illum.csv"}
        given = {
            "plate": PLATE, "images": self.images, "platemap": self.folder / "map.txt",
            "pattern": pipeline.HARMONY_NAMES, "channels": pipeline.CPJUMP1_CHANNELS, "expected_images": "0",
            "exclude": "", "ignore": pipeline.IGNORED_NAMES,
            "faulty_sites": "stop", "image_folder": "p/images", "illumination_folder": "p/illum",
            **{f"write_{key}": out / "files" / file for key, file in outputs.items()},
            "write_preflight": out / "files" / "preflight.tsv", "output": out, **self.flags, **flags,
        }  # fmt: skip
        words = [str(word) for key, value in given.items() for word in (f"--{key}", value)]
        if program == "load_data.py":
            words += ["--planes", *map(str, self.planes), "--z", self.z, "--time", self.time]
            words += ["--imported", self.imported]
        self.patch.setattr(sys, "argv", [program, *words])
        self.patch.syspath_prepend(str(FOLDER))
        # Another image has modules of the same names, which a test of it may have imported.
        others = {name: module for name, module in sys.modules.items() if _is_of_an_image(module)}
        for name in others:
            del sys.modules[name]
        try:
            runpy.run_path(str(FOLDER / program), run_name="__main__")
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            for name in [name for name, module in sys.modules.items() if _is_of_an_image(module)]:
                del sys.modules[name]
            sys.modules.update(others)
        return Done(code, self.capture.readouterr().err, out / "files")


def _is_of_an_image(module: object) -> bool:
    """Say whether a module lies beside an image's programs; stagekit and its like are packages of their own."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.startswith(f"{layout.CONTAINERS}/"):  # of a thousand modules, twice a call
        return False
    folder = Path(path).parent
    return folder.parent == layout.CONTAINERS and (folder / "stages.toml").exists()

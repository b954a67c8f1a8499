"""Draw what CellProfiler would write of a plate, and publish it as `measure` does, as csv files and as Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.stages import warm

CONTAINERS = Path(__file__).parents[3] / "containers"
PLATE = "00117013"
COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
CENTRE = ("Location_Center_X", "Location_Center_Y")
SITES = {"A01-1": 7, "A01-2": 0, "A01-10": 9, "A02-1": 0, "B01-3": 5, "AA01-1": 8}
"""The cells of each site: a site and a well without any, and a site that texts would sort before another."""
PUBLISH = """
import json, sys
from pathlib import Path
import site_folders, site_tables
from site_folders import Site
produced, target, plate, form, kind, names, whole = json.loads(sys.argv[1])
rows = [dict(zip(("Metadata_Well", "Metadata_Site"), name.split("-"))) for name in names]
for name, row in zip(names, rows):
    row.update({"Metadata_Plate": plate, "FileName_OrigDNA": f"{name}.tiff"})
sites = [Site(row, 1 + whole.index(name)) for name, row in zip(names, rows)]
if form == "csv":
    site_folders.publish(Path(produced), plate, sites, Path(target))
else:
    site_tables.publish(Path(produced), plate, sites, whole, kind, Path(target))
"""


@dataclass(frozen=True)
class MeasuredPlate:
    """What CellProfiler wrote of some sites, and the interpreter of its environment."""

    python: Path
    folder: Path

    def publish(self, name: str, form: str, sites: Sequence[str] = tuple(SITES), kind: str = "float64") -> Path:
        """Publish some of the plate's sites below a folder, in the form csv or parquet."""
        target = self.folder / name
        target.mkdir(exist_ok=True)
        produced = self.folder / "produced" / "-".join(sites)
        for site in sites if not produced.exists() else ():
            write_site(produced / f"{PLATE}-{site}", site)
        given = [str(produced), str(target), PLATE, form, kind, list(sites), list(SITES)]
        program = self.folder / "publish.py"
        program.write_text(PUBLISH)
        process = warm.process(self.python, ("numpy", "pyarrow.parquet"), ())
        environment = {**os.environ, "PYTHONPATH": f"{CONTAINERS / 'cellprofiler'}:{CONTAINERS}"}
        done = process.run([str(program), json.dumps(given)], environment)
        assert done.returncode == 0, done.stderr
        return target


def write_site(folder: Path, site: str) -> None:
    """Write a site's csv files: cells without a nucleus, nuclei without a cell, and cytoplasms in another order."""
    folder.mkdir(parents=True)
    cells, (well, number) = SITES[site], site.split("-")
    rng = np.random.default_rng([ord(letter) for letter in site])
    objects = {"Cells": cells, "Cytoplasm": max(cells - 2, 0), "Nuclei": max(cells - 1, 0)}
    image: dict[str, Any] = {f"Count_{name}": float(count) for name, count in objects.items()}
    image |= {"ExecutionTime_01LoadData": 0.1, "FileName_OrigDNA": f"{site}.tiff", "ImageNumber": 1}
    image |= {"MD5Digest_OrigDNA": "1e5", "Metadata_Plate": PLATE, "Metadata_Site": number, "Metadata_Well": well}
    image |= {"Mean_Nothing": "", "Mean_DNA": rng.random(), "Mean_Undefined": "nan", "Kind_Text": f"text of {site}"}
    write_csv(folder / "Image.csv", [list(image), list(image.values())])
    write_csv(folder / "Experiment.csv", [["Key", "Value"], ["CellProfiler_Version", "4"], ["Run_Timestamp", "now"]])
    for name, count in objects.items():
        parents = ["Parent_Cells", "Parent_Nuclei"] if name == "Cytoplasm" else []
        header = ["ImageNumber", "ObjectNumber", "AreaShape_Area", *CENTRE, "Never_Has", *parents, "Texture_X_DNA"]
        values = rng.normal(0, 1e3, (count, 4)).astype(object)
        values[rng.random((count, 4)) < 0.2] = "nan"
        own = [rng.permutation(objects[parent])[:count] + 1 for parent in ("Cells", "Nuclei")] if parents else []
        centres = rng.random((count, 2)) * 100
        rows = [
            [1, at + 1, values[at, 0], *centres[at], "nan", *(each[at] for each in own), values[at, 3]]
            for at in range(count)
        ]
        write_csv(folder / f"{name}.csv", [header, *rows])


def write_csv(path: Path, rows: list[list[Any]]) -> None:
    with open(path, "w", newline="") as lines:
        csv.writer(lines).writerows(rows)

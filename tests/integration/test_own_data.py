"""A lab's own plate: its own project, names, channels and tables, by settings alone; and a look before the expense."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from data.demo.plan import BATCH as DEMO
from data.demo.plan import CHANNELS, FOUR_WELLS
from data.demo.plan import PLATES as DEMO_PLATES
from tasks.runtime.images import environments
from tests.integration.toolkit import Toolkit

pytestmark = pytest.mark.engine("process")

BATCH, PLATE = "screen_1", "00042"  # a number to every careless reader
DYES = {"DNA": "405", "RNA": "514", "AGP": "568"}
SETTINGS = {
    "load_data": {
        "pattern": r"img_(?P<well>[A-Z]\d+)_f(?P<site>\d+)_(?P<channel>\d+)nm\.tif",
        "channels": ",".join(f"{dye}={channel}" for channel, dye in DYES.items()),
    },
    "dataset": {"external_metadata": "compounds.tsv"},
}


@dataclass
class Lab(Toolkit):
    """A data root of a lab's own project."""

    @property
    def dataset(self) -> Path:
        return self.root / "mylab" / "scope"

    def configure(self) -> dict[str, str]:
        environment = super().configure()
        path = self.folder / "luigi.cfg"
        text = path.read_text().replace("project = cpg0000-jump-pilot", "project = mylab")
        path.write_text(text.replace("source = source_4", "source = scope"))
        return environment


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Lay three channels of the demo's four wells under names of the lab's own, without its counters."""
    made = Lab(tmp_path_factory.mktemp("lab"), "process", SETTINGS)
    drawn = Toolkit(tmp_path_factory.mktemp("drawn"), "process")
    drawn.draw(DEMO_PLATES[0], ",".join(FOUR_WELLS))
    images = made.dataset / "images" / BATCH / "images" / PLATE
    images.mkdir(parents=True)
    for path in drawn.images(DEMO, DEMO_PLATES[0]).iterdir():
        row, column, number = (int(part) for part in re.findall(r"r(\d+)c(\d+)f.*-ch(\d+)", path.name)[0])
        if CHANNELS[number - 1] in DYES:
            path.rename(images / f"img_{chr(64 + row)}{column}_f1_{DYES[CHANNELS[number - 1]]}nm.tif")
    platemaps = made.dataset / "workspace/metadata/platemaps" / BATCH
    (platemaps / "platemap").mkdir(parents=True)
    (platemaps / "barcode_platemap.csv").write_text(f"Assay_Plate_Barcode,Plate_Map_Name\n{PLATE},layout_1\n")
    wells = "".join(f"{well}\tC{number}\n" for number, well in enumerate(FOUR_WELLS))
    (platemaps / "platemap" / "layout_1.txt").write_text("well_position\tbroad_sample\n" + wells)
    compounds = made.dataset / "workspace/metadata/external_metadata/compounds.tsv"
    compounds.parent.mkdir(parents=True)
    kinds = "".join(f"C{at}\t{'control' if at < 2 else 'trt'}\t{'negcon' if at < 2 else ''}\n" for at in range(4))
    compounds.write_text("broad_sample\tpert_type\tcontrol_type\n" + kinds)
    return made


def test_a_sample_of_a_labs_own_plate_is_measured_and_drawn(lab: Lab) -> None:
    done = lab.luigi("RunPlate", "--sample", "2", "--batch-id", BATCH, "--plate", PLATE)
    folder = lab.dataset / "workspace/quality_control" / BATCH / PLATE / "sample"

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((folder / "analysis").iterdir())) == 2
    assert sorted(path.name for path in (folder / "illum").iterdir()) == sorted(
        f"{PLATE}_Illum{channel}.npy" for channel in DYES
    )
    assert min(Image.open(folder / f"{PLATE}_sample.png").size) > 400


def test_the_plan_of_a_labs_own_plate_counts_its_files(lab: Lab) -> None:
    done = lab.tasks("plan", "--batch-id", BATCH, "--json")
    plan = json.loads(done.stdout)
    images = lab.dataset / "images" / BATCH / "images" / PLATE

    assert plan["plates"] == [PLATE]
    assert plan["fetched_bytes"] == 0
    assert plan["disk_bytes"] > sum(path.stat().st_size for path in images.iterdir()) / 10


def plates_of(files: list[Path]) -> list[object]:
    """Return the plates that Parquet files name, by the reader of the environment that wrote them."""
    script = "import json, sys, pyarrow.parquet as p; "
    script += "print(json.dumps(p.read_table(sys.argv[1:], columns=['Metadata_Plate'])[0].unique().to_pylist()))"
    words = [str(environments.python("pycytominer")), "-c", script.replace("sys.argv[1:]", repr(list(map(str, files))))]
    found: list[object] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found


def test_a_plate_whose_name_reads_as_a_number_keeps_it_in_every_file(lab: Lab) -> None:
    done = lab.luigi("RunPlate", "--batch-id", BATCH, "--plate", PLATE)
    workspace = lab.dataset / "workspace"
    (sqlite,) = (workspace / "backend" / BATCH / PLATE).glob("*.sqlite")
    parquet = sorted((workspace / "backend" / BATCH / PLATE).rglob("*.parquet"))
    tables = sorted((workspace / "profiles" / BATCH / PLATE).glob("*.csv.gz"))
    images = sorted((workspace / "analysis" / BATCH / PLATE).rglob("Image.csv"))

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {path.parent.name for path in images} == {f"{PLATE}-{well}-1" for well in FOUR_WELLS}
    assert sqlite.name == f"{PLATE}.sqlite"
    with closing(sqlite3.connect(sqlite)) as database:
        assert database.execute("SELECT DISTINCT Metadata_Plate FROM Image").fetchall() == [(PLATE,)]
    assert len(parquet) == len(FOUR_WELLS)
    assert plates_of(parquet) == [PLATE]
    assert len(tables) > 5
    for path in (*images, *tables):
        assert set(pd.read_csv(path, dtype=str, keep_default_na=False)["Metadata_Plate"]) == {PLATE}, path

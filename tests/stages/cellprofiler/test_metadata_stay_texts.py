"""Names that read as numbers stay names: CellProfiler takes 00042 for 42, and 1E5 for 100000.0."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tasks.workflow import segmentation
from tests.stages.cellprofiler.plates import FOLDER, PLATE, Outcome, Plate, Programs, make_plate, rendered, words_of
from tests.stages.cellprofiler.plates import without_modules as without
from tests.stages.cellprofiler.test_cellprofiler_runs import MEASUREMENTS

# A text, and how LoadData may type it: as a number only if that is written as the text is.
TYPES = {
    "00042": "varchar", "1E5": "varchar", "3.10": "varchar", "2023_05_12": "varchar", "nan": "varchar",
    "inf": "varchar", "infinity": "varchar", "+5": "varchar", "1e400": "varchar", " 5": "varchar", "True": "varchar",
    "P1": "varchar", "4000123456": "varchar", "": "varchar", "42": "integer", "-5": "integer", "0": "integer",
    "2.5": "float",
}  # fmt: skip
SITES = (("A01", "01"), ("A01", "2"), ("B02", "010"))


def renamed(plate: Plate, name: str) -> Plate:
    """Write the tables and illumination functions of a plate under another name, with a column of odd numbers."""
    for path in (plate.table(False), plate.table(True)):
        head, *rows = path.read_text().replace(PLATE, name).splitlines()
        path.write_text("\n".join([f"{head},Metadata_Dose", *(f"{row},0.50" for row in rows)]) + "\n")
    for path in list(plate.illumination.iterdir()):
        path.rename(path.with_name(path.name.replace(PLATE, name)))
    return plate


def measured(programs: Programs, plate: Plate, name: str, output: Path, engine: str) -> Outcome:
    pipeline = output.with_suffix(".cppipe")
    pipeline.write_text(without(rendered(programs, plate.channels), *MEASUREMENTS))
    return programs.run(
        "measure.py", "--plate", name, "--load_data_with_illum", plate.table(True), "--images", plate.images,
        "--illumination", plate.illumination, "--pipeline", pipeline, "--engine", engine, "--audit_sites", 0,
        "--tables", "csv", "--cell_values", "float64",
        "--shard", "1/1", "--write_analysis", output / "files/analysis", "--output", output,
        *words_of(segmentation.plain()),
    )  # fmt: skip


def one_image(folder: Path) -> dict[str, str]:
    with open(folder / "Image.csv", newline="") as source:
        (row,) = csv.DictReader(source)
    return row


def test_a_text_is_a_number_only_if_that_is_written_as_the_text_is(cellprofiler_python: Path):
    script = "import json, sys; sys.path.insert(0, sys.argv[1]); import _text_metadata; _text_metadata.install(); "
    script += "from cellprofiler_core.utilities.core.modules import load_data; "
    script += "print(json.dumps([load_data.get_loaddata_type(text) for text in json.loads(sys.argv[2])]))"
    words = [cellprofiler_python, "-c", script, FOLDER / "plugins", json.dumps(list(TYPES))]
    ran = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)

    assert dict(zip(TYPES, json.loads(ran.stdout), strict=True)) == TYPES


CASES = [("00042", "fast"), ("00042", "stock"), ("1E5", "fast"), ("nan", "fast")]


@pytest.mark.parametrize(("name", "engine"), CASES, ids=lambda word: word)
def test_a_plate_is_measured_under_its_own_name(programs: Programs, tmp_path: Path, name: str, engine: str):
    plate = renamed(make_plate(tmp_path / "plate", sites=SITES if name == "00042" else SITES[:1], size=96), name)
    outcome = measured(programs, plate, name, tmp_path / "out", engine)

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert {folder.name for folder in outcome.analysis.iterdir()} == {f"{name}-{w}-{s}" for w, s in plate.sites}
    for well, site in plate.sites:
        folder = outcome.analysis / f"{name}-{well}-{site}"
        image = one_image(folder)
        outlines = {path.name for path in (folder / "outlines").iterdir()}

        assert (image["Metadata_Plate"], image["Metadata_Well"], image["Metadata_Site"]) == (name, well, site)
        assert image["Metadata_Dose"] == "0.50"
        assert outlines == {f"{well}_s{site}--{kind}_outlines.png" for kind in ("cell", "nuclei")}
        assert {image["FileName_CellOutlines"], image["FileName_NucleiOutlines"]} == outlines


@pytest.mark.parametrize(("name", "engine"), [("00042", "stock"), ("1E5", "fast")])
def test_its_illumination_functions_bear_its_own_name(programs: Programs, tmp_path: Path, name: str, engine: str):
    plate = renamed(make_plate(tmp_path / "plate", channels=("DNA",), sites=SITES[:2], size=64), name)
    outcome = programs.run(
        "illumination.py", "--plate", name, "--load_data", plate.table(False), "--images", plate.images,
        "--pipeline", FOLDER / "pipelines/illumination.cppipe", "--engine", engine, "--shard", "1/1",
        "--write_illumination", tmp_path / "out/files", "--output", tmp_path / "out", "--max_failed_fraction", 0,
    )  # fmt: skip

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert [path.name for path in outcome.files.iterdir()] == [f"{name}_IllumDNA.npy"]

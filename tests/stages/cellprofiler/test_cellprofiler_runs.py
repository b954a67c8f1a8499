"""CellProfiler itself runs: what comes out is whole, the same in any shards, and no failure passes for success."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.stages.cellprofiler.plates import (
    PLATE,
    Outcome,
    Plate,
    Programs,
    crop_plate,
    make_plate,
    rendered,
    without_modules,
)

CHANNELS = ("AGP", "RNA", "DNA")
FAMILIES = {"AreaShape", "Correlation", "Granularity", "Intensity", "Location", "RadialDistribution", "Texture"}
MEASUREMENTS = (
    "MeasureColocalization",
    "MeasureGranularity",
    "MeasureObjectIntensity",
    "MeasureObjectNeighbors",
    "MeasureObjectIntensityDistribution",
    "MeasureObjectSizeShape",
    "MeasureTexture",
)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Plate:
    return crop_plate(tmp_path_factory.mktemp("crops") / "plate", CHANNELS, wells=2)


@pytest.fixture(scope="module")
def whole(cellprofiler_python: Path, crops: Plate, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the plate measured in one run, which is started as a stage is; those it is compared with are forked."""
    scratch = tmp_path_factory.mktemp("whole")
    return Programs(cellprofiler_python, scratch, forked=False).measure(crops, scratch / "out")


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as source:
        return list(csv.DictReader(source))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_site_gets_its_folder(whole: Outcome, crops: Plate):
    names = {path.name for path in whole.analysis.iterdir()}
    well, site = crops.sites[0]

    assert whole.code == 0, whole.stderr[-2000:]
    assert names == {f"{PLATE}-{well}-{site}" for well, site in crops.sites}
    assert sorted(digests(whole.analysis / f"{PLATE}-{well}-{site}")) == [
        "Cells.csv",
        "Cytoplasm.csv",
        "Experiment.csv",
        "Image.csv",
        "Nuclei.csv",
        f"outlines/{well}_s{site}--cell_outlines.png",
        f"outlines/{well}_s{site}--nuclei_outlines.png",
    ]


def test_every_site_is_reported_as_it_ends(whole: Outcome, crops: Plate):
    assert whole.units() == {f"{well}-{site}": "ok" for well, site in crops.sites}


def test_the_manifest_gets_the_pipeline_and_the_version(whole: Outcome):
    facts = whole.facts()

    assert facts["cellprofiler"] == "4.2.8.1"
    assert facts["pipeline"] == "analysis.cppipe"
    assert re.fullmatch("[0-9a-f]{64}", str(facts["pipeline_sha256"]))


@pytest.mark.parametrize("compartment", ["Cells", "Cytoplasm", "Nuclei"])
def test_every_feature_family_is_there_and_finite(whole: Outcome, compartment: str):
    for folder in whole.analysis.iterdir():
        rows = table(folder / f"{compartment}.csv")
        values = np.array([[float(cell) for cell in row.values()] for row in rows])

        assert len(rows) >= 3
        assert {name.split("_")[0] for name in rows[0]} >= FAMILIES
        assert np.isfinite(values).mean() > 0.99
    assert "Correlation_Correlation_AGP_DNA" in rows[0]
    assert "Texture_Contrast_AGP_3_00_256" in rows[0]


def test_image_numbers_count_the_whole_plate(whole: Outcome):
    folders = sorted(whole.analysis.iterdir())

    assert [table(folder / "Image.csv")[0]["ImageNumber"] for folder in folders] == ["1", "2"]
    assert {row["ImageNumber"] for row in table(folders[1] / "Cells.csv")} == {"2"}


def test_nothing_of_the_run_is_in_the_tables(whole: Outcome, crops: Plate):
    folder = next(whole.analysis.iterdir())
    columns = table(folder / "Image.csv")[0]
    text = "".join(path.read_text() for path in folder.glob("*.csv"))

    assert not [name for name in columns if name.startswith(("ExecutionTime_", "PathName_", "URL_"))]
    assert str(crops.folder.parent) not in text
    assert "Timestamp" not in text


def test_a_shard_gives_the_same_bytes_as_the_whole_plate(
    programs: Programs, whole: Outcome, crops: Plate, tmp_path: Path
):
    shard = programs.measure(crops, tmp_path / "out", shard="2/2")
    name = f"{PLATE}-{crops.sites[1][0]}-{crops.sites[1][1]}"

    assert shard.code == 0
    assert [folder.name for folder in shard.analysis.iterdir()] == [name]
    assert digests(shard.analysis / name) == digests(whole.analysis / name)


def test_a_shard_without_wells_ends_well(programs: Programs, crops: Plate, tmp_path: Path):
    outcome = programs.measure(crops, tmp_path / "out", shard="1/3")

    assert outcome.code == 0
    assert outcome.units() == {}
    assert list(outcome.analysis.iterdir()) == []


def test_the_montage_shows_the_wells_with_their_outlines(
    programs: Programs, whole: Outcome, crops: Plate, tmp_path: Path
):
    outcome = programs.montage(crops, whole.analysis, tmp_path / "out")

    assert outcome.code == 0, outcome.stderr
    assert "left no outlines" not in outcome.stderr
    assert outcome.facts()["channels"] == {"red": "AGP", "green": "RNA", "blue": "DNA"}
    assert (outcome.files / f"{PLATE}_montage.png").read_bytes().startswith(b"\x89PNG")


def small_pipeline(programs: Programs, tmp_path: Path, edit) -> Path:
    """Write the pipeline without its slow measurements, edited."""
    text = without_modules(rendered(programs, ("DNA", "RNA")), *MEASUREMENTS)
    path = tmp_path / "own.cppipe"
    path.write_text(edit(text))
    return path


@pytest.fixture
def one_site(tmp_path: Path) -> Plate:
    return make_plate(tmp_path / "plate", sites=(("A01", "1"),))


def test_a_pipeline_with_an_unknown_module_is_refused(programs: Programs, one_site: Plate, tmp_path: Path):
    pipeline = small_pipeline(programs, tmp_path, lambda text: text.replace("OverlayOutlines:[", "DrawOutlines:["))
    outcome = programs.measure(one_site, tmp_path / "out", pipeline=pipeline)

    assert outcome.code == 65
    assert "CellProfiler failed before its first site, A01-1" in outcome.stderr
    assert "DrawOutlines" in outcome.stderr
    assert outcome.units() == {"A01-1": "skipped"}
    assert "Image # 1" not in outcome.stderr


def test_a_pipeline_that_leaves_out_a_compartment_is_refused(programs: Programs, one_site: Plate, tmp_path: Path):
    def only_nuclei(text: str) -> str:
        text = text.replace("Export all measurement types?:Yes", "Export all measurement types?:No")
        objects = [
            "    Data to export:{}",
            "    Combine these object measurements with those of the previous object?:No",
            "    File name:DATA.csv",
            "    Use the object name for the file name?:Yes",
        ]
        start = text.index("    Data to export:")
        return text[:start] + "\n".join(
            line.format(name) for name in ("Image", "Experiment", "Nuclei") for line in objects
        )

    outcome = programs.measure(one_site, tmp_path / "out", pipeline=small_pipeline(programs, tmp_path, only_nuclei))

    assert outcome.code == 65
    assert "reported success but wrote no Cells.csv" in outcome.stderr


@pytest.mark.parametrize(
    "setting",
    [
        "Select the objects:Nuclei, Cells",
        "Select metadata tags for grouping:Plate, Well",
        "Select objects to measure:Nuclei,Cells",
    ],
)
def test_a_list_that_would_lose_names_is_refused(programs: Programs, one_site: Plate, tmp_path: Path, setting: str):
    pipeline = small_pipeline(programs, tmp_path, lambda text: f"{text}    {setting}\n")
    outcome = programs.measure(one_site, tmp_path / "out", pipeline=pipeline)

    assert outcome.code == 65
    assert f"'{setting}' must be written" in outcome.stderr
    assert not outcome.cellprofiler_started()


def test_an_image_without_cells_gives_empty_tables_and_a_warning(programs: Programs, one_site: Plate, tmp_path: Path):
    for channel in one_site.channels:
        noise = np.random.default_rng(0).normal(300, 10, (128, 128)).astype(np.uint16)
        tifffile.imwrite(one_site.image("A01", "1", channel), noise)
    outcome = programs.measure(one_site, tmp_path / "out")

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert "warning: site A01-1: no cells" in outcome.stderr
    assert table(outcome.analysis / f"{PLATE}-A01-1" / "Cells.csv") == []


def test_illumination_finds_the_shading_that_was_planted(programs: Programs, tmp_path: Path):
    size = 203  # no multiple of five
    plate = make_plate(tmp_path / "plate", sites=tuple(("A01", str(n)) for n in range(1, 7)), size=size)
    shading = np.linspace(1.0, 2.0, size)[None, :] * np.ones((size, 1))
    for number in range(1, 7):
        noise = np.random.default_rng(number).normal(3000, 200, (size, size))
        tifffile.imwrite(plate.image("A01", str(number), "RNA"), (noise * shading).astype(np.uint16))
    outcome = programs.illumination(plate, tmp_path / "out", shard="2/2")
    function = np.load(outcome.files / f"{PLATE}_IllumRNA.npy")
    inner = slice(30, -30)  # the median flattens the border

    assert outcome.units() == {"RNA": "ok"}
    assert sorted(path.name for path in outcome.files.iterdir()) == [f"{PLATE}_IllumRNA.npy"]
    assert function.shape == (size, size)
    ratio = function[inner, inner] / shading[inner, inner]
    assert ratio.std() / ratio.mean() < 0.02


@pytest.mark.parametrize("package", ["numpy", "cellprofiler_core", "javabridge"])
def test_the_environment_holds_compiled_packages_so_that_no_start_compiles_them(
    cellprofiler_python: Path, package: str
):
    compiled = (
        cellprofiler_python.parents[1] / f"lib/python3.9/site-packages/{package}/__pycache__/__init__.cpython-39.pyc"
    )

    assert compiled.is_file()
